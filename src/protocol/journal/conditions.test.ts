/** Conditions that come and go, as the journal records them. */
import { expect, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import type { Finding } from '../documents/finding.ts';
import { Conditions, healthConditions } from './conditions.ts';
import { Journal } from './journal.ts';

const full: Finding = {
  code: 'MESH_DISK_REFUSED',
  severity: 'error',
  object: '/var',
  message: 'it is full',
  remedy: 'Make room.',
};

test('a finding that comes and goes is recorded once each time, and is a condition in between', async () => {
  const clock = new ManualClock();
  const journal = new Journal(clock, 'host0', 'host0');
  let findings: Finding[] = [];
  const conditions = new Conditions(journal, clock, () => healthConditions(findings));
  conditions.look();
  findings = [full];
  conditions.lookSoon();
  conditions.lookSoon();
  expect(journal.seq).toBe(0);
  await clock.pass(1_000);
  expect(conditions.current).toHaveLength(1);
  findings = [{ ...full, message: 'it is still full' }];
  conditions.look();
  findings = [];
  // Reading the conditions records the change first.
  expect(conditions.current).toEqual([]);
  expect(journal.recent().map(({ kind, level, message }) => `${level} ${kind}: ${message}`)).toEqual([
    'error finding: it is full',
    'error finding: it is still full',
    'info finding gone: /var is well again',
  ]);
});

test('many changes at once are one event and a new snapshot', () => {
  const clock = new ManualClock();
  const journal = new Journal(clock, 'agent', 'node1');
  const findings = Array.from({ length: 21 }, (_, n) => ({ ...full, object: `/disk${n}` }));
  const conditions = new Conditions(journal, clock, () => healthConditions(findings));
  let renewals = 0;
  journal.subscribe(
    () => {},
    () => renewals++,
  );
  conditions.look();
  expect(journal.recent().map(({ message }) => message)).toEqual(['21 things changed at once']);
  expect(renewals).toBe(1);
  expect(conditions.current).toHaveLength(21);
});

test('lookEvery looks immediately, and again after each interval', async () => {
  const clock = new ManualClock();
  const journal = new Journal(clock, 'host0', 'host0');
  let findings = [full];
  const conditions = new Conditions(journal, clock, () => healthConditions(findings));
  conditions.lookEvery(2_000);
  expect(journal.seq).toBe(1);
  await clock.pass(2_000);
  findings = [];
  await clock.pass(1_999);
  expect(journal.seq).toBe(1);
  await clock.pass(1);
  expect(journal.seq).toBe(2);
});
