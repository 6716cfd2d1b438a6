/**
 * What the bridge table has refused from the ports of this node, by port and kind, as the kernel counts it. It is read at
 * each audit, and whenever somebody asks.
 */
import type { Journal } from '../../protocol/journal/journal.ts';
import {
  OFFENDERS_SET,
  type Offender,
  parseOffenders,
  parseRefused,
  REFUSED_SET,
  type RefusalCount,
} from '../items/refusal.ts';
import type { KernelPort } from '../kernel/kernel-port.ts';

interface PortRefusalsInput {
  readonly kernel: Pick<KernelPort, 'listBridgeSet'>;
  readonly journal: Journal;
}

/** The last reading of the kernel's counts, and the sums since the start of the process. */
export class PortRefusals {
  readonly #input: PortRefusalsInput;
  #counts: readonly RefusalCount[] = [];
  #offenders: readonly Offender[] = [];
  #totals = new Map<string, RefusalCount>();
  #reading: Promise<void> | undefined;

  constructor(input: PortRefusalsInput) {
    this.#input = input;
  }

  /** The frames of each kind at each port, while the last of them is not ten minutes ago. */
  get counts(): readonly RefusalCount[] {
    return this.#counts;
  }

  /** The same, as sums that only grow. */
  get totals(): Iterable<RefusalCount> {
    return this.#totals.values();
  }

  /** The Ethernet addresses that the frames of a count came from, as far as they are known. */
  offendersOf({ port, kind }: RefusalCount): readonly string[] {
    return this.#offenders.filter((offender) => offender.port === port && offender.kind === kind).map(({ mac }) => mac);
  }

  /** Reads the counts. Never rejects: a failure is told in the journal, and the last reading stays. */
  read(): Promise<void> {
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #read(): Promise<void> {
    const { kernel, journal } = this.#input;
    try {
      const counts = parseRefused(await kernel.listBridgeSet(REFUSED_SET));
      this.#offenders = counts.length === 0 ? [] : parseOffenders(await kernel.listBridgeSet(OFFENDERS_SET));
      this.#add(counts);
      this.#counts = counts;
    } catch (thrown) {
      journal.faults.tell('read what ports were refused', thrown);
    }
  }

  /** Adds what was counted since the last reading. The kernel begins anew when the table is written whole. */
  #add(counts: readonly RefusalCount[]): void {
    const before = new Map(this.#counts.map((count) => [keyOf(count), count.frames]));
    const totals = new Map<string, RefusalCount>();
    const ports = new Set(counts.map(({ port }) => port));
    // The names of interfaces that are gone would grow without end.
    for (const [key, total] of this.#totals) if (ports.has(total.port)) totals.set(key, total);
    for (const count of counts) {
      const key = keyOf(count);
      const known = before.get(key) ?? 0;
      const more = count.frames >= known ? count.frames - known : count.frames;
      totals.set(key, { ...count, frames: (totals.get(key)?.frames ?? 0) + more });
    }
    this.#totals = totals;
  }
}

function keyOf({ port, kind }: RefusalCount): string {
  return `${port} ${kind}`;
}
