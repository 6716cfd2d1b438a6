/** How the VTEPs of a network know each other, by kind. A new kind is a file beside this one, and a row in the table. */
import type { VxlanDevice } from '../../../kernel/rtnl/operation.ts';
import type { Network } from '../../../model/network/network.ts';
import type { Peers } from '../../../model/network/peers/peers.ts';
import type { AttachmentPeers } from '../../../protocol/documents/node-assignment.ts';
import type { Part } from '../part.ts';
import type { Senders } from '../rules/sender-rules.ts';
import { assignedParts } from './assigned.ts';
import { explicitParts } from './explicit.ts';
import { membershipParts } from './membership.ts';
import { sendersOnLink, vxlanOfMulticast } from './multicast.ts';
import type { VxlanContext } from './vxlan-context.ts';

/** What one kind of peers adds to a VXLAN network. */
interface PeersKind<P extends Peers> {
  /** Attributes of the VXLAN device. */
  readonly device?: (peers: P) => Pick<VxlanDevice, 'group'>;
  /** Whose VXLAN packets the rules take. Absent: those of the addresses that the parts add to the set of the network. */
  readonly senders?: (context: VxlanContext) => Senders;
  /** The entries of the peers. */
  readonly parts?: (context: VxlanContext, list: AttachmentPeers, peers: P) => Part[];
}

const KINDS: { readonly [K in Peers['kind']]: PeersKind<Extract<Peers, { kind: K }>> } = {
  membership: { parts: membershipParts },
  assigned: { parts: assignedParts },
  multicast: { device: vxlanOfMulticast, senders: sendersOnLink },
  explicit: { parts: explicitParts },
};

/** The cast is sound: the table maps each kind to what makes the parts of exactly that kind. */
function kindOfPeers(peers: Peers): PeersKind<Peers> {
  return KINDS[peers.kind] as PeersKind<Peers>;
}

/** The attributes that a network's kind of peers gives to the VXLAN device. */
export function vxlanOfPeers({ peers }: Network): Pick<VxlanDevice, 'group'> {
  return peers === undefined ? {} : (kindOfPeers(peers).device?.(peers) ?? {});
}

/** The parts of a network's peers. */
export function peersParts(context: VxlanContext, list: AttachmentPeers): Part[] {
  const { peers } = context.network;
  return peers === undefined ? [] : (kindOfPeers(peers).parts?.(context, list, peers) ?? []);
}

/** Whose VXLAN packets of a network the rules take. */
export function sendersOfPeers(context: VxlanContext): Senders {
  const { peers } = context.network;
  return (peers === undefined ? undefined : kindOfPeers(peers).senders?.(context)) ?? 'listed';
}
