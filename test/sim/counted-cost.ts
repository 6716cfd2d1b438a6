/** The counted cost of a simulated cluster without faults, beside the cost that the model predicts for its size. */
import { type Cost, costUntil } from '../../bench/cost-model.ts';
import { randomFrom } from '../kit/random.ts';
import { Cluster } from './cluster.ts';

interface CountedCost {
  readonly agents: number;
  readonly networks: number;
  readonly predicted: Cost;
  readonly counted: Cost;
}

/** The time within which all nodes boot, as in cluster.ts. */
const BOOT_SEC = 2;
/** One pass of an agent: three calls to the simulated kernel, for FDB entries, neighbour entries and rules. */
const PASS_SEC = 0.001;

/** Runs a cluster for `sec` simulated seconds from its start. */
export async function countedCost(agents: number, networks: number, { seed = 1, sec = 30 } = {}): Promise<CountedCost> {
  const cluster = new Cluster({ random: randomFrom(seed), agents, segments: 1, networks, trace: false });
  cluster.start();
  await cluster.clock.run(sec * 1_000);
  const { messages, bytes, operations } = cluster;
  const predicted = costUntil({ nodes: agents, networks, bootSec: BOOT_SEC, passSec: PASS_SEC }, sec);
  return { agents, networks, predicted, counted: { messages, bytes, operations } };
}

/** The kinds of cost that are compared. */
export const COSTS = ['messages', 'bytes', 'operations'] as const satisfies (keyof Cost)[];
