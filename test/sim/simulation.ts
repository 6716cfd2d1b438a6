/** One run: a cluster starts, has random faults, and must be whole again some time after the last fault. */
import { pick, randomFrom } from '../kit/random.ts';
import { Cluster } from './cluster.ts';
import { FAULTS, type Fault } from './faults.ts';
import { drifting, live, sharedAddresses, unreachable, wrongEntries, wrongMemory, wrongRemoval } from './invariants.ts';
import type { SimMachine } from './sim-machine.ts';

interface RunInput {
  readonly seed: number;
  /** Number of nodes besides host0. */
  readonly agents: number;
  /** Number of faults. */
  readonly faults: number;
  /** Whether the timeline has the events of all journals. */
  readonly trace: boolean;
}

/** The result of a run: it has succeeded when there are no violations. */
export interface RunResult {
  readonly seed: number;
  /** One sentence for each violation of an invariant. */
  readonly violations: readonly string[];
  /** How often each kind of fault occurred. */
  readonly faults: Readonly<Record<string, number>>;
  /** From the end of the last fault until all entries were right. */
  readonly settledMs: number;
  /** What the cluster did, to compare with the cost model. */
  readonly cost: { readonly messages: number; readonly bytes: number; readonly operations: number };
  readonly timeline: string;
}

/** Time for all machines to start, before the first fault. */
const CALM_MS = 10_000;
/** The faults begin within this time. */
const FAULTS_MS = 30_000;
/** Silence is noticed after 9 s, a list is complete after 9 s more, and a refused step is tried again within 15 s. */
const SETTLE_MS = 40_000;
/** Between two checks of the entries. */
const SETTLE_TICK_MS = 1_000;
/** All entries are right within this time: silence is noticed after 9 s, a list is complete up to 12 s later. */
const RIGHT_WITHIN_MS = 22_000;
/** As above, when a node was refused because of a double: it asks again within 5 s of the double's silence. */
const RIGHT_AFTER_DOUBLE_MS = 27_000;
/** A node that was silent may still be dropped, and its entries removed, within this time after the fault. */
const CONSEQUENCES_MS = 30_000;
/** A fault that is not possible is tried again after this time. */
const LATER_MS = 1_000;
/** Each violation is reported once, and no more than this number. */
const VIOLATIONS_MAX = 20;

/** Runs one cluster from its start to the end of SETTLE_MS. The same input gives the same run. */
export async function simulate({ seed, agents, faults, trace }: RunInput): Promise<RunResult> {
  const random = randomFrom(seed);
  const cluster = new Cluster({
    random,
    agents,
    segments: random() < 0.3 ? 2 : 1,
    networks: random() < 0.2 ? 2 : 1,
    // Half of the seeds have channels.
    channels: seed % 2 === 0,
    trace,
  });
  const { clock, timeline } = cluster;
  const violations = new Set<string>();
  const violated = (sentence: string) => {
    if (violations.has(sentence) || violations.size >= VIOLATIONS_MAX) return;
    violations.add(sentence);
    timeline.note('VIOLATION', sentence);
  };
  const storm = new Storm(cluster, random);
  cluster.onOperation = (machine, operation) => {
    const sentence = wrongRemoval(cluster, machine, operation, (node) => storm.silenced(node));
    if (sentence !== undefined) violated(sentence);
  };

  cluster.calmAtMs = CALM_MS + FAULTS_MS;
  cluster.start();
  await clock.run(CALM_MS);
  for (let number = 0; number < faults; number++) clock.after(random() * FAULTS_MS, () => storm.strike());
  await clock.run(cluster.calmAtMs);
  storm.calm();
  timeline.note('simulation', 'the last fault is over');
  const settledMs = await settle(cluster, () => {
    for (const sentence of wrongMemory(cluster)) violated(sentence);
  });

  const withinMs = 'duplicate id' in storm.counts ? RIGHT_AFTER_DOUBLE_MS : RIGHT_WITHIN_MS;
  if (settledMs > withinMs) violated(`all entries were right only ${settledMs / 1_000} s after the last fault`);
  for (const sentence of wrongEntries(cluster)) violated(sentence);
  for (const sentence of sharedAddresses(cluster)) violated(sentence);
  for (const sentence of await drifts(cluster)) violated(sentence);
  for (const sentence of unreachable(cluster)) violated(sentence);
  for (const sentence of timeline.faults) violated(sentence);
  if (cluster.channels && cluster.daemon?.kept === 0) violated('no channel keeps a membership');
  timeline.note('simulation', violations.size === 0 ? 'all is well' : `${violations.size} things are not well`);
  const { messages, bytes, operations } = cluster;
  return {
    seed,
    violations: [...violations],
    faults: storm.counts,
    settledMs,
    cost: { messages, bytes, operations },
    timeline: timeline.print(),
  };
}

/** @returns how long it took until all entries were right */
async function settle(cluster: Cluster, onTick: () => void): Promise<number> {
  const { clock } = cluster;
  const fromMs = clock.nowMs();
  let settledMs = SETTLE_MS;
  for (let passedMs = SETTLE_TICK_MS; passedMs <= SETTLE_MS; passedMs += SETTLE_TICK_MS) {
    await clock.run(fromMs + passedMs);
    onTick();
    if (wrongEntries(cluster).length > 0) settledMs = SETTLE_MS;
    else settledMs = Math.min(settledMs, passedMs);
  }
  return settledMs;
}

async function drifts(cluster: Cluster): Promise<string[]> {
  const asked = Promise.all(live(cluster).map(drifting));
  await cluster.clock.run(cluster.clock.nowMs() + 100);
  return (await asked).flat();
}

/** The faults of one run. */
class Storm {
  readonly #cluster: Cluster;
  readonly #random: () => number;
  readonly #active = new Set<Fault>();
  readonly #silentUntilMs = new Map<SimMachine, number>();
  #over = false;
  readonly counts: Record<string, number> = {};

  constructor(cluster: Cluster, random: () => number) {
    this.#cluster = cluster;
    this.#random = random;
  }

  strike(kind = pick(this.#random, Object.keys(FAULTS))): void {
    if (this.#over) return;
    const silenced = new Set([...this.#active].flatMap(({ silences }) => silences));
    const free = this.#cluster.nodes.filter((node) => node.process !== undefined && !silenced.has(node));
    const fault = FAULTS[kind]?.(this.#cluster, this.#random, free);
    if (fault === undefined) {
      this.#cluster.clock.after(LATER_MS, () => this.strike(kind));
      return;
    }
    this.counts[kind] = (this.counts[kind] ?? 0) + 1;
    this.#cluster.timeline.note('fault', fault.what);
    this.#active.add(fault);
    for (const node of fault.silences) this.#silentUntilMs.set(node, Number.POSITIVE_INFINITY);
    this.#cluster.clock.after(fault.durationMs, () => this.#end(fault));
  }

  /** Ends the faults that are still active, and lets no more begin. */
  calm(): void {
    this.#over = true;
    for (const fault of [...this.#active]) this.#end(fault);
  }

  /** Whether the node may have been silent recently, so that host0 may have dropped it. */
  silenced(node: SimMachine): boolean {
    return (this.#silentUntilMs.get(node) ?? 0) > this.#cluster.clock.nowMs();
  }

  #end(fault: Fault): void {
    if (!this.#active.delete(fault)) return;
    fault.end();
    if (fault.durationMs > 0) this.#cluster.timeline.note('fault', `over: ${fault.what}`);
    const untilMs = this.#cluster.clock.nowMs() + CONSEQUENCES_MS;
    for (const node of fault.silences) this.#silentUntilMs.set(node, untilMs);
  }
}
