/**
 * A process's view of its machine's simulated kernel: answers take time, events come in bursts, and both can have
 * faults.
 */
import type { Operation } from '../../src/agent/items/item-kind.ts';
import type { KernelPort } from '../../src/agent/kernel/kernel-port.ts';
import type { KernelDump } from '../../src/kernel/mirror/kernel-reader.ts';
import type { FdbEntry, KernelEvent, Route } from '../../src/kernel/rtnl/objects.ts';
import type { Ipv4 } from '../../src/model/address/ipv4.ts';
import { MeshError } from '../../src/model/error.ts';
import { Signal, type Subscribable } from '../../src/model/signal.ts';
import type { ProcessClock } from './sim-clock.ts';
import type { SimKernel } from './sim-kernel.ts';

/** Duration of one call of `apply`, and of each operation in it. */
const APPLY_MS = { call: 0.3, each: 0.004 };
/** Mean duration of a dump, a listing or a route look-up. */
const READ_MS = 0.5;
/** From the first event of a burst to its delivery. */
const EVENT_MS = 0.2;

/** The kernel interface of one agent process. */
export class ProcessKernel implements KernelPort {
  readonly #kernel: SimKernel;
  readonly #clock: ProcessClock;
  readonly #random: () => number;
  readonly #events = new Signal<KernelEvent>();
  readonly events: Subscribable<KernelEvent> = this.#events;
  readonly #waiting: KernelEvent[] = [];
  #overflowing = false;
  #busyUntilMs = 0;
  /** The share of operations that the kernel refuses now, 0 to 1. */
  refusing = 0;
  /** Called with each operation before the kernel performs it. */
  onOperation: (operation: Operation) => void = () => undefined;

  constructor(kernel: SimKernel, clock: ProcessClock, random: () => number) {
    this.#kernel = kernel;
    this.#clock = clock;
    this.#random = random;
    kernel.subscribe(this, (event) => this.#queue(event));
  }

  async apply(operations: readonly Operation[]): Promise<readonly (MeshError | undefined)[]> {
    const errors = operations.map((operation) => this.#perform(operation));
    await this.#takes(APPLY_MS.call + APPLY_MS.each * operations.length);
    return errors;
  }

  async dump(matters: (entry: FdbEntry) => boolean): Promise<KernelDump> {
    const dump = this.#kernel.dump();
    await this.#read();
    return { ...dump, fdb: dump.fdb.filter(matters) };
  }

  async routes(): Promise<readonly Route[]> {
    const routes = [...this.#kernel.routes.values()];
    await this.#read();
    return routes;
  }

  async ipv4Routes(matters: (route: Route) => boolean): Promise<readonly Route[]> {
    const routes = [...this.#kernel.routes.values()].filter((route) => route.family === 4 && matters(route));
    await this.#read();
    return routes;
  }

  drainEvents(): void {
    for (let event = this.#waiting.shift(); event !== undefined; event = this.#waiting.shift()) {
      this.#events.emit(event);
    }
  }

  async routeTo(destination: Ipv4): Promise<Route> {
    const route = this.#kernel.routeTo(destination);
    await this.#read();
    if (route === undefined) throw refused('find route to', destination, 'ENETUNREACH');
    return route;
  }

  async listRuleset(family: 'inet' | 'bridge'): Promise<string | undefined> {
    const text = this.#kernel.printRuleset(family);
    await this.#read();
    return text;
  }

  /** Simulated guests send no frames. */
  async listBridgeSet(): Promise<string> {
    return '';
  }

  async listInetSet(): Promise<string> {
    return '';
  }

  async readSysctl(path: readonly string[]): Promise<string | undefined> {
    return this.#kernel.setting(path);
  }

  async close(): Promise<void> {
    this.#kernel.unsubscribe(this);
  }

  /** Fills the monitor's buffer: events are lost until `endOverflow`, which emits an overflow event. */
  beginOverflow(): void {
    this.#overflowing = true;
    this.#waiting.length = 0;
  }

  endOverflow(): void {
    this.#overflowing = false;
    this.#queue({ type: 'overflow' });
  }

  #perform(operation: Operation): MeshError | undefined {
    if (this.refusing > 0 && this.#random() < this.refusing) return refused(operation.do, objectOf(operation), 'EBUSY');
    this.onOperation(operation);
    const errno = this.#kernel.perform(operation, this);
    return errno === undefined ? undefined : refused(operation.do, objectOf(operation), errno);
  }

  #read(): Promise<void> {
    return this.#takes(READ_MS * (0.5 + this.#random()));
  }

  /** One thread does the process's kernel calls, so they finish in the order in which they began. */
  #takes(ms: number): Promise<void> {
    const nowMs = this.#clock.nowMs();
    this.#busyUntilMs = Math.max(nowMs, this.#busyUntilMs) + ms;
    return this.#clock.pause(this.#busyUntilMs - nowMs);
  }

  #queue(event: KernelEvent): void {
    if (this.#overflowing) return;
    this.#waiting.push(event);
    if (this.#waiting.length === 1) this.#clock.after(EVENT_MS, () => this.drainEvents());
  }
}

function objectOf(operation: Operation): string {
  if ('link' in operation && operation.link !== undefined) return operation.link;
  return 'name' in operation ? operation.name : 'table';
}

function refused(operation: string, object: string, name: string): MeshError {
  return new MeshError('MESH_KERNEL_REFUSED', `${operation} ${object}: ${name}`, {
    operation,
    object,
    cause: { name },
    retryable: name === 'EBUSY',
  });
}
