import { expect, test } from 'vitest';
import { ManualClock } from '../model/manual-clock.ts';
import { RulesetRecord } from './ruleset-record.ts';

test('what the kernel tells of our own change before nft is done calls for a look when the burst is over, and not now', async () => {
  const clock = new ManualClock();
  let looks = 0;
  const record = new RulesetRecord(
    {
      listRuleset: async () => {
        looks++;
        return undefined;
      },
    },
    clock,
  );
  await record.observe();
  const atStart = looks;

  record.changing();
  record.changed();
  await record.observe();
  expect(looks).toBe(atStart);
  await clock.pass((record.nextDueMs ?? 0) - clock.nowMs());
  await record.observe();
  expect(looks).toBeGreaterThan(atStart);

  const afterOwn = looks;
  record.changed();
  await record.observe();
  expect(looks).toBeGreaterThan(afterOwn);
});
