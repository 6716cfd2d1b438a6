/** Errors as people see them on a terminal. */
import { expect, test } from 'vitest';
import { MeshError } from '../model/error.ts';
import { errorText } from './error-text.ts';

function at(text: string, column: number): string {
  const error = new MeshError('MESH_CONF_SYNTAX', 'the line is wrong', {
    place: { file: 'a.conf', line: 12, column, text },
  });
  return errorText(error, { color: false });
}

test('an error without a place shows its operation and object', () => {
  const error = new MeshError('MESH_KERNEL_REFUSED', 'the kernel refused', {
    operation: 'add link',
    object: 'br456',
    rule: 'A bridge has a free name.',
    remedy: 'Remove the other device.',
  });
  expect(errorText(error, { color: false })).toMatchInlineSnapshot(`
    "error: the kernel refused [MESH_KERNEL_REFUSED]
      while: add link: br456
      rule: A bridge has a free name.
      remedy: Remove the other device."
  `);
  expect(errorText(new MeshError('MESH_INTERNAL', 'a fault'), { color: false })).toBe('error: a fault [MESH_INTERNAL]');
});

test('the text to write stands alone', () => {
  const error = new MeshError('MESH_ADDRESS_INVALID', '10.0.0.1/8 has host bits set', { remedy: 'Write 10.0.0.0/8.' });
  expect(errorText(error, { color: false })).toMatchInlineSnapshot(`
    "error: 10.0.0.1/8 has host bits set [MESH_ADDRESS_INVALID]
      write: 10.0.0.0/8"
  `);
});

test('tabs keep the caret right', () => {
  expect(at('\tvni=\t0', 7)).toMatchInlineSnapshot(`
    "a.conf:12:7: error: the line is wrong [MESH_CONF_SYNTAX]
      12 |     vni=    0
         |             ^"
  `);
});

test('control characters are escaped in all parts', () => {
  expect(at('name=\x1b[2J\u202eevil', 6)).toMatchInlineSnapshot(`
    "a.conf:12:6: error: the line is wrong [MESH_CONF_SYNTAX]
      12 | name=\\x1b[2J\\u{202e}evil
         |      ^"
  `);
  const error = new MeshError('MESH_CONF_SYNTAX', 'bad \x1b[31m', { rule: '\u0007', remedy: 'Write \u2028' });
  expect(errorText(error, { color: false })).toMatchInlineSnapshot(`
    "error: bad \\x1b[31m [MESH_CONF_SYNTAX]
      rule: \\x07
      write: \\u{2028}"
  `);
});

test('a long line is shown around the caret', () => {
  const line = `${'a'.repeat(100)}X${'b'.repeat(100)}`;
  expect(at(line, 101)).toMatchInlineSnapshot(`
    "a.conf:12:101: error: the line is wrong [MESH_CONF_SYNTAX]
      12 | …aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaXbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb…
         |                                        ^"
  `);
  expect(at(line, 1)).toMatchInlineSnapshot(`
    "a.conf:12:1: error: the line is wrong [MESH_CONF_SYNTAX]
      12 | aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…
         | ^"
  `);
  expect(at(line, 201)).toMatchInlineSnapshot(`
    "a.conf:12:201: error: the line is wrong [MESH_CONF_SYNTAX]
      12 | …bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
         |                                                                             ^"
  `);
});

test('a long line is never cut within a surrogate pair', () => {
  expect(at('😀'.repeat(200), 201)).toMatchInlineSnapshot(`
    "a.conf:12:201: error: the line is wrong [MESH_CONF_SYNTAX]
      12 | …😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀…
         |                                        ^"
  `);
  expect(at(`a${'😀'.repeat(200)}`, 1)).not.toMatch(/\p{Cs}/u);
});

test('colours are optional, and a warning has its own', () => {
  const error = new MeshError('MESH_NET_KEY_SHARED', 'key is shared');
  expect(errorText(error, { color: true, severity: 'warning' })).toContain('\x1b[33mwarning:');
  expect(errorText(error, { color: true })).toContain('\x1b[31merror:');
});
