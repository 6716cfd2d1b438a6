/**
 * Owners: made, shown and deleted. The hooks of `owner-created` run after an owner was made, and in the phase `undo` when the owner is
 * deleted: they run to their end also when host0 is killed, and may then run twice.
 */
import type { Clock } from '../../model/clock.ts';
import type { HookPhase, HookReport } from '../../protocol/documents/order/hook.ts';
import { isSettled } from '../../protocol/documents/order/order.ts';
import type { Owner, OwnerRequest } from '../../protocol/documents/order/owner.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import { type HookRunner, runJournalled } from '../orders/journalled-hooks.ts';
import type { KeptRecords } from '../orders/kept-records.ts';
import { withReports } from '../orders/order-moves.ts';
import { ownerHasOrders, ownerLeaves, ownerTwice, unknownOwner } from '../orders/order-refusals.ts';
import type { Orders } from '../orders/orders.ts';
import { pause } from '../orders/pause.ts';

/** What owners are kept with. */
export interface OwnersInput {
  readonly owners: KeptRecords<Owner>;
  readonly orders: Pick<Orders, 'list' | 'cancel' | 'changes'>;
  readonly hooks: HookRunner;
  readonly clock: Clock;
  readonly journal: Pick<Journal, 'record' | 'failure'>;
}

/** The event of the hooks. */
export const OWNER_CREATED = 'owner-created';
/** How long to wait when the store is away, and how often an owner that goes looks for its orders at least. */
const RETRY_MS = 1_000;

/** Makes, shows and deletes owners. */
export class Owners {
  readonly #input: OwnersInput;
  readonly #busy = new Set<string>();
  readonly #loops = new Set<Promise<void>>();
  readonly #abort = new AbortController();

  constructor(input: OwnersInput) {
    this.#input = input;
  }

  /** Goes on with the owners of an earlier process. */
  start(): void {
    for (const { name } of this.#input.owners.all) this.#look(name);
  }

  /** All owners, by name. */
  list(): readonly Owner[] {
    return this.#input.owners.all.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** @throws MESH_OWNER_UNKNOWN */
  show(name: string): Owner {
    const owner = this.#input.owners.get(name);
    if (owner === undefined) throw unknownOwner(name);
    return owner;
  }

  /** Makes an owner; its hooks run afterwards. @throws MESH_ALREADY_MADE, MESH_STORE_* */
  async create({ name, description }: OwnerRequest): Promise<Owner> {
    const { owners, clock, journal } = this.#input;
    await owners.change(name, (before) => {
      if (before !== undefined) throw before.state === 'deleting' ? ownerLeaves(name) : ownerTwice(name);
      return {
        format: 1,
        name,
        ...(description !== undefined && { description }),
        state: 'new',
        since: clock.wallTime().toISOString(),
        hooks: {},
        faults: [],
      };
    });
    journal.record({ kind: 'owner created', message: `owner ${name}`, object: name });
    this.#look(name);
    return this.show(name);
  }

  /** Runs the hooks of an owner again: for one whose hooks failed, or that came before the hooks. @throws MESH_OWNER_UNKNOWN */
  async announce(name: string): Promise<Owner> {
    await this.#input.owners.change(name, (before) => {
      if (before === undefined) throw unknownOwner(name);
      if (before.state === 'deleting') throw ownerLeaves(name);
      return before.state === 'new' ? before : { ...before, state: 'new' };
    });
    this.#look(name);
    return this.show(name);
  }

  /**
   * Deletes an owner. The owner goes when all its orders are undone.
   * @param force cancels its orders
   * @throws MESH_OWNER_UNKNOWN, MESH_OWNER_IN_USE
   */
  async remove(name: string, { force = false }: { readonly force?: boolean } = {}): Promise<Owner> {
    const { owners, journal } = this.#input;
    await owners.change(name, (before) => {
      if (before === undefined) throw unknownOwner(name);
      const orders = this.#ordersOf(name);
      if (!force && orders.length > 0) throw ownerHasOrders(name, orders);
      return before.state === 'deleting' ? before : { ...before, state: 'deleting' };
    });
    journal.record({ kind: 'owner leaves', message: `owner ${name} is being deleted`, object: name });
    const owner = this.show(name);
    this.#look(name);
    return owner;
  }

  /** Ends running hooks. What is not done is gone on with by the next process. */
  async close(): Promise<void> {
    this.#abort.abort();
    await Promise.all(this.#loops);
  }

  #ordersOf(name: string): readonly number[] {
    return this.#input.orders
      .list(name)
      .filter(({ state }) => state !== 'undone')
      .map(({ id }) => id);
  }

  #look(name: string): void {
    if (this.#busy.has(name)) return;
    this.#busy.add(name);
    const loop = this.#drive(name);
    this.#loops.add(loop);
    void loop.finally(() => this.#loops.delete(loop));
  }

  async #drive(name: string): Promise<void> {
    const { owners, journal } = this.#input;
    while (!this.#abort.signal.aborted) {
      const owner = owners.get(name);
      if (owner === undefined || owner.state === 'ready') break;
      try {
        if (owner.state === 'new') await this.#tell(owner);
        else await this.#leave(owner);
      } catch (thrown) {
        journal.failure('owner not kept', thrown, { object: name });
        await pause(this.#input.clock, RETRY_MS, this.#abort.signal);
      }
    }
    this.#busy.delete(name);
    const owner = owners.get(name);
    if (owner !== undefined && owner.state !== 'ready' && !this.#abort.signal.aborted) this.#look(name);
  }

  async #tell(owner: Owner): Promise<void> {
    const reports = await this.#hooks(owner, 'after');
    if (this.#abort.signal.aborted) return;
    await this.#input.owners.change(owner.name, (now) => {
      if (now === undefined) return now;
      const told = withReports({ ...now, faults: [] }, reports);
      // It may be leaving by now.
      return now.state === 'new' ? { ...told, state: 'ready' } : told;
    });
  }

  async #leave(owner: Owner): Promise<void> {
    const { owners, orders, clock, journal } = this.#input;
    const { name } = owner;
    const left = orders.list(name).filter(({ state }) => state !== 'undone');
    // The last order is cancelled first: a workload goes before its network.
    for (const order of left.toReversed()) if (isSettled(order) || !order.cancelled) await orders.cancel(order.id);
    if (this.#ordersOf(name).length > 0) return await pause(clock, RETRY_MS, this.#abort.signal, orders.changes);
    await this.#hooks(owner, 'undo');
    // A hook may have ordered again.
    if (this.#abort.signal.aborted || this.#ordersOf(name).length > 0) return;
    await owners.change(name, () => undefined);
    journal.record({ kind: 'owner deleted', message: `owner ${name}`, object: name });
  }

  #hooks(owner: Owner, phase: HookPhase): Promise<readonly HookReport[]> {
    const { hooks, journal } = this.#input;
    const call = {
      event: OWNER_CREATED,
      phase,
      object: owner.name,
      document: { event: OWNER_CREATED, phase, owner },
      env: { MESH_OWNER: owner.name },
      signal: this.#abort.signal,
    };
    return runJournalled(hooks, journal, call, owner.name);
  }
}
