/**
 * dnsmasq's configuration for one boot segment: DHCP or proxy DHCP, and TFTP, but no DNS. Pure. docs/boot.md lists the answers
 * that were tested with real firmware.
 */
import type { Ipv4, Ipv4Range } from '../../model/address/ipv4.ts';
import { bootLoaders, clientKinds, proxyServices, serverOptions, tftpPart } from './boot-part.ts';
import { AUTHORITATIVE, dhcpOption, dhcpRange, KNOWN_BY_MAC, leasePart } from './dhcp-part.ts';
import { NO_DNS } from './dns-part.ts';
import { interfacePart } from './interface-part.ts';
import { type ConfLines, confText } from './setting.ts';

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

/** The text of the configuration file. */
export function bootConf(service: SegmentService): string {
  const { device, host0, mode, subnet, tftpRoot, ignoredClass } = service;
  return confText(
    ['# No DNS, and no other NIC than this one.', ...NO_DNS, ...interfacePart(device)],
    clientKinds(ignoredClass),
    bootLoaders(host0),
    mode.name === 'server' ? serverLines(service, mode) : [dhcpRange({ kind: 'proxy', subnet }, 0), ...proxyServices()],
    tftpPart(tftpRoot),
  );
}

function serverLines(
  { host0, subnet, leaseFile }: SegmentService,
  { hostFile, leaseSec }: Extract<SegmentService['mode'], { name: 'server' }>,
): ConfLines {
  return [
    '# No range: host0 chooses the address of each machine, since dnsmasq may offer one address to several machines at once.',
    dhcpRange({ kind: 'static4', subnet }, leaseSec),
    ...leasePart({ hostFile, leaseFile }),
    '# host0 is the DHCP server of this segment: a client that asks for an address of another one gets a NAK at once.',
    AUTHORITATIVE,
    '# A machine is known by its MAC: ROM, iPXE and Linux each send another client id.',
    KNOWN_BY_MAC,
    '# host0 is no router; it gives the time.',
    dhcpOption({ option: 'option:router' }),
    dhcpOption({ option: 'option:ntp-server', values: [host0] }),
    ...serverOptions(),
  ];
}
