/** The numbers of networks. A number is a network's key in the store and, unless given otherwise, its VNI and multicast group. */
import { MeshError } from '../../model/error.ts';
import type { Store } from '../../store/store.ts';
import { type Grant, GrantShape, Pool, type PoolMove, poolRecords } from './pool.ts';

/** The first number that is allocated: the groups below `ff05::1000` are those of well-known services. */
export const FIRST_ALLOCATED_NUMBER = 0x1000;
/** Numbers have 24 bits, as VNIs have. */
const LAST_NUMBER = 0xffffff;
/** The groups from `ff05::1:0` to `ff05::1:ffff` are those of well-known services, too. */
const LEFT_OUT = { first: 0x10000, last: 0x1ffff };
/** More networks than are made between two backups. */
const LEAP = 0x100;

const POOL = 'numbers';

/** Allocates numbers; a number that was given back is the last to be given again. */
export class NumberPool {
  readonly #pool: Pool<Grant>;

  private constructor(pool: Pool<Grant>) {
    this.#pool = pool;
  }

  /** Reads which numbers are taken. @throws MESH_STORE_BROKEN */
  static async open(store: Store): Promise<NumberPool> {
    const form = poolRecords<Grant>(POOL, ({ value }) => value, GrantShape);
    return new NumberPool(await Pool.open({ store, name: POOL, form, first: FIRST_ALLOCATED_NUMBER, leap: LEAP }));
  }

  /** Who has a number; undefined if it was not taken from the pool. */
  ownerOf(number: number): string | undefined {
    return this.#pool.of(hexOf(number))?.owner;
  }

  /**
   * The next free number.
   * @param owner what uses the number, for people
   * @param isFree whether nothing outside of the pool uses the number, or devices that would have its name
   * @throws MESH_NET_NUMBERS_EXHAUSTED
   */
  allocate(owner: string, isFree: (number: number) => boolean): { readonly number: number; readonly move: PoolMove } {
    let number = inRange(this.#pool.next);
    const start = number;
    do {
      if (this.ownerOf(number) === undefined && isFree(number)) {
        return { number, move: this.#pool.take({ value: hexOf(number), owner }, inRange(number + 1)) };
      }
      number = inRange(number + 1);
    } while (number !== start);
    throw new MeshError('MESH_NET_NUMBERS_EXHAUSTED', 'all numbers of networks are taken', {
      operation: 'allocate a number',
      object: owner,
      remedy: 'Delete networks that are not needed: `mesh network list`',
    });
  }

  /** Takes a number that was given by hand. @throws MESH_NET_NUMBER_TWICE */
  take(number: number, owner: string): PoolMove {
    const other = this.ownerOf(number);
    if (other === undefined) return this.#pool.take({ value: hexOf(number), owner });
    throw new MeshError('MESH_NET_NUMBER_TWICE', `number 0x${hexOf(number)} is taken by ${other}`, {
      operation: 'take a number',
      object: owner,
      rule: 'Each network has a number of its own.',
      remedy: 'Give another number, or none: host0 allocates one',
    });
  }

  /** All numbers that are taken. */
  get taken(): readonly number[] {
    return this.#pool.grants.map(({ value }) => Number.parseInt(value, 16));
  }

  /** Whether no number was ever taken when the pool was opened: the store is new. */
  get isNew(): boolean {
    return this.#pool.isNew;
  }

  /** Moves on, past numbers that the store may have given out and lost. */
  leap(): PoolMove {
    return this.#pool.leap(this.#pool.next + LEAP);
  }

  /** Gives a number back. */
  give(number: number): PoolMove {
    return this.#pool.give(hexOf(number));
  }
}

/** The number itself, or the next one that may be allocated. */
function inRange(number: number): number {
  if (number >= LEFT_OUT.first && number <= LEFT_OUT.last) return LEFT_OUT.last + 1;
  return number > LAST_NUMBER || number < FIRST_ALLOCATED_NUMBER ? FIRST_ALLOCATED_NUMBER : number;
}

function hexOf(number: number): string {
  return number.toString(16);
}
