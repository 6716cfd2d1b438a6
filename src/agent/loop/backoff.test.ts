/** Proves when a failure becomes lasting, how long steps are delayed, and when failures are forgotten. */
import { expect, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { MeshError } from '../../model/error.ts';
import { Backoff } from './backoff.ts';

const KEY = 'bridge:mesh-456';
const STEP = 'ip link set br456 address 02:2f:55:d5:07:f4';
const REFUSED = new MeshError('MESH_KERNEL_REFUSED', 'EBUSY');

test('a refusal is reported when it is lasting, and forgotten when the item is in place', () => {
  const backoff = new Backoff(new ManualClock());
  expect([1, 2, 3, 4, 5].map(() => backoff.failed(KEY, REFUSED))).toEqual([false, false, false, true, false]);
  expect(backoff.errorOf(KEY)).toBe(REFUSED);
  backoff.keepOnly((key) => [KEY].includes(key), new Set([KEY]));
  expect(backoff.errorOf(KEY)).toBe(REFUSED);
  backoff.keepOnly((key) => [KEY].includes(key), new Set());
  expect(backoff.errorOf(KEY)).toBeUndefined();
  expect(backoff.nextDueMs).toBeUndefined();
});

test('a futile step is reported at once, and tried ever more rarely', async () => {
  const clock = new ManualClock();
  const backoff = new Backoff(clock);
  for (let repair = 1; repair < 6; repair++) expect(backoff.succeeded(KEY, STEP)).toBeUndefined();
  expect(backoff.succeeded(KEY, STEP)).toMatchObject({ error: { code: 'MESH_KERNEL_NOT_KEPT' }, news: true });
  const waits: number[] = [];
  for (let round = 0; round < 8; round++) {
    expect(backoff.isDue(KEY)).toBe(false);
    const waitMs = (backoff.nextDueMs ?? 0) - clock.nowMs();
    waits.push(waitMs);
    await clock.pass(waitMs);
    expect(backoff.isDue(KEY)).toBe(true);
    expect(backoff.succeeded(KEY, STEP)?.news).toBe(false);
    expect(backoff.errorOf(KEY)?.code).toBe('MESH_KERNEL_NOT_KEPT');
  }
  expect(waits).toEqual([400, 800, 1_600, 3_200, 6_400, 12_800, 15_000, 15_000]);
});

test('a futile step that holds is no failure any more', async () => {
  const clock = new ManualClock();
  const backoff = new Backoff(clock);
  for (let repair = 1; repair <= 6; repair++) backoff.succeeded(KEY, STEP);
  await clock.pass(400);
  backoff.keepOnly((key) => [KEY].includes(key), new Set());
  expect(backoff.errorOf(KEY)?.code).toBe('MESH_KERNEL_NOT_KEPT');
  const lookAgainMs = (backoff.nextDueMs ?? 0) - clock.nowMs();
  expect(lookAgainMs).toBeGreaterThan(0);
  await clock.pass(lookAgainMs);
  expect(backoff.errorOf(KEY)).toBeUndefined();
  backoff.keepOnly((key) => [KEY].includes(key), new Set());
  expect(backoff.nextDueMs).toBeUndefined();
});

test('what a route of another program is in the way of waits for the route to go', async () => {
  const clock = new ManualClock();
  const backoff = new Backoff(clock);
  const taken = new MeshError('MESH_KERNEL_ROUTE_TAKEN', 'this machine has a route');
  const key = 'static-route:br1 10.77.0.0/16 0';
  for (let attempt = 0; attempt < 4; attempt++) backoff.failed(key, taken);
  backoff.failed(KEY, REFUSED);
  await clock.pass(60_000);
  expect([backoff.isDue(key), backoff.isDue(KEY)]).toEqual([false, true]);
  expect(backoff.hurry((one) => one !== key)).toBe(false);
  expect(backoff.hurry((one) => one === key)).toBe(true);
  expect(backoff.isDue(key)).toBe(true);
  expect(backoff.errorOf(key)).toBe(taken);
});
