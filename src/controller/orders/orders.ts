/** Orders: made, listed and cancelled. The runner carries them out. */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import { Signal, type Subscribable } from '../../model/signal.ts';
import { type Finding, findingOf, type HealthSource } from '../../protocol/documents/finding.ts';
import {
  type Order,
  type OrderAnswer,
  type OrderRequest,
  type OrderView,
  type OrderWish,
  type StepKind,
  subjectOfOrder,
} from '../../protocol/documents/order/order.ts';
import type { Owner } from '../../protocol/documents/order/owner.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import { ORDERS_MAX } from '../../protocol/shapes/order/order-shapes.ts';
import type { HookRunner } from './journalled-hooks.ts';
import type { KeptRecords } from './kept-records.ts';
import { stepsOf } from './order-moves.ts';
import { orderedTwice, orderKept, ownerLeaves, tooManyOrders, unknownOrder, unknownOwner } from './order-refusals.ts';
import { OrderRunner } from './order-runner.ts';
import { pause } from './pause.ts';
import type { StepWork } from './step-work.ts';

/** What orders are made with. */
export interface OrdersInput {
  readonly orders: KeptRecords<Order>;
  readonly owners: KeptRecords<Owner>;
  readonly works: Readonly<Record<StepKind, StepWork>>;
  readonly hooks: HookRunner;
  readonly clock: Clock;
  readonly journal: Pick<Journal, 'record' | 'failure'>;
  /** A UUID for each order; random ones when absent. */
  readonly newMark?: () => string;
}

/** Orders that were undone are kept for a look back; more than these fill the store. */
const UNDONE_MAX = 1_000;
/** An undoing that waits for longer needs a person. */
const PATIENCE_SEC = 60;
/** How long to wait before the next look at an order that the store may have. */
const LOOK_MS = 1_000;

/** Makes, shows and cancels orders. */
export class Orders implements HealthSource {
  readonly #input: OrdersInput;
  readonly #runner: OrderRunner;
  readonly #changes = new Signal<number>();
  /** Emits the number of each order that has changed. */
  readonly changes: Subscribable<number> = this.#changes;
  /** The orders that the store may have: it gave no answer, and the look afterwards had none either. */
  readonly #uncertain = new Set<number>();
  readonly #closing = new AbortController();
  #looking: Promise<void> | undefined;
  #lastId: number;
  #last: Promise<unknown> = Promise.resolve();

  constructor(input: OrdersInput) {
    this.#input = input;
    const onWait = (id: number) => this.#changes.emit(id);
    this.#runner = new OrderRunner({ ...input, records: input.orders, onWait });
    this.#lastId = Math.max(0, ...input.orders.all.map(({ id }) => id));
    input.orders.changes.subscribe((name) => {
      this.#changes.emit(Number(name));
      if (input.orders.get(name)?.state === 'undone') this.#forgetOldest();
    });
  }

  /** Goes on with the orders of an earlier process. */
  start(): void {
    this.#runner.start();
  }

  /** All orders, the oldest first. @param owner those of this owner alone */
  list(owner?: string): readonly OrderView[] {
    const all = this.#input.orders.all.filter((order) => owner === undefined || order.owner === owner);
    return all.toSorted((a, b) => a.id - b.id).map((order) => this.#view(order));
  }

  /** @throws MESH_ORDER_UNKNOWN */
  show(id: number): OrderView {
    return this.#view(this.#find(id));
  }

  /**
   * Makes an order, and begins to carry it out.
   * @throws MESH_OWNER_UNKNOWN, MESH_ORDER_MANY, MESH_ALREADY_MADE, MESH_STORE_*, and what the steps refuse
   */
  create(request: OrderRequest, { dryRun = false }: { readonly dryRun?: boolean } = {}): Promise<OrderAnswer> {
    const result = this.#last.then(() => this.#create(request, dryRun));
    this.#last = result.catch(() => undefined);
    return result;
  }

  /** Undoes an order: one that is under way, or one that is done. One that is undone stays as it is. @throws MESH_ORDER_UNKNOWN */
  async cancel(id: number): Promise<OrderView> {
    this.#find(id);
    await this.#input.orders.change(String(id), (now) =>
      now === undefined || now.state === 'undoing' || now.state === 'undone' ? now : { ...now, cancelled: true },
    );
    this.#runner.look(id);
    return this.show(id);
  }

