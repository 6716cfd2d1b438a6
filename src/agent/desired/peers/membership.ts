/** Peers by membership: host0 lists the members of a mesh, and this node has the entries of each. */
import { FLOOD_MAC } from '../../../model/address/mac.ts';
import { type Member, type MemberAddresses, memberAddresses } from '../../../model/network/member.ts';
import { isMesh, type Mesh } from '../../../model/network/mesh.ts';
import type { AttachmentPeers } from '../../../protocol/documents/node-assignment.ts';
import type { Item } from '../../items/item.ts';
import type { NodeContext } from '../node-context.ts';
import type { Part } from '../part.ts';
import { memberGuard } from '../rules/address-guard.ts';
import { sourceElement } from './sources.ts';
import type { VxlanContext } from './vxlan-context.ts';

type Members = Extract<AttachmentPeers, { kind: 'membership' }>;

/** The parts of the members, and of the senders that an earlier run of the agent knew. */
export function membershipParts({ network, node }: VxlanContext, list: AttachmentPeers): Part[] {
  if (!isMesh(network) || list.kind !== 'membership') return [];
  const { members, host0Answers, keptSources } = list;
  const { bridge, type } = network;
  const own = memberAddresses(network, node.machine);
  return [
    {
      // Under other device names, all entries are others.
      key: `members of ${type.device} on ${bridge.name}`,
      inputs: [members, host0Answers, own.ipv6, node],
      build: () => ({ parts: memberParts(network, list, own, node) }),
    },
    {
      key: 'kept sources',
      inputs: [keptSources],
      build: () => ({
        elements: node.role === 'host0' ? [] : (keptSources ?? []).map((source) => sourceElement(network, source)),
      }),
    },
  ];
}

function* memberParts(
  network: Mesh,
  { members, host0Answers }: Members,
  own: MemberAddresses,
  { role, leads, here }: NodeContext,
): Iterable<Part> {
  const host0 = memberAddresses(network, 'host0').ipv6;
  for (const member of members) {
    if (member.ipv6 === own.ipv6) continue;
    // host0 has no neighbour entry while it does not answer, so that the kernel asks for its Ethernet address.
    const solicited = member.ipv6 === host0 && !host0Answers;
    // Nothing is sent through the VXLAN to a member behind a port of this node.
    const isHere = here.has(member.ipv4);
    yield {
      key: member.ipv6,
      inputs: [member, solicited, isHere],
      build: () => {
        const items = memberItems(network, member, role === 'host0' || leads, !solicited);
        if (isHere) return { items: items.filter(({ kind }) => kind !== 'fdb') };
        // host0 takes packets from its whole segments.
        const sources = role === 'host0' ? [] : [sourceElement(network, member.ipv4)];
        // A member at an underlay address of this node polls from behind a port: it must go on sending.
        return { items, elements: [...sources, ...memberGuard(network, member)] };
      },
    };
  }
}

/**
 * The four entries of another member; three without the neighbour entry.
 * @param isHost0 the entries follow the senders, so that a node is heard whose IPv4 address has changed
 * @param neighbour false while the kernel must ask for the member's Ethernet address
 */
export function memberItems(network: Mesh, member: Member, isHost0: boolean, neighbour: boolean): Item[] {
  const { id, bridge, type } = network;
  const entry = { kind: 'fdb', network: id, link: type.device, marked: true } as const;
  const { ipv4: remoteVtep, mac } = member;
  const self = isHost0 ? 'dynamic' : 'permanent';
  const items: Item[] = [
    { ...entry, table: 'self', mac, remoteVtep, state: self },
    // In the bridge's table, an entry with our mark can only be dynamic. It does not age.
    { ...entry, table: 'master', mac, state: 'dynamic' },
    { ...entry, table: 'self', mac: FLOOD_MAC, remoteVtep, state: 'permanent' },
  ];
  if (neighbour) items.push({ kind: 'neighbour', network: id, link: bridge.name, address: member.ipv6, mac });
  return items;
}
