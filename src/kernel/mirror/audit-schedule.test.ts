/** Audits after lost events come at once, and leave time for other work in a flood. */
import { expect, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { AuditSchedule } from './audit-schedule.ts';

function schedule(durationMs: number) {
  const clock = new ManualClock();
  const beganMs: number[] = [];
  const errors: unknown[] = [];
  const audits = new AuditSchedule({
    clock,
    onError: (error) => errors.push(error),
    audit: () => {
      beganMs.push(clock.nowMs());
      return new Promise<void>((resolve, reject) =>
        clock.after(durationMs, () => (beganMs.length === 2 ? reject(new Error('unread')) : resolve())),
      );
    },
  });
  return { clock, audits, beganMs, errors };
}

test('the first audit comes at once; then nine tenths of the time are free, whatever is asked', async () => {
  const { clock, audits, beganMs, errors } = schedule(100);
  for (let ms = 0; ms < 2_500; ms += 10) {
    audits.soon();
    await clock.pass(10);
  }
  expect(beganMs.length).toBe(3);
  expect(beganMs.map((ms) => Math.round((ms - (beganMs[0] ?? 0)) / 100))).toEqual([0, 10, 20]);
  // An audit that failed is told, and does not end the schedule.
  expect(errors).toHaveLength(1);
  audits.close();
});

test('without a request, there is one audit a minute', async () => {
  const { clock, audits, beganMs } = schedule(100);
  audits.start();
  await clock.pass(59_000);
  expect(beganMs).toHaveLength(0);
  await clock.pass(2_000);
  expect(beganMs).toHaveLength(1);
  await clock.pass(61_000);
  expect(beganMs).toHaveLength(2);
  audits.close();
  await clock.pass(200_000);
  expect(beganMs).toHaveLength(2);
});
