/**
 * dnsmasq's configuration for one segment: DHCP or proxy DHCP, and TFTP, but no DNS. Pure. RFC 4578 and the PXE specification
 * say what firmware accepts; docs/boot.md lists the answers that were tested with real firmware.
 */
import type { Ipv4, Ipv4Range } from '../../model/address/ipv4.ts';

/** The files of the boot loaders below the TFTP root. They come from the distribution's package `ipxe`. */
export const LOADERS = { bios: 'undionly.kpxe', efi64: 'ipxe.efi' } as const;

/** What dnsmasq serves on one segment. */
export interface SegmentService {
  /** host0's device on the segment. */
  readonly device: string;
  /** host0's address on the segment. */
  readonly host0: Ipv4;
  readonly subnet: Ipv4Range;
  readonly tftpRoot: string;
  readonly leaseFile: string;
  /** The vendor class of other host0s' probes, which are not answered. */
  readonly ignoredClass: string;
  readonly mode:
    | { readonly name: 'proxy' }
    | {
        readonly name: 'server';
        /** The file of the machines that get an address (host-file.ts): no other machine is answered. */
        readonly hostFile: string;
        readonly leaseSec: number;
      };
}

/** The URL of the first script, which iPXE fetches from host0's boot server. */
export function scriptUrl(host0: Ipv4): string {
  return `http://${host0}/boot.ipxe`;
}

/** The URL of the boot loader for firmware that boots by HTTP (UEFI 2.5 §23.7). */
function httpLoaderUrl(host0: Ipv4): string {
  return `http://${host0}/tftp/${LOADERS.efi64}`;
}

/** Architectures by number (RFC 4578 §2.1); by its errata, 7 and 9 are both x64. */
const BIOS = [0];
const EFI64 = [7, 9];
const HTTP64 = [16];

/** The architectures (option 93) for which host0 has a boot loader and an image. */
export const BOOT_ARCHITECTURES: readonly number[] = [...BIOS, ...EFI64, ...HTTP64];

/** The boot loader for an architecture: a file to fetch by TFTP, or a URL. @returns undefined if host0 has none */
export function loaderFor(architecture: number, host0: Ipv4): string | undefined {
  if (BIOS.includes(architecture)) return LOADERS.bios;
  if (EFI64.includes(architecture)) return LOADERS.efi64;
  return HTTP64.includes(architecture) ? httpLoaderUrl(host0) : undefined;
}

/** The text of the configuration file. */
export function dnsmasqConf(service: SegmentService): string {
  const { device, host0, mode, tftpRoot, ignoredClass } = service;
  const url = scriptUrl(host0);
  return lines(
    '# Made by Meshwork; changes are overwritten.',
    '# No DNS, and no other NIC than this one.',
    'port=0',
    'no-resolv',
    'no-hosts',
    'bind-dynamic',
    setting`interface=${device}`,
    'except-interface=lo',
    '',
    '# The kinds of clients: other host0s that look for servers, iPXE, and the architectures of firmware.',
    setting`dhcp-vendorclass=set:host0,${ignoredClass}`,
    'dhcp-ignore=tag:host0',
    'dhcp-vendorclass=set:pxe,PXEClient',
    'dhcp-userclass=set:ipxe,iPXE',
    'dhcp-match=set:ipxe,175',
    ...BIOS.flatMap((arch) => architectureLines('bios', 'PXEClient', arch)),
    ...EFI64.flatMap((arch) => architectureLines('efi64', 'PXEClient', arch)),
    ...HTTP64.flatMap((arch) => architectureLines('http64', 'HTTPClient', arch)),
    '',
    '# Firmware loads iPXE; iPXE loads its script, and never itself again.',
    setting`dhcp-boot=tag:bios,tag:!ipxe,${LOADERS.bios},,${host0}`,
    setting`dhcp-boot=tag:efi64,tag:!ipxe,${LOADERS.efi64},,${host0}`,
    setting`dhcp-boot=tag:http64,tag:!ipxe,${httpLoaderUrl(host0)},,${host0}`,
    setting`dhcp-boot=tag:ipxe,${url},,${host0}`,
    '',
    ...(mode.name === 'server' ? serverLines(service, mode) : proxyLines(service)),
    '',
    '# TFTP uses one UDP port, so that firewalls and observers see whole transfers.',
    'enable-tftp',
    setting`tftp-root=${tftpRoot}`,
    'tftp-single-port',
    'tftp-max=4096',
    'quiet-tftp',
  );
}