  /** Forgets an order that was undone. @throws MESH_ORDER_UNKNOWN, MESH_ORDER_KEPT */
  async forget(id: number): Promise<void> {
    await this.#input.orders.change(String(id), (now) => {
      if (now === undefined) throw unknownOrder(id);
      if (now.state !== 'undone') throw orderKept(now);
      return undefined;
    });
  }

  health(): readonly Finding[] {
    const damaged = [...this.#input.orders.unreadable, ...this.#input.owners.unreadable].map((key) => {
      const error = new MeshError('MESH_STATE_DAMAGED', `the document of an order or an owner cannot be read: ${key}`, {
        remedy: 'It is damaged, or of a later version of Meshwork: install that version, or delete the document',
      });
      return findingOf(error, { object: key, severity: 'error' });
    });
    const stuck = this.#input.orders.all.flatMap(({ id, state }): Finding[] => {
      const wait = state === 'undoing' ? this.#runner.waitOf(id) : undefined;
      if (wait === undefined || wait.ageSec < PATIENCE_SEC) return [];
      const error = new MeshError('MESH_ORDER_WAITS', `order ${id} cannot be undone: ${wait.why}`, {
        remedy: `See \`mesh order show ${id}\`. host0 goes on as soon as the cause is gone.`,
      });
      return [findingOf(error, { object: `order ${id}`, severity: 'warning' })];
    });
    return [...damaged, ...stuck];
  }

  /** Ends running hooks. What is not done is gone on with by the next process. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#looking;
    await this.#last;
    await this.#runner.close();
  }

  async #create(request: OrderRequest, dryRun: boolean): Promise<OrderAnswer> {
    const { orders, owners, works, clock, journal, newMark = randomUUID } = this.#input;
    const { owner, once, wish } = request;
    // Among them may be the one that was made with the same word.
    await this.#lookAtUncertain();
    const owned = owner === undefined ? undefined : owners.get(owner);
    if (owner !== undefined && owned === undefined) throw unknownOwner(owner);
    if (owned?.state === 'deleting') throw ownerLeaves(owned.name);
    const steps = stepsOf(wish);
    const words = steps.map(({ kind }) => works[kind].words(request));
    const earlier = this.#earlier(request);
    if (earlier !== undefined) return { order: this.#view(earlier), steps: words, dryRun, earlier: true };
    if (orders.all.filter(({ state }) => state !== 'undone').length >= ORDERS_MAX) throw tooManyOrders(ORDERS_MAX);
    const rival = orders.all.find((order) => order.state !== 'undone' && isSameMachine(order.wish, wish));
    if (rival !== undefined) throw orderedTwice(rival);
    for (const { kind } of steps) await works[kind].check(request);
    if (dryRun) return { steps: words, dryRun, earlier: false };
    const id = this.#lastId + 1;
    const order: Order = {
      format: 1,
      id,
      ...(owner !== undefined && { owner }),
      wish,
      ...(once !== undefined && { once }),
      mark: newMark(),
      state: 'running',
      steps,
      since: clock.wallTime().toISOString(),
      hooks: {},
      faults: [],
    };
    // An owner that is deleted in this moment has no order afterwards.
    const conditions = owner === undefined ? [] : [owners.unchanged(owner)];
    // The number is used up, also by a write without an answer: the store may have the order.
    this.#lastId = id;
    try {
      await orders.change(String(id), (before) => before ?? order, conditions);
    } catch (error) {
      this.#uncertain.add(id);
      await this.#lookAtUncertain().catch(() => this.#keepLooking());
      if (orders.get(String(id))?.mark !== order.mark) throw error;
    }
    const whose = owner === undefined ? '' : ` for ${owner}`;
    journal.record({ kind: 'order made', message: `order ${id}${whose}: ${words.join(', ')}`, object: String(id) });
    this.#runner.look(id);
    return { order: this.show(id), steps: words, dryRun, earlier: false };
  }

  /** Takes up the orders that the store has after all. @throws MESH_STORE_* */
  async #lookAtUncertain(): Promise<void> {
    for (const id of this.#uncertain) {
      await this.#input.orders.change(String(id), (now) => now);
      this.#uncertain.delete(id);
      this.#runner.look(id);
    }
  }

  /** Looks until the store has answered. */
  #keepLooking(): void {
    const { clock } = this.#input;
    const { signal } = this.#closing;
    const look = async () => {
      while (this.#uncertain.size > 0 && !signal.aborted) {
        await pause(clock, LOOK_MS, signal);
        await this.#lookAtUncertain().catch(() => undefined);
      }
      this.#looking = undefined;
    };
    this.#looking ??= look();
  }

  /** The order that was made with the same word before, and that is not given up. */
  #earlier({ owner, once, wish }: OrderRequest): Order | undefined {
    if (once === undefined) return undefined;
    const same = this.#input.orders.all.filter((order) => order.once === once && order.owner === owner);
    const found = same.find(({ state, cancelled }) => (state === 'running' || state === 'done') && !cancelled);
    if (found === undefined || (found.wish.kind === wish.kind && subjectOfOrder(found) === subjectOfOrder({ wish })))
      return found;
    throw new MeshError(
      'MESH_USAGE',
      `order ${found.id} was made with the word ${JSON.stringify(once)}, for another thing`,
      {
        object: once,
        rule: 'A word of `once` belongs to one order of an owner.',
        remedy: 'Give another word, or none.',
      },
    );
  }

  #find(id: number): Order {
    const order = this.#input.orders.get(String(id));
    if (order === undefined) throw unknownOrder(id);
    return order;
  }

  #view(order: Order): OrderView {
    const waits = this.#runner.waitOf(order.id);
    return { ...order, ...(waits !== undefined && { waits }) };
  }

  #forgetOldest(): void {
    const undone = this.#input.orders.all.filter(({ state }) => state === 'undone').toSorted((a, b) => a.id - b.id);
    for (const { id } of undone.slice(0, Math.max(0, undone.length - UNDONE_MAX)))
      void this.forget(id).catch((thrown: unknown) => this.#input.journal.failure('order not forgotten', thrown));
  }
}

/**
 * Whether two orders are about one virtual machine, or about the address of one. Such an order knows what it has made by the machine: it
 * would take what the other has made for its own, and give it back.
 */
function isSameMachine(one: OrderWish, other: OrderWish): boolean {
  if (one.kind === 'vm' && other.kind === 'vm')
    return one.workload.name === other.workload.name || one.workload.uuid === other.workload.uuid;
  return one.kind === 'ipv4-address' && other.kind === 'ipv4-address' && one.vm === other.vm;
}
