/**
 * The configuration of a dnsmasq that serves a network at this node's own addresses on the bridge: DHCP for both families, DNS, TFTP and
 * router advertisements. Pure.
 */
import { ipRange, ipToBigint } from '../../model/address/ip-range.ts';
import { type Ipv4, type Ipv4Cidr, ipv4Range, isIpv4 } from '../../model/address/ipv4.ts';
import { type Ipv6, parseIpv6Interface } from '../../model/address/ipv6.ts';
import type { HostInterface } from '../../model/network/host-address.ts';
import type { Network } from '../../model/network/network.ts';
import { LEASE_DEFAULT_SEC, RESERVATIONS_MAX } from '../../model/network/services/dhcp4.ts';
import type { DynamicRange, Subnet, SubnetDhcp } from '../../model/network/subnet.ts';
import {
  AUTHORITATIVE,
  type DhcpRange,
  dhcpBoot,
  dhcpOption,
  dhcpRange,
  KNOWN_BY_MAC,
  leasePart,
  reservationLine,
} from './dhcp-part.ts';
import { dnsPart, hostsText, NO_DNS } from './dns-part.ts';
import { interfacePart } from './interface-part.ts';
import { reverseZones } from './reverse-zones.ts';
import { type ConfLines, confText, setting } from './setting.ts';

/** A network as a node with addresses on its bridge serves it. */
export interface HostServing {
  readonly network: Network;
  /** The bridge. */
  readonly device: string;
  /** This node's own addresses on it. */
  readonly given: readonly HostInterface[];
  /** The addresses that this node gives, by the subnet; all of its ranges where none is named. */
  readonly shares?: ReadonlyMap<string, readonly DynamicRange[]>;
  /** Whether other nodes give addresses in the network, too. */
  readonly hasOthers?: boolean;
  /** The file of the servers that this machine asks for names (`serversText`). */
  readonly serversFile: string;
  /** The files of `hostReservations` and `hostNames`. */
  readonly reservationFile: string;
  readonly hostsFile: string;
  readonly leaseFile: string;
}

/** A subnet with this node's own address in it. */
interface ServedSubnet {
  readonly subnet: Subnet;
  readonly own: Ipv4 | Ipv6;
}

/** Option 3 of DHCP for IPv4 names the router. */
const ROUTER_OPTION = 3;
/** Leases that there may be in any network, and in the largest one: IPv6 ranges have more addresses than a node has memory. */
const LEASES_LEAST = 2 * RESERVATIONS_MAX;
const LEASES_MOST = 1_000_000;

/** Whether a node with these addresses runs a dnsmasq for the network. */
export function isServedByHost({ dns, subnets }: Network, given: readonly HostInterface[] | undefined): boolean {
  if (given === undefined || given.length === 0) return false;
  return dns?.enabled !== false || subnets.some(({ dhcp, tftp, cidr }) => dhcp ?? tftp ?? cidr.includes(':'));
}

/** The text of the configuration file. dnsmasq reads it only when it starts. */
export function hostConf(serving: HostServing): string {
  const { network, device, given, reservationFile, hostsFile, leaseFile } = serving;
  const { dns = { hosts: [], srv: [], txt: [], forwarders: [] }, subnets, dnsmasqOptions = [] } = network;
  const isIsolated = network.routing.mode === 'isolated';
  // A server for all names is asked in place of those of this machine.
  const asksHost = !isIsolated && dns.forwarders.every(({ domain }) => domain !== undefined);
  const served = subnets.flatMap((subnet): ServedSubnet[] => {
    const own = given.find(({ address }) => isIn(address, subnet.cidr))?.address;
    return own === undefined ? [] : [{ subnet, own }];
  });
  const dhcp = served.filter(({ subnet }) => subnet.dhcp !== undefined);
  return confText(
    interfacePart(device),
    dns.enabled === false
      ? NO_DNS
      : [
          ...dnsPart(
            { ...dns, hosts: [] },
            {
              localOnly: dns.localOnly === true,
              hostsFile,
              ...(asksHost && { serversFile: serving.serversFile }),
            },
          ),
          ...subnets.flatMap(({ cidr, localPtr }) =>
            localPtr === true ? reverseZones(cidr).map((zone) => setting`local=/${zone}/`) : [],
          ),
        ],
    tftpLines(subnets),
    ...dhcp.map((one) => dhcpLines(one, serving)),
    advertisementLines(served, device, isIsolated),
    dhcp.length === 0
      ? []
      : [
          ...leasePart({ hostFile: reservationFile, leaseFile, leasesMax: leasesMax(dhcp) }),
          ...(dhcp.some(({ own }) => isIpv4(own))
            ? [
                dhcpOption({ option: 'option:mtu', values: [network.mtuBytes] }),
                // A guest of an isolated network has no way out.
                ...(isIsolated ? [dhcpOption({ option: ROUTER_OPTION })] : []),
                'dhcp-no-override',
              ]
            : []),
          // With a second server, each would refuse the guests that have chosen the other one.
          ...(serving.hasOthers === true ? [] : [AUTHORITATIVE]),
          '# A guest is known by its MAC.',
          KNOWN_BY_MAC,
        ],
    dnsmasqOptions,
  );
}

