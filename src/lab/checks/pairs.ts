/** Reachability of all pairs of hosts of a lab: real ICMPv6 echoes over the mesh, all sent from one process. */
import { setTimeout as sleep } from 'node:timers/promises';
import { MeshError } from '../../model/error.ts';
import type { HostEcho, OpenHostEcho } from '../hosts/host-echo.ts';
import type { Ends, HostPlan } from '../hosts/topology.ts';

/** Two hosts and the round trip between them. */
export interface Pair extends Ends {
  /** Milliseconds; undefined if `from` does not reach `to`. */
  readonly rttMs: number | undefined;
}

/** How long an answer may take while hosts are starting. */
const TRIAL_MS = 100;
/** Pause after a round in which some host did not answer. */
const PAUSE_MS = 50;
/** How long an answer may take in the measured round, once all pairs answer: far longer than any queue in one machine. */
const MEASURE_MS = 500;
/** Echoes in flight at once when round trips are measured: few, so that they do not delay each other. */
const MEASURE_AT_ONCE = 4;

/**
 * Sends echoes until every pair answers or the deadline passes. Never fails for a silent pair.
 *
 * Echoes are expensive while hosts start: an echo to an unknown member is a neighbour solicitation to all hosts, and 50
 * hosts have 2,550 pairs. Therefore a host that does not reach host0 yet asks only host0, and no host asks it. Each host
 * asks one other, then two, then four, as long as all answer, and returns to one when one did not.
 * @param onCount is called after each round with the number of pairs that answer, and of all pairs
 */
export async function awaitPairs(
  hosts: readonly HostPlan[],
  openEcho: OpenHostEcho,
  deadlineMs: number,
  { onCount = () => {}, signal }: { onCount?: (reached: number, of: number) => void; signal?: AbortSignal } = {},
): Promise<Pair[]> {
  using echoes = new Echoes(hosts, openEcho);
  const askers = hosts.map((host) => new Asker(host, hosts, echoes));
  const total = hosts.length * (hosts.length - 1);
  const giveUpAt = performance.now() + deadlineMs;
  let reached = 0;
  while (reached < total && performance.now() < giveUpAt) {
    signal?.throwIfAborted();
    const pause = sleep(PAUSE_MS);
    const atHost0 = new Set(askers.filter((asker) => asker.reachesHost0).map(({ host }) => host));
    const answered = await Promise.all(askers.map((asker) => asker.ask(atHost0)));
    reached = askers.reduce((sum, { rtts }) => sum + rtts.size, 0);
    onCount(reached, total);
    if (!answered.every(Boolean)) await pause;
  }
  return askers.flatMap(({ host, rtts }) =>
    othersOf(host, hosts).map((to) => ({ from: host, to, rttMs: rtts.get(to) })),
  );
}

/** One host on its way to reaching all others. */
class Asker {
  readonly host: HostPlan;
  /** Round trips in milliseconds, by the host that answered. */
  readonly rtts = new Map<HostPlan, number>();
  readonly #echoes: Echoes;
  /** Hosts that have not answered yet. A host that was asked in vain goes to the end, so that a dead pair delays no other. */
  #open: readonly HostPlan[];
  #atOnce = 1;

  constructor(host: HostPlan, hosts: readonly HostPlan[], echoes: Echoes) {
    this.host = host;
    this.#open = othersOf(host, hosts);
    this.#echoes = echoes;
  }

  get reachesHost0(): boolean {
    return this.host.role === 'host0' || !this.#open.some(isHost0);
  }

  /** Asks the next hosts. @returns false if one of them did not answer, or if there was none to ask yet */
  async ask(atHost0: ReadonlySet<HostPlan>): Promise<boolean> {
    const ready = this.reachesHost0 ? this.#open.filter((to) => atHost0.has(to)) : this.#open.filter(isHost0);
    const asked = ready.slice(0, this.#atOnce);
    await Promise.all(
      asked.map(async (to) => {
        const rttMs = await this.#echoes.ask({ from: this.host, to }, TRIAL_MS);
        if (rttMs !== undefined) this.rtts.set(to, rttMs);
      }),
    );
    const silent = asked.filter((to) => !this.rtts.has(to));
    this.#open = [...this.#open.filter((to) => !asked.includes(to)), ...silent];
    if (silent.length > 0) this.#atOnce = 1;
    else if (asked.length > 0) this.#atOnce *= 2;
    return silent.length === 0 && (asked.length > 0 || this.#open.length === 0);
  }
}

/** Measures one round trip for each ordered pair. */
export async function measurePairs(hosts: readonly HostPlan[], openEcho: OpenHostEcho): Promise<Pair[]> {
  using echoes = new Echoes(hosts, openEcho);
  const pairs = orderedPairs(hosts);
  const measured: Pair[] = [];
  for (let next = 0; next < pairs.length; next += MEASURE_AT_ONCE) {
    const batch = pairs.slice(next, next + MEASURE_AT_ONCE).map(async (pair) => ({
      ...pair,
      rttMs: await echoes.ask(pair, MEASURE_MS),
    }));
    measured.push(...(await Promise.all(batch)));
  }
  return measured;
}

/** The echo socket of each host, opened and closed together. */
class Echoes implements Disposable {
  readonly #open: ReadonlyMap<HostPlan, HostEcho>;

  constructor(hosts: readonly HostPlan[], openEcho: OpenHostEcho) {
    this.#open = new Map(hosts.map((host) => [host, openEcho(host)]));
  }

  /** The round trip in milliseconds. Undefined if no answer came, or if the kernel has no route yet. */
  async ask({ from, to }: Ends, timeoutMs: number): Promise<number | undefined> {
    const echo = this.#open.get(from);
    if (echo === undefined) throw new RangeError(`${from.name} is not in this lab`);
    try {
      return await echo.echo(to.member.ipv6, { timeoutMs });
    } catch (error) {
      if (error instanceof MeshError && error.code === 'MESH_KERNEL_REFUSED') return undefined;
      throw error;
    }
  }

  [Symbol.dispose](): void {
    for (const echo of this.#open.values()) echo.close();
  }
}

function orderedPairs(hosts: readonly HostPlan[]): Ends[] {
  return hosts.flatMap((from) => othersOf(from, hosts).map((to) => ({ from, to })));
}

function othersOf(host: HostPlan, hosts: readonly HostPlan[]): HostPlan[] {
  return hosts.filter((other) => other !== host);
}

function isHost0({ role }: HostPlan): boolean {
  return role === 'host0';
}
