/** Member lines, the pace of reports, and host names. */
import { expect, test } from 'vitest';
import { board } from '../../../test/kit/networks.ts';
import { parseMachineId } from '../../model/machine.ts';
import {
  checkNodeName,
  formatMemberLine,
  MEMBER_SILENCE_MS,
  parseMemberLine,
  REPORT_INTERVAL_MS,
  reportIntervalMs,
} from './membership.ts';

const LINE = 'node1 10.11.0.2 02:2f:55:d5:07:f4 fd42:2345:1234:9abc:7647:6b77:cff:6931';

test('parsing a member line is the inverse of formatting it', () => {
  expect(formatMemberLine(parseMemberLine(LINE))).toBe(LINE);
});

test.each([
  '',
  'node1',
  `${LINE} more`,
  LINE.replace('node1', 'a/b'),
  LINE.replace('.2 ', '.256 '),
  LINE.slice(6),
])('%j is not a member line', (line) => expect(() => parseMemberLine(line)).toThrow(/is not/));

test('machines that begin to report in one moment soon spread over the whole interval', () => {
  const reports = 20;
  const momentsMs = Array.from({ length: 300 }, (_, number) => reports * reportIntervalMs(board(number)));
  // Tenths of an interval, and how many machines report in each.
  const counts = new Map<number, number>();
  for (const ms of momentsMs) {
    const tenth = Math.floor(((ms % REPORT_INTERVAL_MS) / REPORT_INTERVAL_MS) * 10);
    counts.set(tenth, (counts.get(tenth) ?? 0) + 1);
  }
  expect(counts.size).toBe(10);
  expect(Math.max(...counts.values())).toBeLessThan(2 * 30);
});

test('no machine reports less often than host0 expects', () => {
  for (const machine of ['00000000', 'ffffffff'].map(parseMachineId)) {
    expect(reportIntervalMs(machine)).toBeLessThanOrEqual(REPORT_INTERVAL_MS);
    expect(reportIntervalMs(machine)).toBeGreaterThan(MEMBER_SILENCE_MS / 4);
  }
});

test('a host name that cannot stand in a member line is refused', () => {
  checkNodeName('node-1.example');
  for (const name of ['', '-node', 'my node', 'ü', 'a'.repeat(64)]) {
    expect(() => checkNodeName(name)).toThrow(expect.objectContaining({ code: 'MESH_USAGE' }));
  }
});
