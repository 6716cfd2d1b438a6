/** The lines of a log, and the ones that are left out of a storm. */
import { expect, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { EVENT_FIELDS, type MeshEvent } from './event.ts';
import { Journal } from './journal.ts';
import { LINES_PER_MINUTE, Log } from './log.ts';

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

test('a storm is written as ten lines a minute, and the last line counts the rest', async () => {
  const { clock, lines, log, fail } = setUp();
  for (let n = 1; n <= 100; n++) fail('br456', `try ${n}`);
  fail('br457');
  expect(lines).toHaveLength(LINES_PER_MINUTE + 1);
  expect(log.suppressed).toBe(0);
  await clock.pass(60_000);
  expect(lines).toHaveLength(LINES_PER_MINUTE + 2);
  expect(lines.at(-1)).toMatchObject({ object: 'br456', message: 'try 100', seq: 100, suppressed: 89 });
  expect(log.suppressed).toBe(89);
  fail('br456', 'again');
  expect(lines.at(-1)).toMatchObject({ message: 'again' });
  expect(lines.at(-1)).not.toHaveProperty('suppressed');
});

test('fewer than ten lines a minute are all written', async () => {
  const { clock, lines, fail } = setUp();
  for (let n = 0; n < 50; n++) {
    fail('br456');
    await clock.pass(7_000);
  }
  await clock.pass(60_000);
  expect(lines).toHaveLength(50);
  expect(lines.every((line) => !('suppressed' in line))).toBe(true);
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
