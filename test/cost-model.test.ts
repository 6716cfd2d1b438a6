import { expect, test } from 'vitest';
import { capacityOf } from '../bench/capacity.ts';
import { bootCost, steadyCostPerSec } from '../bench/cost-model.ts';
import { costPage } from '../bench/cost-page.ts';

// A page that is stale fails here; `vitest run test/cost-model.test.ts -u` writes it anew.

test('docs/reference/cost-model.md is what the model says', async () => {
  const page = new URL('../docs/reference/cost-model.md', import.meta.url).pathname;
  await expect(costPage()).toMatchFileSnapshot(page);
});

test('what a mass boot says grows with the square of the nodes, what goes on after it with their number', () => {
  const of = (nodes: number) => ({ nodes, networks: 1, bootSec: 30, passSec: 0.005 });
  const boot = bootCost(of(2_000)).bytes / bootCost(of(1_000)).bytes;
  expect(boot).toBeGreaterThan(3.9);
  expect(boot).toBeLessThan(4.2);
  const steady = steadyCostPerSec(of(2_000)).messages / steadyCostPerSec(of(1_000)).messages;
  expect(steady).toBeCloseTo(2, 5);
});

test('joins that are told of together spare messages and no bytes', () => {
  const of = (bootSec: number) => bootCost({ nodes: 1_000, networks: 1, bootSec, passSec: 0.005 });
  const [fast, slow] = [of(2), of(600)];
  expect(slow.messages / fast.messages).toBeGreaterThan(5);
  expect(fast.bytes).toBe(slow.bytes);
});

test('a network more is for every machine what the first was', () => {
  const of = (networks: number) => capacityOf({ nodes: 100, networks, bootSec: 30, passSec: 0.005 });
  expect(of(10).entriesPerMachine).toBe(10 * of(1).entriesPerMachine);
  expect(of(10).steady.daemonCpuPercent).toBeCloseTo(10 * of(1).steady.daemonCpuPercent, 5);
});
