/**
 * Faults of this machine's own links to the underlay. While there is one, no other machine answers, and none of them is to
 * blame.
 */

import type { KernelTables } from '../../kernel/mirror/kernel-tables.ts';
import type { Link } from '../../kernel/rtnl/objects.ts';
import { type Ipv4, type Ipv4Cidr, ipv4InSubnet, ipv4Subnet } from '../../model/address/ipv4.ts';
import type { Finding } from '../../protocol/documents/finding.ts';
import type { Agent } from '../agent.ts';
import type { Host0Stance } from '../desired/assignment.ts';
import { parseAlias } from '../items/mark.ts';
import { linkFault } from '../kernel/link-fault.ts';

/** A link and the IPv4 address that it has. */
interface AddressedLink {
  readonly link: Link;
  readonly ipv4: Ipv4;
  readonly subnet: Ipv4Cidr;
}

/** The agent, as far as its links and its segments are concerned. */
interface UnderlayOwner extends Pick<Agent, 'cache'> {
  readonly source: Pick<Agent['source'], 'networks' | 'host0Stance'>;
}

/** The code of these findings. */
export const UNDERLAY_CODE = 'MESH_UNDERLAY_UNFIT';
/** NICs that a message names. */
const NAMED = 4;

/**
 * One finding for each link to the underlay that carries no packets, or a single one if this machine has lost its address
 * there.
 */
export function underlayFindings({ source, cache }: UnderlayOwner): Finding[] {
  if (source.networks.length === 0) return [];
  const stance = source.host0Stance();
  const all = addressedLinks(cache);
  if (hasLostAddress(stance, all)) return [noAddress(cache, stance)];
  return underlayOf(stance, all).flatMap(({ link, ipv4 }) => {
    const fault = linkFault(cache, link);
    if (fault === undefined) return [];
    return [finding(link.name, `${ipv4} gets no packets: ${fault.message}`, fault.remedy)];
  });
}

/** A node keeps the address that it sent from while it has no route to host0: a link may be coming back. */
function hasLostAddress(stance: Host0Stance, all: readonly AddressedLink[]): boolean {
  if (all.length === 0) return true;
  return stance.role === 'node' && stance.local !== undefined && all.every(({ ipv4 }) => ipv4 !== stance.local);
}

/** All IPv4 addresses with global scope, each with its link, except those of loopback. */
function addressedLinks({ addresses, links }: KernelTables): AddressedLink[] {
  return [...addresses.values()].flatMap(({ family, scope, address, length, link: index }) => {
    const link = links.get(index);
    return family !== 4 || scope !== 'global' || link === undefined || link.loopback
      ? []
      : [{ link, ipv4: address as Ipv4, subnet: ipv4Subnet(address as Ipv4, length) }];
  });
}

/** The links that VXLAN packets should come and go through. */
function underlayOf(stance: Host0Stance, all: readonly AddressedLink[]): AddressedLink[] {
  if (stance.role === 'host0') {
    // A card that is down is no segment. It may have been the only one.
    if (stance.segments.length === 0) return all.filter(({ link }) => isCard(link) && !link.up);
    return stance.segments.flatMap(({ device, ipv4 }) =>
      all.filter((one) => one.link.name === device && one.ipv4 === ipv4),
    );
  }
  const own = all.filter(({ ipv4 }) => ipv4 === stance.local);
  return own.length > 0 ? own : all.filter(({ subnet }) => ipv4InSubnet(stance.ipv4, subnet));
}

function isCard({ kind, alias }: Link): boolean {
  return (kind === '' || kind === 'veth' || kind === 'vlan') && parseAlias(alias) === undefined;
}

function noAddress(cache: KernelTables, stance: Host0Stance): Finding {
  const cards = [...cache.links.values()].filter((link) => isCard(link) && !link.loopback);
  const states = cards.slice(0, NAMED).map((link) => linkFault(cache, link)?.message ?? `${link.name} is up`);
  const cardText = states.length === 0 ? 'it has no card' : states.join(', ');
  const had = stance.role === 'node' ? stance.local : undefined;
  const what =
    had === undefined
      ? 'this machine has no IPv4 address on any network card'
      : `no network card of this machine has its address ${had} any more`;
  const length =
    had === undefined
      ? undefined
      : stance.segments
          .map(String)
          .find((subnet) => ipv4InSubnet(had, subnet as Ipv4Cidr))
          ?.split('/')[1];
  const [card] = cards;
  const command = `ip address add ${had ?? 'ADDRESS'}/${length ?? 'LENGTH'} dev ${card?.name ?? 'NIC'}`;
  return finding(
    'underlay',
    `${what} (${cardText})`,
    `Give it back: by the program that sets the addresses of this machine, such as its DHCP client, or for now by \`${command}\`.`,
  );
}

function finding(object: string, message: string, remedy: string): Finding {
  return { code: UNDERLAY_CODE, severity: 'error', object, message, remedy };
}
