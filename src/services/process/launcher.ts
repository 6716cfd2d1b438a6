/**
 * The processes of one directory, as the steps of a plan order them. An order does not wait: a process that is being started counts
 * as present, and one that is being ended as absent. How it went is told by `changes`, and by what is present then.
 */
import { MeshError } from '../../model/error.ts';
import { Signal, type Subscribable } from '../../model/signal.ts';
import { type Finding, findingOf, type HealthSource } from '../../protocol/documents/finding.ts';
import { LaunchedProcess } from './launched-process.ts';
import { recordedNames } from './left-over.ts';
import type { ProcessEnd, ProcessPlace, RunningProcess } from './process-place.ts';
import { type ProcessSpec, specDigest } from './process-spec.ts';

/** A process that runs, or is being started. */
export interface PresentProcess {
  readonly name: string;
  /** The digest of the spec that it was started with. */
  readonly digest: string;
  /** The digest of what it has read again last. */
  readonly reread?: string;
  /** It has shown that it does its work. */
  readonly ready: boolean;
  /** It runs in another network namespace than its spec names: that one was deleted and made again. */
  readonly astray: boolean;
}

/** A process that is to run, or none. */
type Order = { readonly spec: ProcessSpec } | { readonly spec?: never };

interface Slot {
  readonly process: LaunchedProcess;
  readonly unsubscribe: () => void;
  /** The last order, until it is carried out. */
  order?: Order | undefined;
  /** Orders are being carried out, until this resolves. */
  work?: Promise<void> | undefined;
  /** Why the last order failed, where the process itself has no error. */
  error?: MeshError | undefined;
}

/** Starts, ends and adopts processes by their names. */
export class Launcher implements HealthSource {
  readonly #place: Omit<ProcessPlace, 'name'>;
  readonly #changes = new Signal<void>();
  /** Emits when a process has been started, has ended or has become ready. */
  readonly changes: Subscribable<void> = this.#changes;
  readonly #slots = new Map<string, Slot>();

  /** Finds the processes of an earlier launcher by their records. */
  constructor(place: Omit<ProcessPlace, 'name'>) {
    this.#place = place;
    for (const name of recordedNames(place.directory)) this.#slotOf(name);
  }

  /** The processes that run, or are being started. */
  present(): PresentProcess[] {
    return [...this.#slots].flatMap(([name, slot]) => presentIn(name, slot) ?? []);
  }

  /** The process of this name, while it runs and no other order is being carried out. */
  running(name: string): RunningProcess | undefined {
    const { process, order } = this.#slots.get(name) ?? {};
    return order === undefined ? process?.running : undefined;
  }

  /** How the process of this name has ended by itself; undefined while it runs, and after it was ended. */
  endOf(name: string): ProcessEnd | undefined {
    return this.#slots.get(name)?.process.ended;
  }

  /** Why the process of this name cannot be started, or does not keep running. */
  errorOf(name: string): MeshError | undefined {
    const slot = this.#slots.get(name);
    return slot?.error ?? slot?.process.error;
  }

  /** Tells how the wanted processes run, and forgets those that neither run nor are wanted. Cheap when nothing has changed. */
  follow(wanted: ReadonlyMap<string, ProcessSpec>): void {
    for (const [name, slot] of this.#slots) {
      const spec = wanted.get(name);
      const { running } = slot.process;
      if (spec === undefined) {
        if (running === undefined && slot.order === undefined) this.#drop(name, slot);
      } else if (slot.order === undefined && running?.digest === specDigest(spec)) slot.process.adopt(spec);
    }
  }

  /**
   * Orders the start of a process; one of this name that runs with another spec is ended first.
   * @returns why it is not started now: it has ended again and again
   */
  start(spec: ProcessSpec): MeshError | undefined {
    const slot = this.#slotOf(spec.name);
    const { order, process } = slot;
    if (order === undefined && process.running?.digest === specDigest(spec)) return undefined;
    const refusal = order === undefined && process.running === undefined ? process.refusalOf(spec) : undefined;
    if (refusal === undefined) this.#order(slot, { spec });
    return refusal;
  }

  /** Orders the end of a process. */
  end(name: string): void {
    const slot = this.#slots.get(name);
    if (slot !== undefined) this.#order(slot, {});
  }

  #order(slot: Slot, order: Order): void {
    slot.order = order;
    slot.work ??= this.#work(slot);
  }

  /** Carries out orders until there is none. One that came before the last one need not be finished. */
  async #work(slot: Slot): Promise<void> {
    for (let { order } = slot; order !== undefined; { order } = slot) {
      slot.error = undefined;
      try {
        await carryOut(order, slot);
      } catch (thrown) {
        // What the process itself did wrong, it keeps.
        if (slot.process.error === undefined) slot.error = MeshError.from(thrown);
      }
      if (slot.order === order) slot.order = undefined;
    }
    // Before others hear of it: they may give the next order.
    slot.work = undefined;
    this.#changes.emit();
  }

  /** Lets a process read again what its spec says. */
  reread(spec: ProcessSpec): void {
    void this.#slots
      .get(spec.name)
      ?.process.reread(spec)
      .then(() => this.#changes.emit());
  }

  /** The processes that do not keep running, or do not do their work. */
  health(): readonly Finding[] {
    return [...this.#slots].flatMap(([name, { process, error = process.error }]) =>
      error === undefined ? [] : [findingOf(error, { object: name })],
    );
  }

  /** Leaves the processes running, for the next launcher. Resolves when the orders that were given are carried out. */
  async release(): Promise<void> {
    await Promise.all(
      [...this.#slots.values()].map(async ({ work, process }) => {
        await work;
        await process.release();
      }),
    );
  }

  #slotOf(name: string): Slot {
    const present = this.#slots.get(name);
    if (present !== undefined) return present;
    const process = new LaunchedProcess({ ...this.#place, name });
    const slot: Slot = { process, unsubscribe: process.changes.subscribe(() => this.#changes.emit()) };
    this.#slots.set(name, slot);
    return slot;
  }

  #drop(name: string, { process, unsubscribe }: Slot): void {
    unsubscribe();
    void process.release();
    this.#slots.delete(name);
  }
}

async function carryOut(order: Order, slot: Slot): Promise<void> {
  const { process } = slot;
  const { spec } = order;
  const { running } = process;
  if (spec !== undefined && running?.digest === specDigest(spec)) return process.adopt(spec);
  if (running !== undefined) await process.end();
  if (spec !== undefined && slot.order === order) await process.start(spec);
}

function presentIn(name: string, { process, order }: Slot): PresentProcess | undefined {
  if (order !== undefined && order.spec === undefined) return undefined;
  const { spec } = order ?? {};
  if (spec !== undefined) {
    const reread = spec.rereads?.digest;
    return { name, digest: specDigest(spec), ready: false, astray: false, ...(reread !== undefined && { reread }) };
  }
  const { running } = process;
  if (running === undefined) return undefined;
  const { digest, reread, ready, astray } = running;
  return { name, digest, ready, astray, ...(reread !== undefined && { reread }) };
}
