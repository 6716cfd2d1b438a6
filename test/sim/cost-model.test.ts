/**
 * Holds the cost model against simulated clusters; `npm run sim:cost -- --agents 1000` does the same for a thousand
 * agents.
 */
import { expect, test } from 'vitest';
import { COSTS, countedCost } from './counted-cost.ts';

const TOLERANCE = 0.25;

test.each([
  { agents: 24, networks: 1 },
  { agents: 24, networks: 3 },
  { agents: 100, networks: 1 },
])('$agents agents in $networks networks cost as much as the model says', async ({ agents, networks }) => {
  const { predicted, counted } = await countedCost(agents, networks);
  for (const cost of COSTS) {
    expect(predicted[cost] / counted[cost], cost).toBeGreaterThan(1 - TOLERANCE);
    expect(predicted[cost] / counted[cost], cost).toBeLessThan(1 + TOLERANCE);
  }
});
