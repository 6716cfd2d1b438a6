/** An address book for tests, with pools and outside allocators in memory. */
import { AddressBook } from '../../src/controller/ipam/address-book.ts';
import type { AllocatorQuestion } from '../../src/controller/ipam/outside-requests.ts';
import { type AddressPool, AddressPoolShape } from '../../src/model/ipam/address-pool.ts';
import { Journal } from '../../src/protocol/journal/journal.ts';
import type { Store } from '../../src/store/store.ts';
import { ManualClock } from './manual-clock.ts';
import { MemoryStore } from './memory-store.ts';

/** A pool of /64s, unless the parts say otherwise. */
export function addressPool(parts: Partial<Record<keyof AddressPool, unknown>> = {}): AddressPool {
  const whole = {
    name: 'six',
    kind: 'ipv6-prefix',
    cidr: '2001:db8::/32',
    length: 64,
    restSec: 7_200,
    warnPercent: 80,
  };
  return AddressPoolShape.read({ ...whole, ...parts });
}

/** Asks nobody: for books whose pools have no allocator. */
const noAllocator = (allocator: string) => Promise.reject(new Error(`there is no allocator ${allocator}`));

/** Opens a book; its ids are `a1`, `a2` … */
export async function addressBook({
  store = new MemoryStore(),
  clock = new ManualClock(),
  ask = noAllocator,
  prefix = 'a',
}: {
  readonly store?: Store;
  readonly clock?: ManualClock;
  readonly ask?: (allocator: string, question: AllocatorQuestion) => Promise<unknown>;
  readonly prefix?: string;
} = {}) {
  let count = 0;
  const journal = new Journal(clock, 'host0', 'host0');
  const newId = () => `${prefix}${++count}`;
  const book = await AddressBook.open({ store, clock, journal, ask, newId });
  return { book, store, clock, journal };
}

/** Keeps the blocks of a pool, as NetBox does: other programs take blocks of it, too. */
export class OutsideBlocks {
  /** The value by the id of the allocation. */
  readonly given = new Map<string, string>();
  readonly #values: readonly string[];

  constructor(values: readonly string[]) {
    this.#values = values;
  }

  answer({ operation, id, value: wanted }: AllocatorQuestion): unknown {
    if (operation === 'release') {
      this.given.delete(id);
      return undefined;
    }
    const taken = new Set(this.given.values());
    const value = this.given.get(id) ?? wanted ?? this.#values.find((one) => !taken.has(one));
    if (value === undefined) throw new Error('nothing is left');
    this.given.set(id, value);
    return { value };
  }
}
