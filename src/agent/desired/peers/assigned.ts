/** Peers by assignment: host0 names the nodes that hold the network, and what it knows of their ports. */
import type { Ip } from '../../../kernel/ip.ts';
import { FLOOD_MAC, type Mac } from '../../../model/address/mac.ts';
import { nodeAddresses } from '../../../model/network/node-addresses.ts';
import type { AssignedPeer, AttachmentPeers } from '../../../protocol/documents/node-assignment.ts';
import type { Item } from '../../items/item.ts';
import type { Part } from '../part.ts';
import { guardOf } from '../rules/address-guard.ts';
import { sourceElement } from './sources.ts';
import type { VxlanContext } from './vxlan-context.ts';

/** The parts of the peers. */
export function assignedParts(context: VxlanContext, list: AttachmentPeers): Part[] {
  const peers = list.kind === 'assigned' ? list.peers : [];
  const { network, type, node, guests } = context;
  return [
    {
      // Under other device names, all entries are others.
      key: `peers of ${type.device} on ${network.bridge.name}`,
      inputs: [peers, node, [...guests].join(' ')],
      build: () => ({
        parts: peers
          .filter(({ machine }) => machine !== node.machine)
          .map((peer) => peerPart(context, withoutGuests(peer, guests))),
      }),
    },
  ];
}

/** The peer without guests that are here: a guest that moves is on both nodes for a moment, and each has the guest's own tap. */
function withoutGuests(peer: AssignedPeer, here: ReadonlySet<Mac>): AssignedPeer {
  const { macs, neighbours = [] } = peer;
  if (!macs.some((mac) => here.has(mac))) return peer;
  const isElsewhere = (mac: Mac) => !here.has(mac);
  return { ...peer, macs: macs.filter(isElsewhere), neighbours: neighbours.filter(({ mac }) => isElsewhere(mac)) };
}

function peerPart(context: VxlanContext, peer: AssignedPeer): Part {
  const { network, own } = context;
  const { macs, neighbours = [] } = peer;
  return {
    key: peer.machine,
    inputs: [peer],
    build: () => {
      const { bridgeMac, linkLocal } = nodeAddresses(network, peer.machine);
      const isShared = bridgeMac === own.bridgeMac;
      const link = network.bridge.name;
      const neighbour = { kind: 'neighbour', network: network.id, link, address: linkLocal, mac: bridgeMac } as const;
      return {
        items: [
          // Where all bridges have one address, each node answers for it itself.
          ...vtepItems(context, peer.underlay, isShared ? macs : [bridgeMac, ...macs]),
          ...(isShared ? [] : [neighbour]),
          // The kernel answers guests of this node for these addresses (neigh_suppress), so that no request is flooded.
          ...neighbours.map(({ address, mac }) => ({ ...neighbour, address, mac })),
        ],
        elements: [sourceElement(network, peer.underlay), ...guardOf(network, [bridgeMac, ...macs], [linkLocal])],
      };
    },
  };
}

/** The FDB entries that lead to a remote VTEP: a flood entry, and two for each Ethernet address behind the VTEP. */
function vtepItems({ network, type }: VxlanContext, remoteVtep: Ip, macs: readonly Mac[]): Item[] {
  const entry = { kind: 'fdb', network: network.id, link: type.device, marked: true } as const;
  return [
    ...macs.flatMap((mac): Item[] => [
      { ...entry, table: 'self', mac, remoteVtep, state: 'permanent' },
      // In the bridge's table, an entry with our mark can only be dynamic. It does not age.
      { ...entry, table: 'master', mac, state: 'dynamic' },
    ]),
    floodItem({ network, type }, remoteVtep),
  ];
}

/** The entry by which frames for everybody go to a remote VTEP. @param udpPort where it listens, if not at the device's */
export function floodItem(
  { network, type }: Pick<VxlanContext, 'network' | 'type'>,
  remoteVtep: Ip,
  udpPort?: number,
): Item {
  const way = { remoteVtep, ...(udpPort !== undefined && { udpPort }) };
  return {
    kind: 'fdb',
    network: network.id,
    link: type.device,
    marked: true,
    table: 'self',
    mac: FLOOD_MAC,
    state: 'permanent',
    ...way,
  };
}

/** Whether the list has an address of a guest, for which the kernel can answer. */
export function knowsNeighbours(list: AttachmentPeers): boolean {
  return list.kind === 'assigned' && list.peers.some(({ neighbours = [] }) => neighbours.length > 0);
}
