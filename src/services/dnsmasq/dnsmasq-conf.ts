/**
 * dnsmasq's configuration for one segment: DHCP or proxy DHCP, and TFTP; never DNS. Pure. What firmware accepts, and which
 * answers were proven with real ones, is in RFC 4578 and the PXE specification; see docs/boot.md.
 */
import type { Ipv4, Ipv4Range } from '../../model/address/ipv4.ts';

/** The boot loaders of the distribution's package `ipxe`, as they are called below the TFTP root. */
export const LOADERS = { bios: 'undionly.kpxe', efi64: 'ipxe.efi' } as const;

export interface SegmentService {
  readonly device: string;
  /** host0's address on the segment. */
  readonly host0: Ipv4;
  readonly subnet: Ipv4Range;
  readonly tftpRoot: string;
  readonly leaseFile: string;
  /** The vendor class of other host0s' probes: not to be answered. */
  readonly ignoredClass: string;
  readonly mode:
    | { readonly name: 'proxy' }
    | { readonly name: 'server'; readonly first: Ipv4; readonly last: Ipv4; readonly leaseSec: number };
}

/** What iPXE fetches next, from host0's own HTTP server. */
export function scriptUrl(host0: Ipv4): string {
  return `http://${host0}/boot.ipxe`;
}

/** What firmware that boots by HTTP fetches (UEFI 2.5 §23.7). */
function httpLoaderUrl(host0: Ipv4): string {
  return `http://${host0}/tftp/${LOADERS.efi64}`;
}

/** RFC 4578 §2.1 with its errata: 7 and 9 are both x64. */
const BIOS = [0];
const EFI64 = [7, 9];
const HTTP64 = [16];

/** Of these host0 has a boot loader, and an image. */
export const BOOT_ARCHITECTURES: readonly number[] = [...BIOS, ...EFI64, ...HTTP64];

/** What firmware of an architecture is given to load: a file by TFTP, or a URL. */
export function loaderFor(architecture: number, host0: Ipv4): string | undefined {
  if (BIOS.includes(architecture)) return LOADERS.bios;
  if (EFI64.includes(architecture)) return LOADERS.efi64;
  return HTTP64.includes(architecture) ? httpLoaderUrl(host0) : undefined;
}

export function dnsmasqConf(service: SegmentService): string {
  const { device, host0, mode, tftpRoot, ignoredClass } = service;
  const url = scriptUrl(host0);
  return lines(
    '# Made by Meshwork; changes are overwritten.',
    '# No DNS, and nothing but this one port.',
    'port=0',
    'no-resolv',
    'no-hosts',
    'bind-dynamic',
    `interface=${device}`,
    'except-interface=lo',
    '',
    '# Who asks: other host0s that look for servers, iPXE, and the architectures of firmware.',
    `dhcp-vendorclass=set:host0,${ignoredClass}`,
    'dhcp-ignore=tag:host0',
    'dhcp-vendorclass=set:pxe,PXEClient',
    'dhcp-userclass=set:ipxe,iPXE',
    'dhcp-match=set:ipxe,175',
    ...BIOS.map((arch) => `dhcp-match=set:bios,option:client-arch,${arch}`),
    ...EFI64.map((arch) => `dhcp-match=set:efi64,option:client-arch,${arch}`),
    ...HTTP64.map((arch) => `dhcp-match=set:http64,option:client-arch,${arch}`),
    '',
    '# Firmware loads iPXE; iPXE loads its script, and never itself again.',
    `dhcp-boot=tag:bios,tag:!ipxe,${LOADERS.bios},,${host0}`,
    `dhcp-boot=tag:efi64,tag:!ipxe,${LOADERS.efi64},,${host0}`,
    `dhcp-boot=tag:http64,tag:!ipxe,${httpLoaderUrl(host0)},,${host0}`,
    `dhcp-boot=tag:ipxe,${url},,${host0}`,
    '',
    ...(mode.name === 'server' ? serverLines(service, mode) : proxyLines(service)),
    '',
    '# Everything from one port, so that firewalls and observers see whole transfers.',
    'enable-tftp',
    `tftp-root=${tftpRoot}`,
    'tftp-single-port',
    'tftp-max=4096',
    'quiet-tftp',
  );
}

/** @param lastWords of a dnsmasq with such a configuration, in its own language */
export function dnsmasqRemedy(lastWords: string): string | undefined {
  if (!lastWords.includes('Address already in use')) return undefined;
  return 'Another program on this machine listens on UDP port 67, 69 or 4011: find it with `ss -lunp`, and stop it.';
}

function serverLines(
  { host0, subnet, leaseFile }: SegmentService,
  { first, last, leaseSec }: Extract<SegmentService['mode'], { name: 'server' }>,
): string[] {
  return [
    `dhcp-range=${first},${last},${subnet.mask},${leaseSec}`,
    `dhcp-leasefile=${leaseFile}`,
    `dhcp-lease-max=${LEASES_MAX}`,
    '# The segment is ours: who asks for an address of another one is told so at once.',
    'dhcp-authoritative',
    '# A machine is its Ethernet address: ROM, iPXE and Linux each name another client.',
    'dhcp-ignore-clid',
    'no-ping',
    '# host0 is no router; it gives the time.',
    'dhcp-option=option:router',
    `dhcp-option=option:ntp-server,${host0}`,
    '# PXE: take the file in this packet, look for no other server; iPXE: wait for no proxy.',
    'dhcp-option-force=tag:pxe,tag:!ipxe,43,06:01:08:ff',
    'dhcp-option-force=tag:pxe,option:vendor-class,PXEClient',
    'dhcp-option-force=tag:http64,option:vendor-class,HTTPClient',
    'dhcp-option=tag:ipxe,encap:175,176,1b',
  ];
}

/** More than any subnet that fits a switch. */
const LEASES_MAX = 10_000;

function proxyLines({ subnet }: SegmentService): string[] {
  return [
    `dhcp-range=${subnet.network},proxy,${subnet.mask}`,
    '# Also for firmware that boots by HTTP.',
    'dhcp-pxe-vendor=PXEClient,HTTPClient',
    '# Matches nobody: it opens port 4011, where UEFI asks again for the file named above.',
    'pxe-service=tag:nobody,x86PC,"Meshwork"',
  ];
}

function lines(...texts: readonly string[]): string {
  return texts.map((text) => `${text}\n`).join('');
}
