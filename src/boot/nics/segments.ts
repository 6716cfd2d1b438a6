/**
 * The segments that nodes can be on: which of host0's NICs they are, and why. Pure.
 *
 * Every machine in the subnet of a segment may ask to become a member. So a NIC that leads to other networks, as its
 * default route shows, is a segment only if host0.conf names the NIC.
 */
import type { Host0Settings } from '../../formats/host0/host0-conf.ts';
import { type Ipv4, type Ipv4Cidr, ipv4InSubnet, parseIpv4Cidr } from '../../model/address/ipv4.ts';
import type { Segment } from '../../protocol/documents/assignment.ts';
import type { Finding } from '../../protocol/documents/finding.ts';
import type { JoinReason, JoinView } from '../../protocol/documents/views.ts';
import { SEGMENTS_MAX } from '../../protocol/shapes/parts.ts';
import { absentNics } from './absent-nics.ts';
import { type BootNic, isOurs, isServable, type NicLink, wantedMode } from './boot-nic.ts';
import { isOfUplink, joinNics } from './join-nic.ts';
import { isDefaultRoute, type LinkRoute, subnetsOf, wayTo } from './link-subnets.ts';
import { isNodeAddress, type LinkAddress } from './nic-address.ts';

/** What this machine has. `LiveMirror` is the first three. */
export interface UnderlayTables {
  readonly links: Iterable<NicLink>;
  readonly addresses: Iterable<LinkAddress>;
  readonly routes: Iterable<LinkRoute>;
}

/** The settings that say which NICs are segments. */
export type SegmentSettings = Pick<
  Host0Settings,
  'segmentNics' | 'memberSubnets' | 'bootModes' | 'manualSubnets' | 'joinGroups' | 'boot'
>;

/** The networks on host0's NICs. */
export interface UnderlaySegments {
  /**
   * One for each subnet of each NIC that is a segment, in the order of the ifindexes, and then those of `member_subnets`.
   * host0 forwards VXLAN between them.
   */
  readonly segments: readonly Segment[];
  /** The same and the other NICs that have an address, each with the reason. */
  readonly joins: readonly Omit<JoinView, 'admits'>[];
  /** Links that have an address and are no candidates because of their kind, as `tun0 (10.8.0.1/24)`. */
  readonly others: readonly string[];
  readonly findings: readonly Finding[];
}

/** Addresses that are not used on the Internet (RFC 1918, RFC 6598): the machines there are behind a router. */
const PRIVATE = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10'].map(parseIpv4Cidr);

/** Reasons for which a NIC is a segment. */
const IS_SEGMENT: ReadonlySet<JoinReason> = new Set(['named', 'no default route', 'only NIC']);

/** @param groups names of NICs that a scan found on one physical segment, besides those of `join_groups` */
export function underlaySegments(
  tables: UnderlayTables,
  settings: SegmentSettings,
  groups: readonly (readonly string[])[],
): UnderlaySegments {
  const addresses = [...tables.addresses];
  const links = [...tables.links];
  const routes = [...tables.routes];
  const byLink = Map.groupBy(addresses, ({ link }) => link);
  const routesBy = Map.groupBy(routes, ({ link = 0 }) => link);
  const nics = joinNics(links, addresses, settings.segmentNics).sort((a, b) => a.index - b.index);
  const uplinks = new Set(routes.filter(isDefaultRoute).map(({ link = 0 }) => link));
  const together = [...groups, ...settings.joinGroups, ...sharedCards(links)];
  const all = nics
    .filter(({ up }) => up)
    .flatMap((nic) => {
      const subnets = subnetsOf(byLink.get(nic.index) ?? [], routesBy.get(nic.index) ?? []);
      const why = reasonFor(nic, [...subnets.values()], { nics, uplinks, settings });
      return [...subnets].map(([subnet, ipv4]) => ({ nic, subnet, ipv4, why }));
    });
  const { routed, findings } = memberSubnets({ links, addresses, routes }, settings);
  const named = [...all, ...routed];
  return {
    segments: named
      .filter(({ why }) => IS_SEGMENT.has(why))
      .map(({ nic: { name: device, names }, ipv4, subnet }) => {
        const also = othersOf(device, names, together);
        return { device, ipv4, subnet, ...(also.length > 0 && { also }) };
      })
      // A node takes no longer list.
      .slice(0, SEGMENTS_MAX),
    joins: named.map(({ nic: { name: device }, subnet, why }) => ({ device, subnet, why })),
    others: otherLinks(links, addresses, nics),
    findings: [...all.flatMap((network) => findingsOf(network, settings)), ...findings, ...absentNics(links, settings)],
  };
}

/**
 * Each macvlan or ipvlan with the card below it: both are on one physical segment, and Linux answers ARP requests for the
 * address of either by both.
 */
function sharedCards(links: readonly NicLink[]): string[][] {
  const names = new Map(links.map(({ index, name }) => [index, name]));
  return links.flatMap(({ name, kind, lower }) => {
    const card = lower === undefined || kind === 'vlan' ? undefined : names.get(lower);
    return card === undefined ? [] : [[name, card]];
  });
}

