/** The numbers of networks. A number is a network's key in the store and, unless given otherwise, its VNI and multicast group. */
import type { Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import { DEFAULT_NUMBER_RULES, type NumberRules } from '../../model/network/number.ts';
import * as form from '../../protocol/shapes/form.ts';
import { TimeShape } from '../../protocol/shapes/parts.ts';
import type { Store } from '../../store/store.ts';
import { type Grant, Pool, type PoolMove, poolRecords } from './pool.ts';

/** More networks than are made between two backups. */
const LEAP = 0x100;

const POOL = 'numbers';

/** A number that is given, or that rests before it is given again. */
interface NumberGrant extends Grant {
  /** Present while nothing uses the number: until when it rests, ISO 8601. */
  readonly restsUntil?: string;
}

const NumberGrantShape: form.Shape<NumberGrant> = form.object({
  value: form.string({ max: 64 }),
  owner: form.string({ max: 256 }),
  restsUntil: form.exactOptional(TimeShape),
});

/** Which numbers are allocated, and the time by which they rest. */
export interface NumberPoolOptions {
  readonly rules?: NumberRules;
  /** Absent: numbers do not rest. */
  readonly clock?: Pick<Clock, 'wallTime'>;
}

/** Records of numbers that have rested for long are removed with others, so many at a time. */
const PRUNED_AT_ONCE = 2;

/** Allocates numbers; a number that was given back is the last to be given again, and rests before. */
export class NumberPool {
  readonly #pool: Pool<NumberGrant>;
  readonly #rules: NumberRules;
  readonly #clock: Pick<Clock, 'wallTime'> | undefined;

  private constructor(pool: Pool<NumberGrant>, { rules = DEFAULT_NUMBER_RULES, clock }: NumberPoolOptions) {
    this.#pool = pool;
    this.#rules = rules;
    this.#clock = clock;
  }

  /** Reads which numbers are taken. @throws MESH_STORE_BROKEN */
  static async open(store: Store, options: NumberPoolOptions = {}): Promise<NumberPool> {
    const records = poolRecords<NumberGrant>(POOL, ({ value }) => value, NumberGrantShape);
    const first = (options.rules ?? DEFAULT_NUMBER_RULES).ranges[0]?.first ?? 1;
    return new NumberPool(await Pool.open({ store, name: POOL, form: records, first, leap: LEAP }), options);
  }

  /** Who has a number; undefined if it was not taken from the pool, or rests. */
  ownerOf(number: number): string | undefined {
    const grant = this.#pool.of(hexOf(number));
    return grant?.restsUntil === undefined ? grant?.owner : undefined;
  }

  /**
   * The next free number that does not rest.
   * @param owner what uses the number, for people
   * @param isFree whether nothing outside of the pool uses the number, or devices that would have its name
   * @throws MESH_NET_NUMBERS_EXHAUSTED
   */
  allocate(owner: string, isFree: (number: number) => boolean): { readonly number: number; readonly move: PoolMove } {
    const start = this.#inRange(this.#pool.next);
    let number = start;
    do {
      if (number !== undefined && this.ownerOf(number) === undefined && !this.#rests(number) && isFree(number)) {
        return { number, move: this.#taken(number, owner, this.#inRange(number + 1) ?? number) };
      }
      number = this.#inRange((number ?? 0) + 1);
    } while (number !== start);
    throw new MeshError('MESH_NET_NUMBERS_EXHAUSTED', 'all numbers of networks are taken, or rest', {
      operation: 'allocate a number',
      object: owner,
      rule: `A number that was given back rests for ${this.#rules.restSec} s.`,
      remedy: 'Delete networks that are not needed (`mesh network list`), or change network_numbers in host0.conf',
    });
  }

  /** Takes a number that was given by hand, also one that rests. @throws MESH_NET_NUMBER_TWICE */
  take(number: number, owner: string): PoolMove {
    const other = this.ownerOf(number);
    if (other === undefined) return this.#taken(number, owner);
    throw new MeshError('MESH_NET_NUMBER_TWICE', `number 0x${hexOf(number)} is taken by ${other}`, {
      operation: 'take a number',
      object: owner,
      rule: 'Each network has a number of its own.',
      remedy: 'Give another number, or none: host0 allocates one',
    });
  }

  /** All numbers that are taken. */
  get taken(): readonly number[] {
    const taken = this.#pool.grants.filter(({ restsUntil }) => restsUntil === undefined);
    return taken.map(({ value }) => Number.parseInt(value, 16));
  }

  /** Whether no number was ever taken when the pool was opened: the store is new. */
  get isNew(): boolean {
    return this.#pool.isNew;
  }

  /** Moves on, past numbers that the store may have given out and lost. */
  leap(): PoolMove {
    return this.#pool.leap(this.#pool.next + LEAP);
  }

  /** Gives a number back, to rest. */
  give(number: number): PoolMove {
    const value = hexOf(number);
    const nowMs = this.#clock?.wallTime().getTime();
    if (nowMs === undefined || this.#rules.restSec === 0) return this.#pool.give(value);
    const restsUntil = new Date(nowMs + this.#rules.restSec * 1_000).toISOString();
    const moves = [
      this.#pool.rewrite({ value, owner: this.#pool.of(value)?.owner ?? '', restsUntil }),
      ...this.#rested(nowMs).map((rested) => this.#pool.give(rested)),
    ];
    return {
      compare: [],
      changes: moves.flatMap(({ changes }) => changes),
      done: () => {
        for (const move of moves) move.done();
      },
      undo: () => {
        for (const move of moves) move.undo();
      },
    };
  }

  #taken(number: number, owner: string, next?: number): PoolMove {
    const grant = { value: hexOf(number), owner };
    return this.#pool.of(grant.value) === undefined ? this.#pool.take(grant, next) : this.#pool.retake(grant, next);
  }

  #rests(number: number): boolean {
    const { restsUntil } = this.#pool.of(hexOf(number)) ?? {};
    const nowMs = this.#clock?.wallTime().getTime();
    if (restsUntil === undefined || nowMs === undefined) return false;
    const leftMs = Date.parse(restsUntil) - nowMs;
    // A clock that was set back must not make a number rest for years.
    return leftMs > 0 && leftMs <= this.#rules.restSec * 1_000;
  }

  /** Some numbers that have rested: nothing need be known of them any more. */
  #rested(nowMs: number): readonly string[] {
    const rested: string[] = [];
    for (const { value, restsUntil } of this.#pool.grants) {
      if (restsUntil === undefined || Date.parse(restsUntil) > nowMs) continue;
      rested.push(value);
      if (rested.length === PRUNED_AT_ONCE) break;
    }
    return rested;
  }

  /** The number itself, or the next one that may be allocated, from the beginning after the last; undefined if there is none. */
  #inRange(number: number): number | undefined {
    const { ranges } = this.#rules;
    for (const from of [number, 0]) {
      const candidates = ranges.flatMap(({ first, last }) => this.#unreserved(Math.max(first, from), last) ?? []);
      if (candidates.length > 0) return Math.min(...candidates);
    }
    return undefined;
  }

  /** The lowest number from `first` to `last` that is not reserved. */
  #unreserved(first: number, last: number): number | undefined {
    let number = first;
    for (;;) {
      const reserved = this.#rules.reserved.find((range) => number >= range.first && number <= range.last);
      if (reserved === undefined) return number <= last ? number : undefined;
      number = reserved.last + 1;
    }
  }
}

function hexOf(number: number): string {
  return number.toString(16);
}
