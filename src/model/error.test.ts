/** Renamed codes, and errors as JSON. */
import { expect, test } from 'vitest';
import { ERRORS, errorCodeOf, MeshError } from './error.ts';
import { RENAMED } from './renamed-errors.ts';

test('a renamed code is gone, and its new code exists', () => {
  for (const [old, now] of RENAMED) {
    expect(ERRORS).not.toHaveProperty(old);
    expect(ERRORS).toHaveProperty(now);
  }
});

test.each([
  ['MESH_CONF_SYNTAX', 'MESH_CONF_SYNTAX'],
  ['MESH_NET_SYNTAX', 'MESH_CONF_SYNTAX'],
  ['MESH_OF_TOMORROW', 'MESH_INTERNAL'],
  ['toString', 'MESH_INTERNAL'],
])('%s from another process is read as %s', (text, code) => expect(errorCodeOf(text)).toBe(code));

test('an error is the same after being JSON', () => {
  const error = new MeshError('MESH_CONF_SYNTAX', 'no', {
    object: 'a.conf',
    remedy: 'Write key=value',
    retryable: true,
  });
  const document: unknown = JSON.parse(JSON.stringify(error));
  expect(document).toEqual(error.toJSON());
  expect(MeshError.fromJSON(error.toJSON())).toEqual(error);
});
