/** Networks of the type `vxlan`: a bridge with a VXLAN device as its port to the other nodes. */
import type { Ipv4 } from '../../../model/address/ipv4.ts';
import { type MemberAddresses, memberAddresses } from '../../../model/network/member.ts';
import { type Network, VXLAN_PORT } from '../../../model/network/network.ts';
import { MEMBERS_MAX } from '../../../protocol/documents/membership.ts';
import type { Item } from '../../items/item.ts';
import { OUR_CONF } from '../../items/link.ts';
import { aliasOf, OUR_LINK_GROUP } from '../../items/mark.ts';
import { ownGuard } from '../address-guard.ts';
import type { Attachment } from '../assignment.ts';
import type { NodeContext } from '../node-context.ts';
import type { Part } from '../part.ts';
import { membershipParts } from '../peers/membership.ts';

/**
 * FDB entries that one network learns on one node: three guests beside each member of the largest mesh. A sender that
 * makes up Ethernet addresses leaves 12,288 entries in each table, 6 MB of the kernel's memory, and not 200,000.
 */
export const LEARNED_MAX = 3 * MEMBERS_MAX;
/** A VXLAN has one limit for learnt entries and ours: one for each member, for host0, and the flood entry. */
const ENTRIES_MAX = LEARNED_MAX + MEMBERS_MAX + 2;

/** The parts of a network of this type. */
export function vxlanParts(attachment: Attachment, node: NodeContext): Part[] {
  const { network } = attachment;
  const { local, machine } = node;
  const own = memberAddresses(network, machine);
  return [
    { key: 'links', inputs: [network, local], build: () => ({ items: linkItems(network, own, local) }) },
    {
      key: 'addresses',
      inputs: [network],
      build: () => ({ items: addressItems(network, own), elements: ownGuard(network, own) }),
    },
    ...membershipParts(attachment, own, node),
  ];
}

/** This node's two addresses on the bridge: the one in the mesh's prefix and the link-local one. */
export function addressItems({ id: network, devices }: Network, { ipv6, linkLocal }: MemberAddresses): Item[] {
  return [ipv6, linkLocal].map((address) => ({ kind: 'address', network, link: devices.bridge, address, length: 64 }));
}

/**
 * The bridge and the VXLAN device of a mesh.
 * @param local source address of this node's VXLAN packets; undefined where the kernel chooses it for each packet
 */
export function linkItems(network: Network, own: MemberAddresses, local: Ipv4 | undefined): Item[] {
  const { devices, fabric, id } = network;
  const common = {
    kind: 'link',
    network: id,
    mtuBytes: fabric.mtuBytes,
    up: true,
    group: OUR_LINK_GROUP,
    addressMode: 'none',
    conf: OUR_CONF,
  } as const;
  return [
    {
      ...common,
      device: 'bridge',
      name: devices.bridge,
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
      name: devices.vxlan,
      mac: own.vtepMac,
      master: devices.bridge,
      alias: aliasOf('vxlan', id),
      vxlan: {
        vni: fabric.vni,
        udpPort: VXLAN_PORT,
        ...(local !== undefined && { local }),
        // By learning, host0 finds a node that it does not know yet, and every node finds guests on members' bridges.
        learning: true,
        df: 'inherit',
        entriesMax: ENTRIES_MAX,
      },
    },
  ];
}
