/**
 * Holds the cost model against simulated clusters; `npm run sim:cost -- --agents 1000` does the same for a thousand
 * agents.
 */
import { expect, test } from 'vitest';
import { LONG } from '../kit/long.ts';
import { COSTS, countedCost } from './counted-cost.ts';

const TOLERANCE = 0.25;

/** The cost grows with the square of the agents: two sizes show it, and a large one takes long. */
const SIZES = [
  { agents: 12, networks: 1 },
  { agents: 24, networks: 3 },
  ...(LONG ? [{ agents: 100, networks: 1 }] : []),
];

test.each(SIZES)('$agents agents in $networks networks cost as much as the model says', async ({
  agents,
  networks,
}) => {
  const { predicted, counted } = await countedCost(agents, networks);
  for (const cost of COSTS) {
    expect(predicted[cost] / counted[cost], cost).toBeGreaterThan(1 - TOLERANCE);
    expect(predicted[cost] / counted[cost], cost).toBeLessThan(1 + TOLERANCE);
  }
});
