/** The lines of a log, and the ones that are left out of a storm. */
import { expect, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { EVENT_FIELDS, type MeshEvent } from './event.ts';
import { Journal } from './journal.ts';
import { LINES_MAX, LINES_PER_MINUTE, Log, SORT_LINES_MAX } from './log.ts';

const MINUTE_MS = 60_000;

function setUp() {
  const clock = new ManualClock();
  const lines: MeshEvent[] = [];
  const log = new Log(clock, (line) => {
    expect(line).toMatch(/^\{.*\}\n$/);
    lines.push(JSON.parse(line));
  });
  const journal = new Journal(clock, 'agent', 'node1');
  journal.subscribe((event) => log.take(event));
  const fail = (object: string, message = 'no') =>
    journal.record({ level: 'error', kind: 'step failed', message, object, code: 'MESH_KERNEL_REFUSED' });
  return { clock, lines, log, journal, fail };
}

test('a storm is written as ten lines, and a line after a minute counts the rest', async () => {
  const { clock, lines, log, fail } = setUp();
  for (let n = 1; n <= 100; n++) fail('br456', `try ${n}`);
  fail('br457');
  expect(lines).toHaveLength(LINES_MAX + 1);
  expect(log.suppressed).toBe(0);
  await clock.pass(MINUTE_MS);
  expect(lines).toHaveLength(LINES_MAX + 2);
  expect(lines.at(-1)).toMatchObject({ object: 'br456', message: 'try 100', seq: 100, suppressed: 89 });
  expect(log.suppressed).toBe(89);
  // After a quiet time, it is news again.
  await clock.pass(26 * MINUTE_MS);
  fail('br456', 'again');
  expect(lines.at(-1)).toMatchObject({ message: 'again' });
  expect(lines.at(-1)).not.toHaveProperty('suppressed');
});

test('an event that comes now and then is always written', async () => {
  const { clock, lines, fail } = setUp();
  for (let n = 0; n < 50; n++) {
    fail('br456');
    await clock.pass(30 * MINUTE_MS);
  }
  expect(lines).toHaveLength(50);
  expect(lines.every((line) => !('suppressed' in line))).toBe(true);
});

test.each([
  2, 7, 45,
])('a member that joins and leaves every %i s for a month is counted, not listed', async (seconds) => {
  const { clock, lines, log, journal } = setUp();
  const network = 'mesh-456';
  let told = 0;
  const hours = seconds < 5 ? 24 : 72;
  for (; told < (hours * 3600) / seconds; told += 2) {
    for (const kind of ['member joined', 'member left']) {
      journal.record({ kind, message: `node1 ${kind}`, object: 'node1', network });
      await clock.pass(seconds * 1000);
    }
  }
  log.close();
  const written = lines.length / 2;
  // Ten lines, six an hour, and the shorter times at the beginning.
  expect(written).toBeLessThanOrEqual(LINES_MAX + 6 * hours + 5);
  const bytesAMonth = (JSON.stringify(lines).length / hours) * 24 * 30;
  expect(bytesAMonth).toBeLessThan(4 * 1024 * 1024);
  expect(lines.reduce((sum, { suppressed = 0 }) => sum + 1 + suppressed, 0)).toBe(told);
  // The reader knows the last state within ten minutes.
  expect(lines.at(-1)).toMatchObject({ kind: 'member left' });
});

test('closing the log writes the count of the current minute', () => {
  const { lines, log, fail } = setUp();
  for (let n = 0; n < 12; n++) fail('br456');
  log.close();
  expect(lines.at(-1)).toMatchObject({ suppressed: 1, seq: 12 });
});

test('a log line has the documented fields and no others', () => {
  const { lines, journal } = setUp();
  journal.record({ kind: 'started', message: 'here', durationMs: 3, network: 'mesh-456', errno: 'ENOSPC' });
  for (const field of Object.keys(lines[0] ?? {})) expect(EVENT_FIELDS).toHaveProperty(field);
});

test('a stranger who makes up names uses up the budget of one sort, and no other', async () => {
  const { clock, lines, log, journal, fail } = setUp();
  // A word of the stranger in each place where an event may hold one.
  const refuse = (n: number) =>
    journal.record({
      level: 'error',
      kind: 'member refused',
      message: `no ${n}`,
      object: `asker ${n}`,
      item: `fdb:${n}`,
    });
  let asked = 0;
  for (; asked < 20_000; asked++) refuse(asked);
  expect(lines).toHaveLength(SORT_LINES_MAX);
  fail('br456');
  expect(lines).toHaveLength(SORT_LINES_MAX + 1);

  for (let minute = 1; minute <= 10; minute++) {
    for (let n = 0; n < 1_000; n++) refuse(asked++);
    await clock.pass(60_000);
  }
  expect(lines.length).toBeLessThanOrEqual(SORT_LINES_MAX + 1 + 10 * LINES_PER_MINUTE);
  const counted = lines.filter(({ suppressed }) => suppressed !== undefined);
  expect(counted).toHaveLength(10);
  // The numbers in the log add up to all that happened.
  expect(lines.reduce((sum, { suppressed = 0 }) => sum + 1 + suppressed, 0)).toBe(asked + 1);
  expect(log.suppressed).toBe(asked + 1 - lines.length);
});

test('the budget of a quiet sort is full again', async () => {
  const { clock, lines, fail } = setUp();
  for (let n = 0; n < 1_000; n++) fail(`br${n}`);
  await clock.pass(60_000 * (SORT_LINES_MAX / LINES_PER_MINUTE + 2));
  lines.length = 0;
  for (let n = 0; n < 1_000; n++) fail(`br${n}`);
  expect(lines).toHaveLength(SORT_LINES_MAX);
});

test('more sorts than a process can have share one budget', () => {
  const { lines, journal } = setUp();
  for (let n = 0; n < 10_000; n++) journal.record({ kind: `kind ${n}`, message: 'no' });
  expect(lines).toHaveLength(5_000 + SORT_LINES_MAX);
});
