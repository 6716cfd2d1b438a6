/** Findings about what happened last for an hour, and are bounded. */
import { expect, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import type { Finding } from '../documents/finding.ts';
import { RECENT_MS, RecentFindings } from './recent-findings.ts';

const finding = (object: string, message = 'first'): Finding => ({
  code: 'MESH_BOOT_FORGED',
  severity: 'warning',
  object,
  message,
  remedy: 'Look.',
});

test('a finding lasts for an hour after it was seen last, with its last words', async () => {
  const clock = new ManualClock();
  const recent = new RecentFindings(clock);
  expect(recent.see(finding('a'))).toBe(true);
  await clock.pass(RECENT_MS);
  expect(recent.see(finding('a', 'second'))).toBe(false);
  await clock.pass(RECENT_MS);
  expect(recent.health()).toEqual([finding('a', 'second')]);
  await clock.pass(1);
  expect(recent.health()).toEqual([]);
  expect(recent.see(finding('a'))).toBe(true);
});

test('of each code the findings that were seen last are kept, and healed ones end', () => {
  const recent = new RecentFindings(new ManualClock());
  for (let index = 0; index < 100_000; index++) recent.see(finding(`${index}`));
  recent.see(finding('99993'));
  recent.see(finding('new'));
  expect(recent.health().map(({ object }) => object)).toEqual([
    '99994',
    '99995',
    '99996',
    '99997',
    '99998',
    '99999',
    '99993',
    'new',
  ]);
  const other = { ...finding('other'), code: 'MESH_BOOT_MACHINES_MANY' } as const;
  recent.see(other);
  expect(recent.health()).toHaveLength(9);
  for (const { code, object } of recent.health()) if (object !== 'new') recent.end(code, object);
  expect(recent.health()).toEqual([finding('new')]);
});
