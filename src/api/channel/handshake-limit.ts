/**
 * How many handshakes host0 makes: each costs its main thread most of a millisecond. Members and strangers have rates of their
 * own, and each address has one. An address of a member cannot be forged, since host0's kernel sends the answers to the member.
 */

/** Tokens that come back at a rate. */
interface Bucket {
  tokens: number;
  atMs: number;
}

/** Handshakes per second, and how many may come at once. */
interface Rate {
  readonly perSec: number;
  readonly burst: number;
}

/** All nodes of a large cluster connect again within three seconds after host0's restart. */
const MEMBERS: Rate = { perSec: 300, burst: 300 };
/** Machines that boot and are no members yet. */
const STRANGERS: Rate = { perSec: 30, burst: 60 };
/** A node asks once in three seconds at most, and may ask in several meshes. */
const ADDRESS: Rate = { perSec: 1, burst: 6 };
/** Strangers can make up addresses. */
const ADDRESSES_MAX = 4_096;

/** Says which connections may begin a handshake. */
export class HandshakeLimit {
  readonly #members: Bucket = { tokens: MEMBERS.burst, atMs: 0 };
  readonly #strangers: Bucket = { tokens: STRANGERS.burst, atMs: 0 };
  /** The addresses, the one that was quiet for longest first. */
  readonly #addresses = new Map<string, Bucket>();

  /** @returns false when the connection of this address must be closed */
  allows(address: string, isMember: boolean, nowMs: number): boolean {
    const bucket = this.#addresses.get(address) ?? { tokens: ADDRESS.burst, atMs: nowMs };
    this.#addresses.delete(address);
    this.#addresses.set(address, bucket);
    const oldest = this.#addresses.keys().next().value;
    if (this.#addresses.size > ADDRESSES_MAX && oldest !== undefined) this.#addresses.delete(oldest);
    if (!take(bucket, ADDRESS, nowMs)) return false;
    return isMember ? take(this.#members, MEMBERS, nowMs) : take(this.#strangers, STRANGERS, nowMs);
  }
}

function take(bucket: Bucket, { perSec, burst }: Rate, nowMs: number): boolean {
  bucket.tokens = Math.min(burst, bucket.tokens + ((nowMs - bucket.atMs) * perSec) / 1000);
  bucket.atMs = nowMs;
  if (bucket.tokens < 1) return false;
  bucket.tokens--;
  return true;
}
