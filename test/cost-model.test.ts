/** The generated page of the cost model is current, and the model grows as it should. */
import { expect, test } from 'vitest';
import { capacityOf } from '../bench/capacity.ts';
import { bootCost, steadyCostPerSec } from '../bench/cost-model.ts';
import { costPage } from '../bench/cost-page.ts';

// A stale page fails here; `vitest run test/cost-model.test.ts -u` writes it again.

test('docs/reference/cost-model.md is current', async () => {
  const page = new URL('../docs/reference/cost-model.md', import.meta.url).pathname;
  await expect(costPage()).toMatchFileSnapshot(page);
});

test('messages of a mass boot grow with the square of the nodes, steady messages linearly', () => {
  const of = (nodes: number) => ({ nodes, networks: 1, bootSec: 30, passSec: 0.005 });
  const boot = bootCost(of(2_000)).bytes / bootCost(of(1_000)).bytes;
  expect(boot).toBeGreaterThan(3.9);
  expect(boot).toBeLessThan(4.2);
  const steady = steadyCostPerSec(of(2_000)).messages / steadyCostPerSec(of(1_000)).messages;
  expect(steady).toBeCloseTo(2, 5);
});

test('joins that are announced together save messages but no bytes', () => {
  const of = (bootSec: number) => bootCost({ nodes: 1_000, networks: 1, bootSec, passSec: 0.005 });
  const [fast, slow] = [of(2), of(600)];
  expect(slow.messages / fast.messages).toBeGreaterThan(5);
  expect(fast.bytes).toBe(slow.bytes);
});

test('each further network costs a machine as much as the first', () => {
  const of = (networks: number) => capacityOf({ nodes: 100, networks, bootSec: 30, passSec: 0.005 });
  expect(of(10).entriesPerMachine).toBe(10 * of(1).entriesPerMachine);
  expect(of(10).steady.daemonCpuPercent).toBeCloseTo(10 * of(1).steady.daemonCpuPercent, 5);
});
