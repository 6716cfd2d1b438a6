/** Who reaches whom: real ICMPv6 echoes over the mesh's bridge, between every two hosts of a lab, from one process. */
import { setTimeout as sleep } from 'node:timers/promises';
import { MeshError } from '../model/error.ts';
import type { Ipv6 } from '../model/ipv6.ts';
import type { Ends, HostPlan } from './topology.ts';

/** One host's voice; the kernel room's EchoSocket is one. */
export interface Echo {
  /** Round trip in milliseconds, undefined when no answer came in time; rejects where the kernel knows no way. */
  echo(to: Ipv6, options: { readonly timeoutMs: number }): Promise<number | undefined>;
  close(): void;
}

export type OpenEcho = (netns: string) => Echo;

export interface Pair extends Ends {
  /** Undefined while `from` does not reach `to`. */
  readonly rttMs: number | undefined;
}

/** How long an answer may take while hosts are starting, and how often those without one are asked again. */
const TRIAL_MS = 100;
/** Once all answer, a pair gets so long for the measured round: far more than any queue in one machine. */
const MEASURE_MS = 500;
/** Echoes in flight at once when round trips are measured: few, so that they do not measure each other. */
const MEASURE_AT_ONCE = 4;

/**
 * Asks until every pair answers or the deadline passes; says each time how many do. A host that does not reach host0 has
 * no members yet, so its other pairs are not tried: 50 hosts have 2,550 pairs, and asking all of them 20 times a second
 * would take the processor from the hosts that are starting.
 */
export async function awaitPairs(
  hosts: readonly HostPlan[],
  openEcho: OpenEcho,
  deadlineMs: number,
  { onCount = () => {}, signal }: { onCount?: (reached: number, of: number) => void; signal?: AbortSignal } = {},
): Promise<Pair[]> {
  using echoes = new Echoes(hosts, openEcho);
  const pairs = orderedPairs(hosts);
  const rtts = new Map<string, number>();
  const reachesHost0 = ({ name, role }: HostPlan) => role === 'host0' || rtts.has(`${name} host0`);
  const giveUpAt = performance.now() + deadlineMs;
  while (rtts.size < pairs.length && performance.now() < giveUpAt) {
    signal?.throwIfAborted();
    const pause = sleep(TRIAL_MS / 2);
    const open = pairs.filter((pair) => !rtts.has(keyOf(pair)));
    const tried = open.filter(({ from, to }) => to.role === 'host0' || (reachesHost0(from) && reachesHost0(to)));
    await Promise.all(
      tried.map(async (pair) => {
        const rttMs = await echoes.ask(pair, TRIAL_MS);
        if (rttMs !== undefined) rtts.set(keyOf(pair), rttMs);
      }),
    );
    onCount(rtts.size, pairs.length);
    await pause;
  }
  return pairs.map((pair) => ({ ...pair, rttMs: rtts.get(keyOf(pair)) }));
}

/** One round trip for each ordered pair. */
export async function measurePairs(hosts: readonly HostPlan[], openEcho: OpenEcho): Promise<Pair[]> {
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

/** Each host's echo: opened together, closed together. */
class Echoes implements Disposable {
  readonly #open: ReadonlyMap<HostPlan, Echo>;

  constructor(hosts: readonly HostPlan[], openEcho: OpenEcho) {
    this.#open = new Map(hosts.map((host) => [host, openEcho(host.netns)]));
  }

  /** No way yet is no answer yet. */
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
  return hosts.flatMap((from) => hosts.filter((to) => to !== from).map((to) => ({ from, to })));
}

function keyOf({ from, to }: Ends): string {
  return `${from.name} ${to.name}`;
}
