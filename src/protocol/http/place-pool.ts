/**
 * The places of an endpoint for one kind of peers, and which of them is taken back when there are too few.
 *
 * A newcomer always gets a place; an older connection is closed for it. It is one of the underlay address (or the port)
 * with the most places; of these, one of the Ethernet address with the most; of these, one of the IP address with the
 * most; of these, one without a request under way; of these, the oldest. A machine can choose its IP addresses, and often
 * its Ethernet addresses, but not the place in the network that its frames come from.
 */
import type { Mac } from '../../model/address/mac.ts';
import type { Clock } from '../../model/clock.ts';
import type { Place } from './place.ts';

/** How many connections there may be. */
export interface PlaceLimits {
  readonly connections: number;
  /** One more closes another of the same peer, so that a peer is not locked out by its own dead connections. */
  readonly connectionsPerPeer: number;
}

/** Where the frames of a peer come from, as far as this machine's kernel knows. */
export interface Origin {
  readonly mac?: Mac;
  /** The underlay address, or the device of this machine, that the peer is behind. */
  readonly behind?: string;
}

/** What a pool works with. */
export interface PlacePoolInput {
  readonly limits: PlaceLimits;
  readonly clock: Clock;
  /** The origin of a peer by its IP address. Absent: peers are told apart by their IP addresses alone. */
  readonly originOf?: ((peer: string) => Promise<Origin>) | undefined;
}

/** The connections that have something in common. */
interface Share {
  count: number;
}

/** The connections of one IP address, which are counted in the shares of its origin. */
interface Peer {
  readonly address: string;
  readonly places: Set<Place>;
  origin: Origin | undefined;
  behind: Share;
  mac: Share;
}

/** A machine that joins has one or two connections; one with more than this need not be waited for. */
const FAIR_SHARE = 16;
/** As long as no connection is idle, this many times more are kept: hundreds of nodes may start in one moment. */
const BURST = 4;
/** Origins are looked up when this part of the places is taken: each look-up is a question to the kernel. */
const LOOK_FROM = 1 / 4;
/** A pool that was full counts as full for this long, so that the finding does not flicker. */
const FULL_MS = 60_000;
/** How often the greatest share is determined, so that the text of the finding does not change all the time. */
const GREATEST_MS = 10_000;

/** Gives places, and takes some back. */
export class PlacePool {
  readonly #input: PlacePoolInput;
  /** In the order of their age. */
  readonly #places = new Set<Place>();
  readonly #peers = new Map<string, Peer>();
  readonly #shares = new Map<string, Share>();
  /** The peers whose origin is to be looked up. */
  readonly #unknown = new Set<Peer>();
  #isLooking = false;
  #takenBackMs = Number.NEGATIVE_INFINITY;
  #greatest: { readonly text: string; readonly atMs: number } | undefined;

  constructor(input: PlacePoolInput) {
    this.#input = input;
  }

  get size(): number {
    return this.#places.size;
  }

  get limit(): number {
    return this.#input.limits.connections;
  }

  /** All places, the oldest first. */
  get places(): Iterable<Place> {
    return this.#places;
  }

  /** Whether all places are taken, or one had to be taken back within the last minute. */
  get isFull(): boolean {
    return this.size >= this.limit || this.#input.clock.nowMs() - this.#takenBackMs < FULL_MS;
  }