/** The subnets of `member_subnets`, each at the link that the route to it uses. */
function memberSubnets(
  {
    links,
    addresses,
    routes,
  }: { links: readonly NicLink[]; addresses: readonly LinkAddress[]; routes: readonly LinkRoute[] },
  settings: SegmentSettings,
): { readonly routed: readonly (NicNetwork & { readonly ipv4: Ipv4 })[]; readonly findings: readonly Finding[] } {
  const routed: (NicNetwork & { readonly ipv4: Ipv4 })[] = [];
  const findings: Finding[] = [];
  for (const subnet of settings.memberSubnets) {
    const way = wayTo(subnet, routes, addresses);
    const link = links.find(({ index }) => index === way?.link);
    if (way === undefined || link === undefined || !link.up) {
      findings.push(noWay(subnet));
      continue;
    }
    const why = isServable(link.name) ? 'named' : 'unfit name';
    routed.push({ nic: { ...link, names: [link.name] }, subnet, ipv4: way.ipv4, why });
  }
  return { routed, findings };
}

function otherLinks(links: readonly NicLink[], addresses: readonly LinkAddress[], nics: readonly NicLink[]): string[] {
  const chosen = new Set(nics.map(({ index }) => index));
  const byLink = Map.groupBy(addresses.filter(isNodeAddress), ({ link }) => link);
  return links
    .filter((link) => !link.loopback && !isOurs(link) && !chosen.has(link.index) && link.master === 0)
    .flatMap(({ index, name }) =>
      (byLink.get(index) ?? []).map(({ address, length }) => `${name} (${address}/${length})`),
    );
}

interface Surroundings {
  readonly nics: readonly BootNic[];
  /** The ifindexes of the links that have a default route. */
  readonly uplinks: ReadonlySet<number>;
  readonly settings: SegmentSettings;
}

function reasonFor(nic: BootNic, ipv4s: readonly Ipv4[], { nics, uplinks, settings }: Surroundings): JoinReason {
  if (!isServable(nic.name)) return 'unfit name';
  if (settings.segmentNics !== undefined) return 'named';
  if (isOff(nic, settings)) return 'off';
  if (isNamed(nic, settings)) return 'named';
  if (!isOfUplink(nic, uplinks)) return 'no default route';
  // A machine with a single network card has its uplink and its nodes on one network, for example at home. That is sure
  // where there is no other card that nodes could be on, and the network is behind a router.
  const others = nics.filter((other) => other.index !== nic.index && mayBeSegment(other, settings));
  const isPrivate = ipv4s.every((ipv4) => PRIVATE.some((subnet) => ipv4InSubnet(ipv4, subnet)));
  return others.length === 0 && isPrivate ? 'only NIC' : 'default route';
}

function isOff({ names }: BootNic, { bootModes }: SegmentSettings): boolean {
  return wantedMode(names, bootModes) === 'off';
}

/** Whether a line of host0.conf says that the NIC is on a segment of machines. */
function isNamed({ names }: BootNic, { bootModes, manualSubnets, joinGroups }: SegmentSettings): boolean {
  const named = [...bootModes, ...manualSubnets].map(({ port }) => port);
  return [...named, ...joinGroups.flat()].some((name) => names.includes(name));
}

/** Whether the NIC has a cable. host0 sets up all NICs once it boots machines, and only then shows which have one. */
function mayBeSegment(nic: BootNic, settings: SegmentSettings): boolean {
  return !isOff(nic, settings) && (nic.running || (!nic.up && settings.boot !== 'off'));
}

/** The other NICs of a physical segment. A name that rules cannot hold is left out. */
function othersOf(device: string, names: readonly string[], groups: readonly (readonly string[])[]): string[] {
  const mates = groups.filter((group) => group.some((name) => names.includes(name))).flat();
  return [...new Set(mates)].filter((name) => name !== device && !names.includes(name) && isServable(name)).sort();
}

interface NicNetwork {
  readonly nic: BootNic;
  readonly subnet: Ipv4Cidr;
  readonly why: JoinReason;
}

function findingsOf({ nic: { name }, subnet, why }: NicNetwork, { boot }: SegmentSettings): Finding[] {
  const restart = 'in host0.conf, and restart host0';
  if (why === 'unfit name') {
    return [
      finding(
        JSON.stringify(name),
        `no node can join on ${JSON.stringify(name)} (${subnet}): nft cannot hold this name`,
        'Give the NIC a name of letters, digits and . _ @ + - only: `ip link set dev NIC name NAME`.',
      ),
    ];
  }
  if (why === 'only NIC') {
    return [
      finding(
        name,
        `${name} has the default route, and it is host0's only NIC: every machine in ${subnet} may ask to join`,
        `If your nodes are there, say so by \`segment_ports="${name}"\` ${restart}.`,
      ),
    ];
  }
  if (why === 'default route' && boot !== 'off') {
    return [
      finding(
        name,
        `machines may boot on ${name}, but none in ${subnet} can join: ${name} has the default route, and host0.conf does not name it`,
        `Write \`boot_mode="${name}=off"\` if it only leads to other networks, or \`boot_mode="${name}=auto"\` if your nodes are there, ${restart}.`,
      ),
    ];
  }
  return [];
}

function noWay(subnet: Ipv4Cidr): Finding {
  return {
    code: 'MESH_SEGMENT_OUTSIDE',
    severity: 'warning',
    object: subnet,
    message: `member_subnets in host0.conf names ${subnet}, to which host0 has no route: no node there can join`,
    remedy: `Add a route: \`ip route add ${subnet} via ROUTER\`.`,
  };
}

function finding(object: string, message: string, remedy: string): Finding {
  return { code: 'MESH_SEGMENT_UNNAMED', severity: 'warning', object, message, remedy };
}