/** The text of the file of reservations. dnsmasq reads it again on SIGHUP. */
export function hostReservations({ subnets }: Pick<Network, 'subnets'>): string {
  const hosts = subnets.flatMap(({ dhcp }) => dhcp?.hosts ?? []);
  return hosts.map((host) => `${reservationLine(host)}\n`).join('');
}

/** The text of the file of hosts. dnsmasq reads it again on SIGHUP. */
export function hostNames({ dns }: Pick<Network, 'dns'>): string {
  return hostsText(dns?.hosts ?? []);
}

function dhcpLines({ subnet, own }: ServedSubnet, { shares }: HostServing): ConfLines {
  const { dhcp, cidr } = subnet;
  if (dhcp === undefined) return [];
  const ranges = shares?.get(cidr) ?? dhcp.ranges;
  const prefix = isIpv4(own) ? 'option' : 'option6';
  const lines = ranges.flatMap((range) => {
    const all = rangeOf(range, cidr);
    return all === undefined ? [] : [dhcpRange(all, leaseOf(dhcp, range))];
  });
  return [
    ...(lines.length === 0 ? [dhcpRange(onlyReserved(own, cidr), leaseOf(dhcp))] : lines),
    ...dhcp.options.map(({ number, value }) =>
      dhcpOption({
        option: isIpv4(own) ? number : `${prefix}:${number}`,
        values: value.split(','),
      }),
    ),
    ...(dhcp.bootp === undefined ? [] : [dhcpBoot(dhcp.bootp)]),
  ];
}

function leaseOf(dhcp: SubnetDhcp, range: Pick<DynamicRange, 'leaseSec'> = {}): number {
  return range.leaseSec ?? dhcp.leaseSec ?? LEASE_DEFAULT_SEC;
}

function rangeOf({ first, last }: DynamicRange, cidr: Subnet['cidr']): DhcpRange | undefined {
  if (isIpv4(first) && isIpv4(last) && isIpv4Cidr(cidr))
    return { kind: 'dynamic4', first, last, mask: ipv4Range(cidr).mask };
  if (isIpv4(first) || isIpv4(last)) return undefined;
  return { kind: 'dynamic6', first, last, length: lengthOf(cidr) };
}

function onlyReserved(own: Ipv4 | Ipv6, cidr: Subnet['cidr']): DhcpRange {
  if (isIpv4(own) && isIpv4Cidr(cidr)) return { kind: 'static4', subnet: ipv4Range(cidr) };
  return { kind: 'static6', network: parseIpv6Interface(cidr).address, length: lengthOf(cidr) };
}

/** dnsmasq advertises the prefixes of its address ranges, and of subnets in which guests choose their own addresses. */
function advertisementLines(served: readonly ServedSubnet[], device: string, isIsolated: boolean): ConfLines {
  const sixes = served.filter(({ subnet: { ra }, own }) => ra !== false && !isIpv4(own));
  if (sixes.length === 0) return [];
  const free = sixes.filter(({ subnet }) => subnet.dhcp === undefined);
  return [
    'enable-ra',
    ...free.map(
      ({ subnet: { cidr } }) => setting`dhcp-range=${[parseIpv6Interface(cidr).address, 'ra-only', lengthOf(cidr)]}`,
    ),
    // An advertisement with the lifetime 0 names no router (RFC 4861 §4.2).
    ...(isIsolated ? [setting`ra-param=${[device, 0, 0]}`] : []),
  ];
}

function tftpLines(subnets: readonly Subnet[]): ConfLines {
  const root = subnets.find(({ tftp }) => tftp !== undefined)?.tftp?.root;
  return root === undefined ? [] : ['enable-tftp', setting`tftp-root=${root}`];
}

/** Each address of the ranges may be in use at once. Reservations come and go without a restart: there is room for more than there can be. */
function leasesMax(dhcp: readonly ServedSubnet[]): number {
  const sizes = dhcp.flatMap(({ subnet }) => {
    const { ranges = [] } = subnet.dhcp ?? {};
    return ranges.map(({ first, last }) => ipToBigint(last) - ipToBigint(first) + 1n);
  });
  const sum = sizes.reduce((all, size) => all + size, BigInt(LEASES_LEAST));
  return sum < BigInt(LEASES_MOST) ? Number(sum) : LEASES_MOST;
}

function isIn(address: Ipv4 | Ipv6, cidr: Subnet['cidr']): boolean {
  const { family, first, last } = ipRange(cidr);
  if ((family === 'ipv4') !== isIpv4(address)) return false;
  const value = ipToBigint(address);
  return first <= value && value <= last;
}

function isIpv4Cidr(cidr: Subnet['cidr']): cidr is Ipv4Cidr {
  return !cidr.includes(':');
}

function lengthOf(cidr: string): number {
  return Number(cidr.slice(cidr.indexOf('/') + 1));
}
