/**
 * The assigned peers of a node's networks, as the node itself has them: without the node, and for a while with peers that host0 has
 * forgotten.
 *
 * A host0 whose store was restored from a backup does not know yet who holds a network. The nodes say so within seconds, one after
 * another. Until then the first of them would take the others for strangers, and drop their packets. So under another epoch, a peer
 * that is no longer named stays for a while.
 */
import type { Alarm, Clock } from '../../model/clock.ts';
import type { MachineWord } from '../../model/machine.ts';
import type { NetworkId } from '../../model/network/number.ts';
import type { AssignedPeer, NodeAttachment } from '../../protocol/documents/node-assignment.ts';
import type { AssignedObjects } from './assigned-objects.ts';

/** A node opens its channel within three seconds, or within twelve where host0 still waits for an earlier channel of the node. */
export const FORGOTTEN_PEERS_MS = 30_000;

/** What the peers need. */
export interface OwnPeersInput {
  readonly machine: MachineWord;
  readonly clock: Clock;
  /** Is called when forgotten peers are peers no more. */
  readonly onForgotten: () => void;
}

/** Derives the attachments of one node. */
export class OwnPeers {
  readonly #input: OwnPeersInput;
  /** By the attachment as host0 gave it. */
  #own = new WeakMap<NodeAttachment, NodeAttachment>();
  #forgotten: ReadonlyMap<NetworkId, readonly AssignedPeer[]> = new Map();
  #alarm: Alarm | undefined;

  constructor(input: OwnPeersInput) {
    this.#input = input;
  }

  /** The attachment for this node. The same object until it changes. */
  of(attachment: NodeAttachment): NodeAttachment {
    const { network, peers } = attachment;
    if (peers.kind !== 'assigned') return attachment;
    const known = this.#own.get(attachment);
    if (known !== undefined) return known;
    const others = peers.peers.filter(({ machine }) => machine !== this.#input.machine);
    const all = [...others, ...unnamed(this.#forgotten.get(network.id), others)];
    const own: NodeAttachment = { ...attachment, peers: { kind: 'assigned', peers: all } };
    this.#own.set(attachment, own);
    return own;
  }

  /** Must be called with what the node had before an assignment, and with what it has now. */
  taken(before: AssignedObjects, now: AssignedObjects): void {
    if (before.version === undefined) return;
    const isSameEpoch = before.version.epoch === now.version?.epoch;
    const forgotten = new Map<NetworkId, readonly AssignedPeer[]>();
    for (const [id, { attachment }] of now.networks) {
      const was = before.networks.get(id)?.attachment;
      const had = isSameEpoch ? this.#forgotten.get(id) : was && peersOf(this.of(was));
      const lost = unnamed(had, peersOf(attachment));
      if (attachment.peers.kind === 'assigned' && lost.length > 0) forgotten.set(id, lost);
    }
    if (forgotten.size === 0 && this.#forgotten.size === 0) return;
    this.#forgotten = forgotten;
    this.#own = new WeakMap();
    if (isSameEpoch) return;
    this.close();
    this.#alarm = this.#input.clock.after(FORGOTTEN_PEERS_MS, () => {
      this.#forgotten = new Map();
      this.#own = new WeakMap();
      this.#input.onForgotten();
    });
  }

  close(): void {
    this.#alarm?.cancel();
  }
}

function peersOf({ peers }: NodeAttachment): readonly AssignedPeer[] {
  return peers.kind === 'assigned' ? peers.peers : [];
}

/** Those of `peers` that are not among the others. */
function unnamed(peers: readonly AssignedPeer[] = [], others: readonly AssignedPeer[]): AssignedPeer[] {
  const named = new Set(others.map(({ machine }) => machine));
  return peers.filter(({ machine }) => !named.has(machine));
}
