/** The loop of passes: a request for a pass is never lost, and a pass that throws ends nothing. More in test/sim. */
import { expect, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { ProcessKernel } from '../../../test/sim/process-kernel.ts';
import { ProcessClock, SimClock } from '../../../test/sim/sim-clock.ts';
import { SimKernel } from '../../../test/sim/sim-kernel.ts';
import type { KernelEvent, Route } from '../../kernel/rtnl/objects.ts';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import { Signal } from '../../model/signal.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import type { KernelPort } from '../kernel/kernel-port.ts';
import { Reconciler } from './reconciler.ts';

/** A kernel with nothing in it. */
const emptyKernel: KernelPort = {
  events: new Signal<KernelEvent>(),
  apply: async (operations) => operations.map(() => undefined),
  dump: async () => ({ links: [], addresses: [], routes: [], neighbours: [], fdb: [] }),
  routes: async () => [],
  ipv4Routes: async () => [],
  drainEvents: () => undefined,
  routeTo: async (destination: Ipv4): Promise<Route> => {
    throw new Error(`there is no route to ${destination}`);
  },
  listRuleset: async () => undefined,
  listBridgeSet: async () => '',
  listInetSet: async () => '',
  readSysctl: async () => undefined,
  close: async () => undefined,
};

/** Microtasks between the end of a pass and the end of its run: more than there are. */
const MICROTASKS = 12;

test('a pass that is asked for while a run ends is made, at whatever moment', async () => {
  for (let delay = 0; delay < MICROTASKS; delay++) {
    const clock = new ManualClock();
    let asked = false;
    let passesAfter = 0;
    const reconciler = new Reconciler({
      kernel: emptyKernel,
      clock,
      journal: new Journal(clock, 'agent', 'node1'),
      desire: () => {
        if (asked) passesAfter++;
        return { items: new Map(), recorded: () => [], mayDelete: () => false };
      },
      onLastingFailure: () => undefined,
    });
    await reconciler.start();
    const asking = new Promise<void>((resolve) => {
      const end = reconciler.passes.subscribe(() => {
        end();
        const ask = (left: number): void => {
          if (left > 0) {
            queueMicrotask(() => ask(left - 1));
            return;
          }
          asked = true;
          resolve(reconciler.wake());
        };
        ask(delay);
      });
    });
    await reconciler.wake();
    await asking;
    expect(passesAfter, `after ${delay} microtasks`).toBe(1);
    await reconciler.close();
  }
});

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
