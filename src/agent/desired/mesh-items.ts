/** The items of a mesh on a node: its two links, this node's addresses, and the entries of each other member. Pure. */
import type { Ipv4 } from '../../model/address/ipv4.ts';
import { FLOOD_MAC } from '../../model/address/mac.ts';
import type { Member, MemberAddresses } from '../../model/network/member.ts';
import type { Mesh } from '../../model/network/mesh.ts';
import { MEMBERS_MAX } from '../../protocol/documents/membership.ts';
import type { Item } from '../items/item.ts';
import { OUR_CONF } from '../items/link.ts';
import { aliasOf, OUR_LINK_GROUP } from '../items/mark.ts';
import type { Host0Stance } from './assignment.ts';

/**
 * FDB entries that one network learns on one node: three guests beside each member of the largest mesh. A sender that
 * makes up Ethernet addresses leaves 12,288 entries in each table, 6 MB of the kernel's memory, and not 200,000.
 */
export const LEARNED_MAX = 3 * MEMBERS_MAX;
/** A VXLAN has one limit for learnt entries and ours: one for each member, for host0, and the flood entry. */
const ENTRIES_MAX = LEARNED_MAX + MEMBERS_MAX + 2;

/** This node's two addresses on the bridge: the one in the mesh's prefix and the link-local one. */
export function addressItems({ id: network, bridge }: Mesh, { ipv6, linkLocal }: MemberAddresses): Item[] {
  return [ipv6, linkLocal].map((address) => ({ kind: 'address', network, link: bridge.name, address, length: 64 }));
}

/**
 * The bridge and the VXLAN device of a mesh.
 * @param local source address of this node's VXLAN packets; undefined where the kernel chooses it for each packet
 */
export function linkItems(network: Mesh, own: MemberAddresses, local: Ipv4 | undefined): Item[] {
  const { bridge, type, mtuBytes, id } = network;
  const common = {
    kind: 'link',
    network: id,
    mtuBytes,
    up: true,
    group: OUR_LINK_GROUP,
    addressMode: 'none',
    conf: OUR_CONF,
  } as const;
  return [
    {
      ...common,
      device: 'bridge',
      name: bridge.name,
      mac: own.bridgeMac,
      master: '',
      alias: aliasOf('bridge', id),
      learnedMax: LEARNED_MAX,
      // An LLDP frame with the Ethernet address of a member would move the member's entry, past all our rules.
      learnsLinkLocal: false,
    },
    {
      ...common,
      device: 'vxlan',
      name: type.device,
      mac: own.vtepMac,
      master: bridge.name,
      alias: aliasOf('vxlan', id),
      vxlan: {
        vni: type.vni,
        udpPort: type.udpPort,
        ...(local !== undefined && { local }),
        // By learning, host0 finds a node that it does not know yet, and every node finds guests on members' bridges.
        learning: type.learning,
        df: 'inherit',
        entriesMax: ENTRIES_MAX,
      },
    },
  ];
}

/**
 * The four entries of another member; three without the neighbour entry.
 * @param neighbour false while the kernel must ask for the member's Ethernet address
 */
export function memberItems(network: Mesh, member: Member, role: Host0Stance['role'], neighbour: boolean): Item[] {
  const { id, bridge, type } = network;
  const entry = { kind: 'fdb', network: id, link: type.device, marked: true } as const;
  const { ipv4: remoteVtep, mac } = member;
  const self = role === 'host0' ? 'dynamic' : 'permanent';
  const items: Item[] = [
    { ...entry, table: 'self', mac, remoteVtep, state: self },
    // In the bridge's table, an entry with our mark can only be dynamic. It does not age.
    { ...entry, table: 'master', mac, state: 'dynamic' },
    { ...entry, table: 'self', mac: FLOOD_MAC, remoteVtep, state: 'permanent' },
  ];
  if (neighbour) items.push({ kind: 'neighbour', network: id, link: bridge.name, address: member.ipv6, mac });
  return items;
}