  /** Gives a place, and closes another connection if there are too many. */
  give(place: Place): void {
    const { limits } = this.#input;
    const peer = this.#peers.get(place.peer) ?? this.#newPeer(place.peer);
    peer.places.add(place);
    this.#places.add(place);
    count(peer, 1);
    if (peer.places.size > limits.connectionsPerPeer) this.#end(this.#firstToGo(peer.places, place));
    while (this.size > limits.connections && this.#makeRoom(place));
    if (this.size > limits.connections * LOOK_FROM) void this.#lookUp();
  }

  /** Must be called when a connection is closed. */
  leave(place: Place): void {
    const peer = this.#peers.get(place.peer);
    if (peer === undefined || !this.#places.delete(place)) return;
    peer.places.delete(place);
    count(peer, -1);
    if (peer.places.size === 0) this.#forget(peer);
  }

  /** Who has the most connections, in words. The same words for ten seconds. */
  get greatest(): string {
    const nowMs = this.#input.clock.nowMs();
    if (this.#greatest === undefined || nowMs - this.#greatest.atMs >= GREATEST_MS) {
      this.#greatest = { text: this.#describeGreatest(), atMs: nowMs };
    }
    return this.#greatest.text;
  }

  /** @returns false when all connections shall stay for now */
  #makeRoom(newcomer: Place): boolean {
    const nowMs = this.#input.clock.nowMs();
    const place = this.#firstToGo(this.#places, newcomer);
    const peer = place && this.#peers.get(place.peer);
    if (place === undefined || peer === undefined) return false;
    const isBurst = this.size <= this.limit * BURST;
    if (isBurst && peer.behind.count <= FAIR_SHARE && !place.isIdle(nowMs)) return false;
    this.#takenBackMs = nowMs;
    this.#end(place);
    return true;
  }

  #firstToGo(places: Iterable<Place>, newcomer: Place): Place | undefined {
    const nowMs = this.#input.clock.nowMs();
    let first: { readonly place: Place; readonly peer: Peer; readonly isIdle: boolean } | undefined;
    for (const place of places) {
      const peer = this.#peers.get(place.peer);
      if (place === newcomer || peer === undefined) continue;
      const isIdle = place.isIdle(nowMs);
      const lead =
        first === undefined ||
        peer.behind.count - first.peer.behind.count ||
        peer.mac.count - first.peer.mac.count ||
        peer.places.size - first.peer.places.size ||
        Number(isIdle) - Number(first.isIdle);
      if (lead === true || lead > 0) first = { place, peer, isIdle };
    }
    return first?.place;
  }

  #end(place: Place | undefined): void {
    if (place === undefined) return;
    this.leave(place);
    place.socket.destroy();
  }

  #newPeer(address: string): Peer {
    // Until its origin is known, nothing says that it has anything in common with others.
    const peer: Peer = { address, places: new Set(), origin: undefined, behind: { count: 0 }, mac: { count: 0 } };
    this.#peers.set(address, peer);
    this.#unknown.add(peer);
    return peer;
  }

  #forget(peer: Peer): void {
    const { address, origin } = peer;
    this.#peers.delete(address);
    this.#unknown.delete(peer);
    for (const key of keysOf(address, origin)) if (this.#shares.get(key)?.count === 0) this.#shares.delete(key);
  }

  /** Looks up the unknown origins, one after the other, also those of peers that come meanwhile. */
  async #lookUp(): Promise<void> {
    const { originOf } = this.#input;
    if (this.#isLooking || originOf === undefined) return;
    this.#isLooking = true;
    for (const peer of this.#unknown) {
      this.#unknown.delete(peer);
      const origin = await originOf(peer.address).catch(() => ({}));
      if (this.#peers.get(peer.address) === peer) this.#setOrigin(peer, origin);
    }
    this.#isLooking = false;
  }

  #setOrigin(peer: Peer, origin: Origin): void {
    count(peer, -peer.places.size);
    const [behind, mac] = keysOf(peer.address, origin);
    peer.origin = origin;
    peer.behind = this.#share(behind);
    peer.mac = this.#share(mac);
    count(peer, peer.places.size);
  }

  #share(key: string): Share {
    const share = this.#shares.get(key) ?? { count: 0 };
    this.#shares.set(key, share);
    return share;
  }

  #describeGreatest(): string {
    let peer: Peer | undefined;
    for (const other of this.#peers.values()) {
      const isMore = peer === undefined || other.behind.count > peer.behind.count;
      if (isMore || (other.behind === peer?.behind && other.mac.count > peer.mac.count)) peer = other;
    }
    if (peer === undefined) return 'nobody now';
    const { mac, behind } = peer.origin ?? {};
    const isMost = mac !== undefined && peer.mac.count > peer.behind.count / 2;
    if (behind === undefined) return mac ?? peer.address;
    return `${isMost ? mac : 'several Ethernet addresses'} behind ${behind}`;
  }
}

function count(peer: Peer, places: number): void {
  peer.behind.count += places;
  peer.mac.count += places;
}

/** The keys of the two shares of a peer. Where a part of the origin is unknown, the next finer one stands for it. */
function keysOf(address: string, { mac, behind }: Origin = {}): readonly [string, string] {
  const own = mac === undefined ? `peer ${address}` : `mac ${mac}`;
  return [behind === undefined ? `behind ${own}` : `behind ${behind}`, own];
}
