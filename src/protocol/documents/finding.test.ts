/** Errors become findings with the right object, severity and remedy. */
import { expect, test } from 'vitest';
import { MeshError } from '../../model/error.ts';
import { findingOf, objectOf } from './finding.ts';

const place = { file: '/a.conf', line: 1, column: 1, text: 'x' };
const error = new MeshError('MESH_CONF_SYNTAX', 'the line is not key=value', {
  operation: 'read file',
  rule: 'A line is key=value.',
  remedy: 'Write key=value',
  place,
});

test('the caller names the object; the severity is error by default', () => {
  expect(findingOf(error, { object: 'node1' })).toEqual({
    code: 'MESH_CONF_SYNTAX',
    severity: 'error',
    object: 'node1',
    message: 'the line is not key=value',
    remedy: 'Write key=value',
  });
  expect(findingOf(error, { object: 'node1', severity: 'warning' })).toMatchObject({ severity: 'warning' });
  expect(findingOf(error.toJSON(), { object: 'node1' })).toEqual(findingOf(error, { object: 'node1' }));
});

test.each([
  [{ rule: 'A rule.', remedy: 'A remedy.' }, 'A remedy.'],
  [{ rule: 'A rule.' }, 'A rule.'],
  [{}, 'See `mesh events` for what led to it.'],
])('an error with %j has the remedy %j', (init, remedy) => {
  expect(findingOf(new MeshError('MESH_INTERNAL', 'no', init), { object: 'x' }).remedy).toBe(remedy);
});

test.each([
  [{ object: 'eth0', place }, 'eth0'],
  [{ place }, '/a.conf'],
  [{}, undefined],
])('an error with %j has the object %j', (init, object) => {
  expect(objectOf(new MeshError('MESH_INTERNAL', 'no', init))).toBe(object);
});
