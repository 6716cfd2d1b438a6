/**
 * The blocks of an address pool: they have one length, and are counted from 0. A search for a free block jumps over ranges, so that
 * a pool of 2^40 blocks of which a half is reserved costs no more than a small one. Pure.
 */
import { type IpRange, ipFromBigint, ipRange, rangeHolds, rangesOverlap } from '../../model/address/ip-range.ts';
import { MeshError } from '../../model/error.ts';
import type { AddressPool } from '../../model/ipam/address-pool.ts';
import { notABlock, outsideOfPool } from './ipam-error.ts';

/** Blocks that are given to nobody: from the first index to the last. */
export interface BlockRange {
  readonly first: number;
  readonly last: number;
}

/** Counts and names the blocks of one pool. */
export class PoolBlocks {
  readonly #pool: AddressPool;
  readonly #range: IpRange;
  readonly #blockSize: bigint;
  /** How many blocks the pool has. */
  readonly count: number;

  constructor(pool: AddressPool) {
    this.#pool = pool;
    this.#range = ipRange(pool.cidr);
    this.#blockSize = 1n << BigInt(this.#range.bits - pool.length);
    this.count = Number((this.#range.last - this.#range.first + 1n) / this.#blockSize);
  }

  /** A block as text: a subnet, or a single address. */
  at(index: number): string {
    const address = ipFromBigint(this.#range.first + BigInt(index) * this.#blockSize, this.#range.family);
    return this.#pool.kind === 'ipv4-address' ? address : `${address}/${this.#pool.length}`;
  }

  /** Whether the pool has an address of a subnet or an address. */
  touches(value: string): boolean {
    return rangesOverlap(this.#range, rangeOf(value));
  }

  /** The index of a block. @throws MESH_IPAM_OUTSIDE, MESH_IPAM_LENGTH, MESH_ADDRESS_INVALID */
  indexOf(value: string): number {
    const wanted = rangeOf(value);
    if (wanted.length !== this.#pool.length) throw notABlock(this.#pool, value);
    if (!rangeHolds(this.#range, wanted)) throw outsideOfPool(value, [this.#pool]);
    const index = Number((wanted.first - this.#range.first) / this.#blockSize);
    if (this.at(index) === value) return index;
    throw new MeshError(
      'MESH_ADDRESS_INVALID',
      `${JSON.stringify(value)} is not how a block of ${this.#pool.name} is written`,
      {
        rule: 'A subnet has no bits behind its prefix length, and an address its shortest form.',
        remedy: `Write ${this.at(index)}`,
      },
    );
  }

  /** The blocks that have an address of these subnets, in their order, without overlaps. */
  rangesIn(subnets: readonly string[]): BlockRange[] {
    const ranges = subnets
      .map(rangeOf)
      .filter((other) => rangesOverlap(this.#range, other))
      .map((other) => ({ first: this.#clamped(other.first), last: this.#clamped(other.last) }))
      .sort((a, b) => a.first - b.first);
    const joined: BlockRange[] = [];
    for (const range of ranges) {
      const before = joined.at(-1);
      if (before === undefined || range.first > before.last + 1) joined.push(range);
      else joined[joined.length - 1] = { first: before.first, last: Math.max(before.last, range.last) };
    }
    return joined;
  }

  /**
   * The first free block from `start` on, round the end of the pool.
   * @param barred as `rangesIn` gives them
   * @returns undefined if none is free
   */
  free(start: number, barred: readonly BlockRange[], isTaken: (value: string) => boolean): number | undefined {
    const from = start % this.count;
    return this.#freeIn(from, this.count - 1, barred, isTaken) ?? this.#freeIn(0, from - 1, barred, isTaken);
  }

  #freeIn(
    first: number,
    last: number,
    barred: readonly BlockRange[],
    isTaken: (value: string) => boolean,
  ): number | undefined {
    for (let index = first; index <= last; index++) {
      const range = barred.find((other) => other.first <= index && index <= other.last);
      if (range !== undefined) index = range.last;
      else if (!isTaken(this.at(index))) return index;
    }
    return undefined;
  }

  #clamped(address: bigint): number {
    const offset = address - this.#range.first;
    const index = offset < 0n ? 0n : offset / this.#blockSize;
    return Math.min(Number(index), this.count - 1);
  }
}

/** A single address counts as a subnet of one address. @throws MESH_ADDRESS_INVALID */
export function rangeOf(value: string): IpRange {
  if (value.includes('/')) return ipRange(value);
  return ipRange(value.includes(':') ? `${value}/128` : `${value}/32`);
}
