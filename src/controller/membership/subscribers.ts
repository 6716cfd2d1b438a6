/** The subscribers of one mesh: each gets the changes that it missed, or a snapshot, and then every change. */

import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Clock } from '../../model/clock.ts';
import type { MembershipEvent } from '../../protocol/documents/membership.ts';
import { CoalescingBroadcaster } from './coalescing-broadcaster.ts';
import type { MembershipChange } from './membership-log.ts';

type Snapshot = Extract<MembershipEvent, { type: 'snapshot' }>;
type Listener = (event: MembershipEvent) => void;

/** Where the subscribers of a mesh get their events from. */
export interface SubscribersInput {
  readonly clock: Clock;
  /** All members now, with the address of host0 that a node at `viewer` can reach. */
  readonly snapshot: (viewer: Ipv4 | undefined) => Snapshot;
  /** host0's address that a node at `viewer` can reach. Subscribers with the same one share a snapshot. */
  readonly host0AddressFor: (viewer: Ipv4 | undefined) => Ipv4;
  /** The present revision of the mesh. */
  readonly revision: () => number;
  /**
   * Called with each change before the subscribers: host0's own kernel must know a member before others reach it
   * through host0.
   */
  readonly first: (change: MembershipChange) => void;
}

interface Follower {
  readonly viewer: Ipv4 | undefined;
  readonly listener: Listener;
  /** The revision up to which the follower knows all changes, including those that still wait for their announcement. */
  since: number;
}

/** Holds the subscriptions of one mesh, and sends changes to them. */
export class Subscribers {
  readonly #input: SubscribersInput;
  readonly #followers = new Set<Follower>();
  readonly #broadcaster: CoalescingBroadcaster<MembershipChange>;
  /** By host0's address. A thousand subscribers that come in one moment share one snapshot, whose JSON is made once. */
  readonly #snapshots = new Map<Ipv4, Snapshot>();

  constructor(input: SubscribersInput) {
    this.#input = input;
    this.#broadcaster = new CoalescingBroadcaster(input.clock, (changes) => this.#announce(changes));
  }

  get size(): number {
    return this.#followers.size;
  }

  /**
   * Begins a subscription with the changes in `missed`, or with a snapshot.
   * @param missed the changes that the listener has not seen; undefined when host0 does not remember them
   * @returns a function that ends the subscription
   */
  follow(viewer: Ipv4 | undefined, missed: readonly MembershipChange[] | undefined, listener: Listener): () => void {
    for (const event of missed ?? [this.#snapshotFor(viewer)]) listener(event);
    const follower = { viewer, listener, since: this.#input.revision() };
    this.#followers.add(follower);
    return () => this.#followers.delete(follower);
  }

  /** Announces a change, at once or together with others of the same moment. */
  tell(change: MembershipChange): void {
    this.#broadcaster.add(change);
  }

  /** Sends a new snapshot to all subscribers: more than single members may be different. */
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
