/**
 * Carries orders out. Each order has a loop of its own: a slow hook, or a step that waits, delays this order alone. Every move is
 * written down before and after, so that another process of host0 goes on where this one was killed.
 */
import type { Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import type { HookPhase, HookReport } from '../../protocol/documents/order/hook.ts';
import {
  isSettled,
  type Order,
  type OrderStep,
  type OrderWait,
  type StepKind,
  subjectOfOrder,
} from '../../protocol/documents/order/order.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import { type HookRunner, runJournalled } from './journalled-hooks.ts';
import type { KeptRecords } from './kept-records.ts';
import { nextMove, type OrderMove, turned, withReports, withStep } from './order-moves.ts';
import { orderCancelled } from './order-refusals.ts';
import { pause } from './pause.ts';
import type { StepWork } from './step-work.ts';

/** What the runner works with. */
export interface OrderRunnerInput {
  readonly records: KeptRecords<Order>;
  readonly works: Readonly<Record<StepKind, StepWork>>;
  readonly hooks: HookRunner;
  readonly clock: Clock;
  readonly journal: Pick<Journal, 'record' | 'failure'>;
  /** Called with the number of each order that begins to wait. */
  readonly onWait: (id: number) => void;
}

/** The first pause of a step that waits, and the longest. */
const PAUSE_MS = 250;
const PAUSE_MAX_MS = 8_000;

/** One order that is under way. */
interface Running {
  /** Ends a hook or a wait, because the order was cancelled or because host0 ends. Another one follows with the next move. */
  abort: AbortController;
  wait: { readonly step: number; readonly why: string; readonly sinceMs: number } | undefined;
  pauseMs: number;
  /** The step whose hooks were told that it is undone. They are not told again while the step waits. */
  undid: number | undefined;
}

/** Runs the loops of all orders. */
export class OrderRunner {
  readonly #input: OrderRunnerInput;
  readonly #running = new Map<number, Running>();
  readonly #loops = new Set<Promise<void>>();
  #closed = false;

  constructor(input: OrderRunnerInput) {
    this.#input = input;
  }

  /** Goes on with every order that is not at its end. */
  start(): void {
    for (const order of this.#input.records.all) this.look(order.id);
  }

  /** Goes on with an order that is new, or that was cancelled. */
  look(id: number): void {
    const order = this.#input.records.get(String(id));
    if (this.#closed || order === undefined || isSettled(order)) return;
    const running = this.#running.get(id);
    if (running !== undefined) {
      if (order.cancelled && order.state === 'running') running.abort.abort();
      return;
    }
    const begun: Running = { abort: new AbortController(), wait: undefined, pauseMs: PAUSE_MS, undid: undefined };
    this.#running.set(id, begun);
    const loop = this.#drive(id, begun);
    this.#loops.add(loop);
    void loop.finally(() => this.#loops.delete(loop));
  }

  /** What an order waits for now. */
  waitOf(id: number): OrderWait | undefined {
    const wait = this.#running.get(id)?.wait;
    if (wait === undefined) return undefined;
    const ageSec = Math.max(0, Math.floor((this.#input.clock.nowMs() - wait.sinceMs) / 1_000));
    return { step: wait.step, why: wait.why, ageSec };
  }

  /** Ends the hooks that run, and resolves when no order moves any more. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const { abort } of this.#running.values()) abort.abort();
    await Promise.all(this.#loops);
  }

  async #drive(id: number, running: Running): Promise<void> {
    for (;;) {
      const order = this.#input.records.get(String(id));
      const move = order && nextMove(order);
      if (this.#closed || order === undefined || move === undefined) break;
      // The abort that ended a step must not end its undoing, nor the pauses while the store refuses to note the cancellation.
      if (running.abort.signal.aborted) running.abort = new AbortController();
      const why = await this.#carryOut(order, move, running).catch((thrown: unknown) =>
        this.#failed(order, move, thrown),
      );
      if (why === undefined) {
        running.wait = undefined;
        running.pauseMs = PAUSE_MS;
      } else {
        if (this.#closed) break;
        this.#waits(order, move, running, why);
        await pause(this.#input.clock, running.pauseMs, running.abort.signal);
        running.pauseMs = Math.min(running.pauseMs * 2, PAUSE_MAX_MS);
      }
    }
    this.#running.delete(id);
    // It may have been cancelled in its last moment.
    this.look(id);
  }

  #waits(order: Order, move: OrderMove, running: Running, thrown: unknown): void {
    const why = typeof thrown === 'string' ? thrown : MeshError.from(thrown).message;
    if (running.wait?.why === why) return;
    const step = 'step' in move ? move.step : 0;
    running.wait = { step, why, sinceMs: this.#input.clock.nowMs() };
    const message = `order ${order.id} waits: ${why}`;
    this.#input.journal.record({ kind: 'order waits', message, object: String(order.id) });
    this.#input.onWait(order.id);
  }

  /** Carries one move out. @returns what the order waits for; undefined when the move was carried out */
  async #carryOut(order: Order, move: OrderMove, running: Running): Promise<string | undefined> {
    const { signal } = running.abort;
    switch (move.kind) {
      case 'begin':
        await this.#write(order, (now) => withStep(now, move.step, 'asking'));
        return undefined;
      case 'ask':
        return await this.#ask(order, move.step, signal);
      case 'do':
        return await this.#do(order, move.step, signal);
      case 'tell':
        return await this.#tell(order, move.step, signal);
      case 'turn':
        await this.#write(order, (now) => withStep(now, move.step, 'undoing'));
        return undefined;
      case 'undo':
        return await this.#undo(order, move.step, running);
      case 'retract':
        return await this.#retract(order, move.step, running);
      case 'cancel':
        return await this.#turn(order, orderCancelled(order.id));
      case 'end':
        await this.#end(order, move.state);
        return undefined;
    }
  }

  /** A move has failed: the order turns back where another attempt would end alike. @returns why the order waits, if it does */
  async #failed(order: Order, move: OrderMove, thrown: unknown): Promise<unknown> {
    const error = MeshError.from(thrown);
    if (order.state !== 'running' || move.kind === 'cancel' || mayEndOtherwise(error)) return error;
    return await this.#turn(order, error).catch((again: unknown) => again);
  }

  async #ask(order: Order, step: number, signal: AbortSignal): Promise<undefined> {
    const reports = await this.#hooks(order, step, 'before', signal);
    const refusal = reports.find(({ error }) => error !== undefined)?.error;
    if (refusal === undefined) {
      await this.#write(order, (now) => withReports(withStep(now, step, 'doing'), reports));
    } else if (refusal.code !== 'MESH_HOOK_ENDED') {
      // The hook's words are the reason of the order: they are no fault of the hook.
      await this.#turn(order, MeshError.fromJSON(refusal));
    }
  }

  async #do(order: Order, step: number, signal: AbortSignal): Promise<string | undefined> {
    const work = this.#workOf(order, step);
    const outcome = await work.do(order, signal);
    if ('waits' in outcome) return outcome.waits;
    await this.#write(order, (now) => withStep(now, step, 'made', outcome.made));
    this.#record(order, 'order step done', `order ${order.id}: ${work.words(order)}`);
    return undefined;
  }

  async #tell(order: Order, step: number, signal: AbortSignal): Promise<undefined> {
    const reports = await this.#hooks(order, step, 'after', signal);
    if (reports.some(({ error }) => error?.code === 'MESH_HOOK_ENDED')) return;
    await this.#write(order, (now) => withReports(withStep(now, step, 'done'), reports));
  }

  async #undo(order: Order, step: number, running: Running): Promise<string | undefined> {
    if (!(await this.#tellUndone(order, step, running))) return undefined;
    const work = this.#workOf(order, step);
    const waits = await work.undo(order, order.steps[step]?.made ?? {});
    if (waits !== undefined) return waits;
    await this.#write(order, (now) => withStep(now, step, 'undone'));
    this.#record(order, 'order step undone', `order ${order.id}: undid: ${work.words(order)}`);
    return undefined;
  }

  async #retract(order: Order, step: number, running: Running): Promise<undefined> {
    if (await this.#tellUndone(order, step, running)) await this.#write(order, (now) => withStep(now, step, 'undone'));
  }

  /** Runs the hooks that undo, once. @returns whether they have run to their end */
  async #tellUndone(order: Order, step: number, running: Running): Promise<boolean> {
    if (running.undid === step) return true;
    const reports = await this.#hooks(order, step, 'undo', running.abort.signal);
    if (reports.some(({ error }) => error?.code === 'MESH_HOOK_ENDED')) return false;
    await this.#write(order, (now) => withReports(now, reports));
    running.undid = step;
    return true;
  }

  async #turn(order: Order, error: MeshError): Promise<undefined> {
    await this.#write(order, (now) => turned(now, error.toJSON()));
    if (error.code === 'MESH_ORDER_CANCELLED') {
      this.#record(order, 'order cancelled', error.message);
      return;
    }
    const message = `order ${order.id} is undone: ${error.message}`;
    this.#input.journal.failure('order refused', error, { message, object: String(order.id) });
  }

  async #end(order: Order, state: 'done' | 'undone'): Promise<void> {
    const until = this.#input.clock.wallTime().toISOString();
    await this.#write(order, (now) => ({ ...now, state, until }));
    this.#record(order, `order ${state}`, `order ${order.id} is ${state}`);
  }

  #hooks(order: Order, step: number, phase: HookPhase, signal: AbortSignal): Promise<readonly HookReport[]> {
    const { hooks, journal } = this.#input;
    const { kind, made } = stepOf(order, step);
    const event = `order-${kind}`;
    const all = order.steps.flatMap((one) => Object.entries(one.made));
    const variables = all.map(([name, value]) => [`MESH_${name.toUpperCase()}`, value] as const);
    const call = {
      event,
      phase,
      object: subjectOfOrder(order),
      document: { event, phase, order, step: { index: step, kind, made } },
      env: {
        ...Object.fromEntries(variables),
        MESH_ORDER: String(order.id),
        ...(order.owner !== undefined && { MESH_OWNER: order.owner }),
      },
      signal,
    };
    return runJournalled(hooks, journal, call, String(order.id));
  }

  async #write({ id }: Order, change: (now: Order) => Order): Promise<void> {
    await this.#input.records.change(String(id), (now) => now && change(now));
  }

  #workOf(order: Order, step: number): StepWork {
    return this.#input.works[stepOf(order, step).kind];
  }

  #record({ id, owner }: Order, kind: string, message: string): void {
    const whose = owner === undefined ? '' : ` (${owner})`;
    this.#input.journal.record({ kind, message: message + whose, object: String(id) });
  }
}

function stepOf({ id, steps }: Order, index: number): OrderStep {
  const step = steps[index];
  if (step === undefined) throw new TypeError(`order ${id} has no step ${index}`);
  return step;
}

/** The store may have carried a move out, or may be away: the move finds out when it is made again. */
function mayEndOtherwise({ retryable, code }: MeshError): boolean {
  return retryable || (code.startsWith('MESH_STORE_') && code !== 'MESH_STORE_TOO_LARGE');
}
