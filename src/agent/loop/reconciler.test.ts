/** A pass that throws is told, ends nothing, and is made up for. */
import { expect, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { ProcessKernel } from '../../../test/sim/process-kernel.ts';
import { ProcessClock, SimClock } from '../../../test/sim/sim-clock.ts';
import { SimKernel } from '../../../test/sim/sim-kernel.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import { Reconciler } from './reconciler.ts';

test('a pass that throws is told, and the next one comes by itself', async () => {
  const clock = new ManualClock();
  const journal = new Journal(clock, 'agent', 'node1');
  const state = { broken: true, passes: 0 };
  const simulated = new SimClock();
  const kernel = new ProcessKernel(new SimKernel(), new ProcessClock(simulated), () => 0);
  const reconciler = new Reconciler({
    kernel,
    clock,
    journal,
    desire: () => {
      state.passes++;
      if (state.broken) throw new TypeError('x is not iterable');
      return { items: new Map(), mayDelete: () => false, recorded: () => [] };
    },
    onLastingFailure: () => undefined,
  });
  const started = reconciler.start();
  await simulated.run(1_000);
  await started;
  expect(reconciler.passStartMs).toBeUndefined();
  expect(journal.faults.health()).toEqual([
    expect.objectContaining({ code: 'MESH_INTERNAL', object: 'pass of the loop', severity: 'warning' }),
  ]);
  state.broken = false;
  const { passes } = state;
  const passing = clock.pass(1_000);
  await simulated.run(2_000);
  await passing;
  expect(state.passes).toBeGreaterThan(passes);
  expect(journal.recent().filter(({ kind }) => kind === 'fault')).toHaveLength(passes);
});
