/** Finds the end of a path that a user means: a member, or a guest that this node's kernel has seen packets of. */

import type { KernelTables } from '../../kernel/mirror/kernel-tables.ts';
import { isIpv4 } from '../../model/address/ipv4.ts';
import { type Ipv6, parseIpv6 } from '../../model/address/ipv6.ts';
import { type Mac, parseMac } from '../../model/address/mac.ts';
import { MeshError } from '../../model/error.ts';
import type { Member } from '../../model/network/member.ts';
import { ipv6In } from '../../model/network/node-addresses.ts';
import type { VxlanNetwork } from '../../model/network/vxlan-network.ts';
import type { TraceEnd } from '../../protocol/documents/trace.ts';
import type { Agent } from '../agent.ts';
import { findMember, memberCalled } from '../view/called-member.ts';

/**
 * @param text what the user typed: a member's name, machine id or address, or a guest's IPv6 or Ethernet address
 * @throws MESH_NODE_UNKNOWN for an unknown name, MESH_OBJECT_UNKNOWN for an unknown address, MESH_ADDRESS_INVALID
 */
export async function traceEnd(
  agent: Agent,
  network: VxlanNetwork,
  members: readonly Member[],
  text: string,
): Promise<TraceEnd> {
  const word = normal(text);
  const member = findMember(members, word, network);
  if (member !== undefined) return endAt(member);
  // Without a colon it is no address, so it must be a name.
  if (!word.includes(':')) return endAt(memberCalled(members, word, network));
  const { cache } = agent.reconciler;
  const guest = isMac(word)
    ? { mac: word as Mac, ipv6: ipv6Of(cache, network, word as Mac) }
    : { mac: macOf(cache, network, word as Ipv6), ipv6: word as Ipv6 };
  if (guest.mac === undefined) throw unknownGuest(network, text);
  // The agent's own cache keeps no learnt entries of guests.
  const fresh = await agent.reconciler.fresh(new Set([guest.mac]));
  const host = carrierOf(fresh, network, members, ipv6In(network, agent.input.machine), guest.mac);
  if (host === undefined) throw unknownGuest(network, text);
  const { ipv6: memberIpv6, name, ipv4 } = host;
  const { mac, ipv6 } = guest;
  return { member: name, memberIpv6, guest: true, mac, ipv4, ...(ipv6 !== undefined && { ipv6 }) };
}

function endAt({ name, ipv6, ipv4, mac }: Member): TraceEnd {
  return { member: name, memberIpv6: ipv6, guest: false, mac, ipv6, ipv4 };
}

function isMac(text: string): boolean {
  return /^(?:[0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(text);
}

/** Normalizes the spelling of an address; a name stays as it is. @throws MESH_ADDRESS_INVALID */
function normal(text: string): string {
  if (!text.includes(':')) return text;
  return isMac(text.toLowerCase()) ? parseMac(text) : parseIpv6(text);
}

function macOf(cache: KernelTables, { bridge: { name } }: VxlanNetwork, ipv6: Ipv6): Mac | undefined {
  const bridge = cache.linkNamed(name)?.index;
  return [...cache.neighbours.values()].find(({ link, address }) => link === bridge && address === ipv6)?.mac;
}

function ipv6Of(cache: KernelTables, { bridge: { name } }: VxlanNetwork, mac: Mac): Ipv6 | undefined {
  const bridge = cache.linkNamed(name)?.index;
  const found = [...cache.neighbours.values()].find((entry) => entry.link === bridge && entry.mac === mac);
  return found?.family === 6 ? (found.address as Ipv6) : undefined;
}

/** The member whose bridge has an Ethernet address, by this node's FDB. */
function carrierOf(
  cache: KernelTables,
  { bridge: { name }, type }: VxlanNetwork,
  members: readonly Member[],
  own: Ipv6,
  mac: Mac,
): Member | undefined {
  const vxlan = cache.linkNamed(type.device)?.index;
  const bridge = cache.linkNamed(name)?.index;
  for (const { link, table, mac: other, remoteVtep } of cache.fdb.values()) {
    if (other !== mac) continue;
    if (table === 'self' && link === vxlan && remoteVtep !== undefined && isIpv4(remoteVtep)) {
      return members.find(({ ipv4 }) => ipv4 === remoteVtep);
    }
    const isPort = table === 'master' && link !== vxlan && cache.links.get(link)?.master === bridge;
    if (isPort) return members.find(({ ipv6 }) => ipv6 === own);
  }
  return undefined;
}

function unknownGuest(network: VxlanNetwork, text: string): MeshError {
  return new MeshError('MESH_OBJECT_UNKNOWN', `this node has seen no packet of ${text} in ${network.name}`, {
    object: text,
    rule: 'A guest is known for five minutes to the nodes that it has exchanged packets with.',
    remedy: 'Ping it first, or ask on the node that it is plugged into.',
  });
}
