/** Who follows one mesh's members: each is told what it has missed, or all that is so now, and then every change. */

import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Clock } from '../../model/clock.ts';
import type { MembershipEvent } from '../../protocol/documents/membership.ts';
import { CoalescingBroadcaster } from './coalescing-broadcaster.ts';
import type { MembershipChange } from './membership-log.ts';

type Snapshot = Extract<MembershipEvent, { type: 'snapshot' }>;
type Listener = (event: MembershipEvent) => void;

export interface SubscribersInput {
  readonly clock: Clock;
  /** What is so now, with host0's address as somebody at `viewer` sees it. */
  readonly snapshot: (viewer: Ipv4 | undefined) => Snapshot;
  /** host0's address as somebody at `viewer` sees it: whoever sees the same one sees the same snapshot. */
  readonly host0AddressFor: (viewer: Ipv4 | undefined) => Ipv4;
  readonly revision: () => number;
  /** host0's own kernel is told before everybody: it is their way in. */
  readonly first: (change: MembershipChange) => void;
}

interface Follower {
  readonly viewer: Ipv4 | undefined;
  readonly listener: Listener;
  /** What it was told when it began: of changes that were waiting to be announced, it knows these. */
  since: number;
}

export class Subscribers {
  readonly #input: SubscribersInput;
  readonly #followers = new Set<Follower>();
  readonly #broadcaster: CoalescingBroadcaster<MembershipChange>;
  /** By host0's address: a thousand that come in one moment get one, which is put into words once. */
  readonly #snapshots = new Map<Ipv4, Snapshot>();

  constructor(input: SubscribersInput) {
    this.#input = input;
    this.#broadcaster = new CoalescingBroadcaster(input.clock, (changes) => this.#announce(changes));
  }

  get size(): number {
    return this.#followers.size;
  }

  /** @param missed undefined when that is not known */
  follow(viewer: Ipv4 | undefined, missed: readonly MembershipChange[] | undefined, listener: Listener): () => void {
    for (const event of missed ?? [this.#snapshotFor(viewer)]) listener(event);
    const follower = { viewer, listener, since: this.#input.revision() };
    this.#followers.add(follower);
    return () => this.#followers.delete(follower);
  }

  /** Tells a change, at once or with others that come in the same moment. */
  tell(change: MembershipChange): void {
    this.#broadcaster.add(change);
  }

  /** More than single members may be different. */
  tellAll(): void {
    this.#snapshots.clear();
    for (const follower of this.#followers) {
      follower.since = this.#input.revision();
      follower.listener(this.#snapshotFor(follower.viewer));
    }
  }

  close(): void {
    this.#broadcaster.close();
    this.#followers.clear();
  }

  #snapshotFor(viewer: Ipv4 | undefined): Snapshot {
    const host0 = this.#input.host0AddressFor(viewer);
    const known = this.#snapshots.get(host0);
    if (known?.version.revision === this.#input.revision()) return known;
    const snapshot = this.#input.snapshot(viewer);
    this.#snapshots.set(host0, snapshot);
    return snapshot;
  }

  #announce(changes: readonly MembershipChange[]): void {
    for (const change of changes) this.#input.first(change);
    for (const { listener, since } of this.#followers) {
      for (const change of changes) if (change.version.revision > since) listener(change);
    }
  }
}
