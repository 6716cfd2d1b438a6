import { expect, test } from 'vitest';
import { machineIdOf } from '../model/machine.ts';
import { MEMBER_SILENCE_MS, REPORT_INTERVAL_MS, reportIntervalMs } from './membership.ts';

test('machines that began to report in one moment are soon spread over the whole interval', () => {
  const reports = 20;
  const momentsMs = Array.from(
    { length: 300 },
    (_, number) => reports * reportIntervalMs(machineIdOf(`board ${number}`)),
  );
  // Tenths of an interval, and how many speak in each.
  const counts = new Map<number, number>();
  for (const ms of momentsMs) {
    const tenth = Math.floor(((ms % REPORT_INTERVAL_MS) / REPORT_INTERVAL_MS) * 10);
    counts.set(tenth, (counts.get(tenth) ?? 0) + 1);
  }
  expect(counts.size).toBe(10);
  expect(Math.max(...counts.values())).toBeLessThan(2 * 30);
});

test('nobody reports less often than host0 expects', () => {
  for (const machine of ['00000000', 'ffffffff'].map((id) => id as ReturnType<typeof machineIdOf>)) {
    expect(reportIntervalMs(machine)).toBeLessThanOrEqual(REPORT_INTERVAL_MS);
    expect(reportIntervalMs(machine)).toBeGreaterThan(MEMBER_SILENCE_MS / 4);
  }
});
