/** How many machines load at once, in which order the others follow, and how long they are told to wait. */
import { expect, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { parseMac } from '../../model/address/mac.ts';
import { BootLoadLimiter } from './boot-load-limiter.ts';

const mac = (number: number) => parseMac(`02:00:00:00:00:${number.toString(16).padStart(2, '0')}`);

test('as many machines load as there are slots, and the others follow in the order in which they came', () => {
  const loadLimiter = new BootLoadLimiter(2, new ManualClock());
  expect([1, 2, 3, 4, 5].map((number) => loadLimiter.ask(mac(number), false))).toEqual([
    { pass: true },
    { pass: true },
    { pass: false, ahead: 0, againSec: 2 },
    { pass: false, ahead: 1, againSec: 2 },
    { pass: false, ahead: 2, againSec: 4 },
  ]);
  loadLimiter.leave(mac(1));
  expect(loadLimiter.ask(mac(4), false)).toMatchObject({ pass: false, ahead: 1 });
  expect(loadLimiter.ask(mac(3), false)).toEqual({ pass: true });
  expect(loadLimiter.ask(mac(4), false)).toMatchObject({ pass: false, ahead: 0 });
  expect({ loading: loadLimiter.loading, waiting: loadLimiter.waiting }).toEqual({ loading: 2, waiting: 2 });
});

test('a machine that loads may ask again, since its script may not have arrived; one that loops goes to the back', () => {
  const loadLimiter = new BootLoadLimiter(1, new ManualClock());
  for (let ask = 0; ask < 5; ask++) expect(loadLimiter.ask(mac(1), false)).toEqual({ pass: true });
  expect(loadLimiter.ask(mac(2), false)).toMatchObject({ pass: false, ahead: 0 });
  expect(loadLimiter.ask(mac(1), false)).toMatchObject({ pass: false, ahead: 1 });
  expect(loadLimiter.ask(mac(2), false)).toEqual({ pass: true });
  expect(loadLimiter.ask(mac(2), false)).toEqual({ pass: true });
  expect(loadLimiter.ask(mac(2), false)).toMatchObject({ pass: false, ahead: 1 });
  expect(loadLimiter.ask(mac(1), false)).toEqual({ pass: true });
});

test('a question does not prolong a place', async () => {
  const clock = new ManualClock();
  const loadLimiter = new BootLoadLimiter(1, clock);
  loadLimiter.ask(mac(1), false);
  await clock.pass(50_000);
  loadLimiter.ask(mac(1), false);
  await clock.pass(11_000);
  expect(loadLimiter.ask(mac(2), false)).toEqual({ pass: true });
});

test('24 machines that ask again every 5 s for ever starve nobody', async () => {
  const clock = new ManualClock();
  const loadLimiter = new BootLoadLimiter(24, clock);
  const loopers = Array.from({ length: 24 }, (_, index) => mac(index + 1));
  const loop = (): void => {
    for (const looper of loopers) loadLimiter.ask(looper, false);
    clock.after(5_000, loop);
  };
  loop();
  await clock.pass(60_000);
  const waits: number[] = [];
  for (let machine = 100; machine < 120; machine++) {
    const sinceMs = clock.nowMs();
    for (;;) {
      const passage = loadLimiter.ask(mac(machine), false);
      if (passage.pass) break;
      await clock.pass(passage.againSec * 1000);
    }
    waits.push((clock.nowMs() - sinceMs) / 1000);
    await clock.pass(2_000);
    loadLimiter.leave(mac(machine));
  }
  expect(Math.max(...waits)).toBeLessThanOrEqual(10);
});

test('strangers delay no machine that is adopted, and an adopted machine that loads keeps its place', () => {
  const loadLimiter = new BootLoadLimiter(2, new ManualClock());
  for (const stranger of [1, 2, 3, 4]) loadLimiter.ask(mac(stranger), false);
  expect([10, 11].map((machine) => loadLimiter.ask(mac(machine), true))).toEqual([{ pass: true }, { pass: true }]);
  expect(loadLimiter.ask(mac(12), true)).toMatchObject({ pass: false, ahead: 0 });
  expect(loadLimiter.ask(mac(13), true)).toMatchObject({ pass: false, ahead: 1 });
  expect(loadLimiter.ask(mac(3), false)).toMatchObject({ pass: false, ahead: 2 });
  loadLimiter.leave(mac(10));
  expect(loadLimiter.ask(mac(3), false)).toMatchObject({ pass: false, ahead: 2 });
  expect(loadLimiter.ask(mac(12), true)).toEqual({ pass: true });
  expect(loadLimiter.loading).toBe(2);
});

test('a machine that falls silent while it loads or waits does not block the others', async () => {
  const clock = new ManualClock();
  const loadLimiter = new BootLoadLimiter(1, clock);
  loadLimiter.ask(mac(1), false);
  await clock.pass(50_000);
  loadLimiter.ask(mac(2), false);
  await clock.pass(11_000);
  expect(loadLimiter.ask(mac(3), false)).toMatchObject({ pass: false, ahead: 1 });
  await clock.pass(20_000);
  expect(loadLimiter.ask(mac(3), false)).toEqual({ pass: true });
});

test('all machines of a rack of 300 load, each of them once', async () => {
  const clock = new ManualClock();
  const loadLimiter = new BootLoadLimiter(16, clock);
  const through: number[] = [];
  const due = Array.from({ length: 300 }, (_, number) => ({ number, atMs: 0 }));
  while (through.length < 300 && clock.nowMs() < 600_000) {
    for (const machine of due.filter(({ atMs }) => atMs <= clock.nowMs())) {
      const wide = parseMac(
        `02:00:00:00:${(machine.number >> 8).toString(16).padStart(2, '0')}:${(machine.number & 255).toString(16).padStart(2, '0')}`,
      );
      const passage = loadLimiter.ask(wide, false);
      if (!passage.pass) {
        machine.atMs = clock.nowMs() + passage.againSec * 1000;
        continue;
      }
      machine.atMs = Number.POSITIVE_INFINITY;
      through.push(machine.number);
      clock.after(3_000, () => loadLimiter.leave(wide));
    }
    await clock.pass(500);
  }
  expect(new Set(through).size).toBe(300);
  expect(loadLimiter.loading).toBeLessThanOrEqual(16);
});

test('the wait is computed from how long earlier loads took', async () => {
  const clock = new ManualClock();
  const loadLimiter = new BootLoadLimiter(1, clock);
  for (let load = 0; load < 20; load++) {
    loadLimiter.ask(mac(1), false);
    await clock.pass(500);
    loadLimiter.leave(mac(1));
  }
  loadLimiter.ask(mac(1), false);
  expect([2, 3, 4, 5].map((number) => loadLimiter.ask(mac(number), false))).toMatchObject(
    [1, 2, 2, 3].map((againSec) => ({ pass: false, againSec })),
  );
});
