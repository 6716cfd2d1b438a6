/** What a journal remembers, and what it forgets first. */
import { expect, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { Journal } from './journal.ts';

test('many events of one kind do not displace the others', () => {
  const journal = new Journal(new ManualClock(), 'host0', 'host0');
  for (let n = 0; n < 100; n++)
    journal.record({ kind: n % 2 ? 'member joined' : 'member left', message: `member ${n}` });
  for (let n = 0; n < 50_000; n++) journal.record({ kind: 'member refused', message: `asker ${n}` });
  const recent = journal.recent();
  expect(recent).toHaveLength(1_000);
  expect(recent.filter(({ kind }) => kind !== 'member refused')).toHaveLength(100);
  expect(recent.at(-1)?.message).toBe('asker 49999');
  expect(recent.map(({ seq }) => seq)).toEqual(recent.map(({ seq }) => seq).toSorted((a, b) => a - b));
});

test('events since a number are all of them, or none are given', () => {
  const journal = new Journal(new ManualClock(), 'host0', 'host0');
  journal.record({ kind: 'started', message: 'here' });
  for (let n = 0; n < 1_500; n++) journal.record({ kind: 'member refused', message: `asker ${n}` });
  expect(journal.since(0)).toBeUndefined();
  // 1,501 events were recorded and 501 forgotten: those with the numbers 2 to 502.
  expect(journal.since(501)).toBeUndefined();
  expect(journal.since(502)).toHaveLength(999);
  expect(journal.since(journal.seq)).toEqual([]);
  expect(journal.since(journal.seq + 1)).toBeUndefined();
});

test('a text of any length takes a bounded part of the memory', () => {
  const journal = new Journal(new ManualClock(), 'host0', 'host0');
  const long = 'x'.repeat(1_000_000);
  journal.record({ kind: 'step failed', message: long, object: long, item: long, step: long, remedy: long });
  expect(JSON.stringify(journal.recent()).length).toBeLessThan(25_000);
  expect(JSON.stringify(journal.condition({ kind: 'finding', message: long })).length).toBeLessThan(5_000);
});
