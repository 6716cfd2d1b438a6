/** How many machines load at once, in which order the others follow, and how long they are told to wait. */
import { expect, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { parseMac } from '../../model/address/mac.ts';
import { BootLoadLimiter } from './boot-load-limiter.ts';

const mac = (number: number) => parseMac(`02:00:00:00:00:${number.toString(16).padStart(2, '0')}`);

test('as many machines load as there are slots, and the others follow in the order in which they came', () => {
  const loadLimiter = new BootLoadLimiter(2, new ManualClock());
  expect([1, 2, 3, 4, 5].map((number) => loadLimiter.ask(mac(number)))).toEqual([
    { pass: true },
    { pass: true },
    { pass: false, ahead: 0, againSec: 2 },
    { pass: false, ahead: 1, againSec: 2 },
    { pass: false, ahead: 2, againSec: 4 },
  ]);
  loadLimiter.leave(mac(1));
  expect(loadLimiter.ask(mac(4))).toMatchObject({ pass: false, ahead: 1 });
  expect(loadLimiter.ask(mac(3))).toEqual({ pass: true });
  expect(loadLimiter.ask(mac(4))).toMatchObject({ pass: false, ahead: 0 });
  expect({ loading: loadLimiter.loading, waiting: loadLimiter.waiting }).toEqual({ loading: 2, waiting: 2 });
});

test('a machine that loads may ask again, since its script may not have arrived', () => {
  const loadLimiter = new BootLoadLimiter(1, new ManualClock());
  loadLimiter.ask(mac(1));
  expect(loadLimiter.ask(mac(1))).toEqual({ pass: true });
});

test('a machine that falls silent while it loads or waits does not block the others', async () => {
  const clock = new ManualClock();
  const loadLimiter = new BootLoadLimiter(1, clock);
  loadLimiter.ask(mac(1));
  await clock.pass(50_000);
  loadLimiter.ask(mac(2));
  await clock.pass(11_000);
  expect(loadLimiter.ask(mac(3))).toMatchObject({ pass: false, ahead: 1 });
  await clock.pass(20_000);
  expect(loadLimiter.ask(mac(3))).toEqual({ pass: true });
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
      const passage = loadLimiter.ask(wide);
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
    loadLimiter.ask(mac(1));
    await clock.pass(500);
    loadLimiter.leave(mac(1));
  }
  loadLimiter.ask(mac(1));
  expect([2, 3, 4, 5].map((number) => loadLimiter.ask(mac(number)))).toMatchObject(
    [1, 2, 2, 3].map((againSec) => ({ pass: false, againSec })),
  );
});
