/** Faults are told, and findings for an hour. */
import { expect, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { MeshError } from '../../model/error.ts';
import { Journal } from './journal.ts';

test('a fault is an event and a finding, with its place in the source', async () => {
  const clock = new ManualClock();
  const { faults } = new Journal(clock, 'agent', 'node1');
  faults.tell('pass of the loop', new TypeError('x is not iterable'));
  faults.tell('pass of the loop', new TypeError('x is not iterable'));
  expect(faults.health()).toEqual([
    expect.objectContaining({ code: 'MESH_INTERNAL', severity: 'warning', object: 'pass of the loop' }),
  ]);
  expect(faults.health()[0]?.message).toMatch(/^pass of the loop: x is not iterable at .*faults\.test\.ts:\d+/);
  await clock.pass(3_600_001);
  expect(faults.health()).toEqual([]);
});

test('an error with a code keeps its object and remedy, and a long message is cut', () => {
  const journal = new Journal(new ManualClock(), 'agent', 'node1');
  const error = new MeshError('MESH_STATE_DAMAGED', 'x'.repeat(5_000), { object: 'ports.json', remedy: 'Plug again.' });
  journal.faults.tell('plugged ports', error);
  expect(journal.recent()).toEqual([
    expect.objectContaining({ kind: 'fault', code: 'MESH_STATE_DAMAGED', object: 'ports.json', remedy: 'Plug again.' }),
  ]);
  expect(journal.recent()[0]?.message.length).toBeLessThan(400);
});

test('a thrown value of any kind is told', () => {
  const journal = new Journal(new ManualClock(), 'agent', 'node1');
  for (const thrown of [undefined, null, 7, 'x', {}]) journal.faults.tell('a turn', thrown);
  expect(journal.recent()).toHaveLength(5);
});
