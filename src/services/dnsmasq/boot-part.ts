/** Which boot loader each kind of client gets, and how firmware takes it. RFC 4578 and the PXE specification say what it accepts. */
import type { Ipv4 } from '../../model/address/ipv4.ts';
import { ARCHITECTURES, httpLoaderUrl, LOADERS, scriptUrl } from './boot-loaders.ts';
import { dhcpOption } from './dhcp-part.ts';
import { type ConfLines, setting } from './setting.ts';

/** The tags of clients. @param ignoredClass the vendor class of other host0s' probes, which are not answered */
export function clientKinds(ignoredClass: string): ConfLines {
  return [
    '# The kinds of clients: other host0s that look for servers, iPXE, and the architectures of firmware.',
    setting`dhcp-vendorclass=set:host0,${ignoredClass}`,
    'dhcp-ignore=tag:host0',
    'dhcp-vendorclass=set:pxe,PXEClient',
    'dhcp-userclass=set:ipxe,iPXE',
    'dhcp-match=set:ipxe,175',
    ...ARCHITECTURES.bios.flatMap((arch) => architectureLines('bios', 'PXEClient', arch)),
    ...ARCHITECTURES.efi64.flatMap((arch) => architectureLines('efi64', 'PXEClient', arch)),
    ...ARCHITECTURES.http64.flatMap((arch) => architectureLines('http64', 'HTTPClient', arch)),
  ];
}

/** Some firmware names its architecture only in its class (option 60), and leaves option 93 out. */
function architectureLines(tag: string, client: string, architecture: number): ConfLines {
  const inClass = `${client}:Arch:${String(architecture).padStart(5, '0')}`;
  return [
    setting`dhcp-match=set:${tag},option:client-arch,${architecture}`,
    setting`dhcp-vendorclass=set:${tag},${inClass}`,
  ];
}

/** What each kind of client loads. */
export function bootLoaders(host0: Ipv4): ConfLines {
  return [
    '# Firmware loads iPXE; iPXE loads its script, and never itself again.',
    setting`dhcp-boot=tag:bios,tag:!ipxe,${LOADERS.bios},,${host0}`,
    setting`dhcp-boot=tag:efi64,tag:!ipxe,${LOADERS.efi64},,${host0}`,
    setting`dhcp-boot=tag:http64,tag:!ipxe,${httpLoaderUrl(host0)},,${host0}`,
    setting`dhcp-boot=tag:ipxe,${scriptUrl(host0)},,${host0}`,
  ];
}

/** The options by which firmware takes the boot file out of a server's answer. */
export function serverOptions(): ConfLines {
  return [
    '# PXE: take the file in this packet and look for no other server. iPXE: wait for no proxy.',
    dhcpOption({ option: 43, values: ['06:01:08:ff'], tags: ['pxe', '!ipxe'], forced: true }),
    dhcpOption({ option: 'option:vendor-class', values: ['PXEClient'], tags: ['pxe'], forced: true }),
    dhcpOption({ option: 'option:vendor-class', values: ['HTTPClient'], tags: ['http64'], forced: true }),
    dhcpOption({ option: 'encap:175', values: [176, '1b'], tags: ['ipxe'] }),
  ];
}

/** How a proxy answers firmware. */
export function proxyServices(): ConfLines {
  return [
    '# Also for firmware that boots by HTTP.',
    'dhcp-pxe-vendor=PXEClient,HTTPClient',
    '# Matches no machine. It opens UDP port 4011, where UEFI asks again for the file named above.',
    'pxe-service=tag:nobody,x86PC,"Meshwork"',
  ];
}

/** The files below a directory, by TFTP. */
export function tftpPart(root: string): ConfLines {
  return [
    '# TFTP uses one UDP port, so that firewalls and observers see whole transfers.',
    'enable-tftp',
    setting`tftp-root=${root}`,
    'tftp-single-port',
    'tftp-max=4096',
    'quiet-tftp',
  ];
}
