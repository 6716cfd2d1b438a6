/**
 * The ids of ports: a 32-bit counter that never gives a number twice. The id names the port's tap, `v<hex>`, and gives the port its
 * Ethernet address, `02:00:` and the id.
 */
import { type Mac, parseMac } from '../../model/address/mac.ts';
import { MeshError } from '../../model/error.ts';
import type { Store } from '../../store/store.ts';
import { type Grant, GrantShape, Pool, type PoolMove, poolRecords } from './pool.ts';

const POOL = 'ports';
const LAST_ID = 0xffffffff;
/** More ports than are plugged between two backups. */
const LEAP = 0x10000;

/** A new id, with what follows from it. */
export interface PortId {
  /** Hex digits without leading zeros, as in the name of the tap. */
  readonly id: string;
  readonly tap: string;
  readonly mac: Mac;
}

/** Counts ports. */
export class PortIds {
  readonly #pool: Pool<Grant>;

  private constructor(pool: Pool<Grant>) {
    this.#pool = pool;
  }

  /** Reads how far the counter is. @throws MESH_STORE_BROKEN */
  static async open(store: Store): Promise<PortIds> {
    const form = poolRecords<Grant>(POOL, ({ value }) => value, GrantShape);
    return new PortIds(await Pool.open({ store, name: POOL, form, first: 1, leap: LEAP }));
  }

  /**
   * The next id.
   * @param owner what uses it, for people
   * @param isFree whether no node has a port of this id from an earlier store
   * @throws MESH_PORT_IDS_EXHAUSTED
   */
  allocate(owner: string, isFree: (id: string) => boolean = () => true): PortId & { readonly move: PoolMove } {
    let { next } = this.#pool;
    while (next <= LAST_ID && !(this.#pool.of(next.toString(16)) === undefined && isFree(next.toString(16)))) next++;
    if (next > LAST_ID) {
      throw new MeshError('MESH_PORT_IDS_EXHAUSTED', 'all 4294967295 ids of ports have been given out', {
        operation: 'allocate the id of a port',
        object: owner,
        remedy: 'Move the store away: a new store has a new epoch, and counts from the beginning',
      });
    }
    const id = next.toString(16);
    return { ...portOf(next), move: this.#pool.take({ value: id, owner }, next + 1) };
  }

  /** Takes the id of a port that a node has and the store has lost. @throws MESH_PORT_TAKEN */
  take(id: string, owner: string): PoolMove {
    const other = this.#pool.of(id)?.owner;
    if (other === undefined) return this.#pool.take({ value: id, owner });
    throw new MeshError('MESH_PORT_TAKEN', `the id ${id} is that of another ${other}`, {
      operation: 'take the id of a port',
      object: id,
      rule: 'Each port has an id of its own.',
      remedy: 'Release the orphan, and make the port again with `mesh port create`.',
    });
  }

  /** Moves on, past ids that the store may have given out and lost. */
  leap(): PoolMove {
    return this.#pool.leap(this.#pool.next + LEAP);
  }

  /** Notes that a port is gone. Its id is not given again. */
  give(id: string): PoolMove {
    return this.#pool.give(id);
  }
}

function portOf(number: number): PortId {
  const bytes = number.toString(16).padStart(8, '0').match(/../g) ?? [];
  const id = number.toString(16);
  return { id, tap: tapOf(id), mac: parseMac(['02', '00', ...bytes].join(':')) };
}

/** The name of the tap of a port. */
export function tapOf(id: string): string {
  return `v${id}`;
}
