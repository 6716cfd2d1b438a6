/** What a simulated cluster costs that nothing befalls, beside what the cost model says of one of that size. */
import { type Cost, costUntil } from '../../bench/cost-model.ts';
import { randomFrom } from '../kit/random.ts';
import { Cluster } from './cluster.ts';

export interface CountedCost {
  readonly agents: number;
  readonly networks: number;
  readonly predicted: Cost;
  readonly counted: Cost;
}

/** As in cluster.ts. */
const BOOT_SEC = 2;
/** Three calls to the simulated kernel: entries, neighbours, and rules. */
const PASS_SEC = 0.001;

export async function countedCost(agents: number, networks: number, { seed = 1, sec = 30 } = {}): Promise<CountedCost> {
  const cluster = new Cluster({ random: randomFrom(seed), agents, segments: 1, networks, trace: false });
  cluster.start();
  await cluster.clock.run(sec * 1_000);
  const { messages, bytes, operations } = cluster;
  const predicted = costUntil({ nodes: agents, networks, bootSec: BOOT_SEC, passSec: PASS_SEC }, sec);
  return { agents, networks, predicted, counted: { messages, bytes, operations } };
}

export const COSTS = ['messages', 'bytes', 'operations'] as const satisfies (keyof Cost)[];
