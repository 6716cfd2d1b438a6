/** A burst of changes costs one reading, a steady flow does not put it off, and a failed reading is tried again. */
import { expect, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import { Signal } from '../../model/signal.ts';
import type { KernelEvent } from '../rtnl/objects.ts';
import { LiveMirror } from './live-mirror.ts';

const GONE: KernelEvent = {
  type: 'address',
  removed: true,
  echo: false,
  address: {
    family: 4,
    link: 1,
    address: '10.77.0.1' as Ipv4,
    length: 24,
    scope: 'global',
    tentative: false,
    nodad: false,
    protocol: 0,
  },
};

async function liveMirror() {
  const clock = new ManualClock();
  const count = { routes: 0, dumps: 0, errors: 0, changes: 0 };
  const broken = { now: false };
  const events = new Signal<KernelEvent>();
  const mirror = await LiveMirror.open({
    reader: {
      async dump() {
        count.dumps++;
        if (broken.now) throw new Error('unreadable');
        return { links: [], addresses: [], routes: [], neighbours: [], fdb: [] };
      },
      async routes() {
        count.routes++;
        return [];
      },
    },
    questions: { neighbour: async () => undefined, fdbEntry: async () => undefined },
    monitor: { events, drain: () => undefined },
    keepsRoute: () => true,
    clock,
    onError: () => count.errors++,
  });
  mirror.changes.subscribe(() => count.changes++);
  count.dumps = 0;
  return { clock, count, events, broken, mirror };
}

test('5,000 addresses that go at once cost one reading of the routes', async () => {
  const { clock, count, events, mirror } = await liveMirror();
  for (let i = 0; i < 5_000; i++) events.emit(GONE);
  await clock.pass(1_000);
  expect(count).toEqual({ routes: 1, dumps: 0, errors: 0, changes: 2 });
  mirror.close();
});

test('a steady flow of changes does not put the reading off', async () => {
  const { clock, count, events, mirror } = await liveMirror();
  for (let ms = 0; ms < 1_000; ms += 10) {
    events.emit(GONE);
    await clock.pass(10);
  }
  expect(count.routes).toBeGreaterThan(10);
  expect(count.routes).toBeLessThan(21);
  mirror.close();
});

test('everything is read each minute, after lost events, and again after a failure; not after the end', async () => {
  const { clock, count, events, broken, mirror } = await liveMirror();
  await clock.pass(60_000);
  expect(count.dumps).toBe(1);
  broken.now = true;
  events.emit({ type: 'overflow' });
  await clock.pass(1_000);
  expect(count.errors).toBeGreaterThan(2);
  broken.now = false;
  await clock.pass(1_000);
  const { dumps } = count;
  await clock.pass(1_000);
  expect(count.dumps).toBe(dumps);
  mirror.close();
  events.emit({ type: 'overflow' });
  await clock.pass(120_000);
  expect(count.dumps).toBe(dumps);
});