/** Some firmware names its architecture only in its class (option 60), and leaves option 93 out. */
function architectureLines(tag: string, client: string, architecture: number): string[] {
  const inClass = `${client}:Arch:${String(architecture).padStart(5, '0')}`;
  return [
    setting`dhcp-match=set:${tag},option:client-arch,${architecture}`,
    setting`dhcp-vendorclass=set:${tag},${inClass}`,
  ];
}

/** What to do when dnsmasq has ended, by the last line of its output. */
export const DNSMASQ_REMEDIES = [
  {
    says: 'Address already in use',
    remedy: 'Another program on this machine listens on UDP port 67, 69 or 4011: find it with `ss -lunp`, and stop it.',
  },
] as const;

function serverLines(
  { host0, subnet, leaseFile }: SegmentService,
  { hostFile, leaseSec }: Extract<SegmentService['mode'], { name: 'server' }>,
): string[] {
  return [
    '# No range: host0 chooses the address of each machine, since dnsmasq may offer one address to several machines at once.',
    setting`dhcp-range=${subnet.network},static,${subnet.mask},${leaseSec}`,
    setting`dhcp-hostsfile=${hostFile}`,
    setting`dhcp-leasefile=${leaseFile}`,
    setting`dhcp-lease-max=${LEASES_MAX}`,
    '# host0 is the DHCP server of this segment: a client that asks for an address of another one gets a NAK at once.',
    'dhcp-authoritative',
    '# A machine is known by its MAC: ROM, iPXE and Linux each send another client id.',
    'dhcp-ignore-clid',
    '# host0 is no router; it gives the time.',
    'dhcp-option=option:router',
    setting`dhcp-option=option:ntp-server,${host0}`,
    '# PXE: take the file in this packet and look for no other server. iPXE: wait for no proxy.',
    'dhcp-option-force=tag:pxe,tag:!ipxe,43,06:01:08:ff',
    'dhcp-option-force=tag:pxe,option:vendor-class,PXEClient',
    'dhcp-option-force=tag:http64,option:vendor-class,HTTPClient',
    'dhcp-option=tag:ipxe,encap:175,176,1b',
  ];
}

/** More than the subnet of any switch needs. */
const LEASES_MAX = 10_000;

function proxyLines({ subnet }: SegmentService): string[] {
  return [
    setting`dhcp-range=${subnet.network},proxy,${subnet.mask}`,
    '# Also for firmware that boots by HTTP.',
    'dhcp-pxe-vendor=PXEClient,HTTPClient',
    '# Matches no machine. It opens UDP port 4011, where UEFI asks again for the file named above.',
    'pxe-service=tag:nobody,x86PC,"Meshwork"',
  ];
}

/**
 * Whether dnsmasq takes this text as the name of an interface as it is. A final `*` would be a pattern, and quotes do not
 * hide it.
 */
export function isDnsmasqName(text: string): boolean {
  return /^[\w.@+-]+$/.test(text);
}

/** Characters that mean nothing to dnsmasq, besides the commas that this file writes between the parts of a value. */
const PLAIN = /^[\w.@+:/-]+$/;

/**
 * One line of the configuration. Every value goes through here: one with other than plain characters is put in quotes, in
 * which dnsmasq takes commas, blanks and # as they are (option.c, read_file).
 */
function setting(parts: TemplateStringsArray, ...values: readonly (string | number)[]): string {
  return String.raw({ raw: parts }, ...values.map((value) => quoted(`${value}`)));
}

function quoted(text: string): string {
  return PLAIN.test(text)
    ? text
    : `"${text.replace(/[\\"]/g, '\\$&').replaceAll('\n', '\\n').replaceAll('\t', '\\t')}"`;
}

function lines(...texts: readonly string[]): string {
  return texts.map((text) => `${text}\n`).join('');
}
