/** Which words of a command line belong to `mesh`. */
import { expect, test } from 'vitest';
import { ownWords, withSeparator } from './own-words.ts';

test.each([
  ['lab exec node1 mesh status --json', 'lab exec node1 -- mesh status --json'],
  ['lab exec node1 mesh lab exec host0 ls', 'lab exec node1 -- mesh lab exec host0 ls'],
  [
    '--json lab --name a exec --name b node1 --name c ip -j link',
    '--json lab --name a exec --name b node1 --name c -- ip -j link',
  ],
  ['--root /x lab exec node1 ls -l', '--root /x lab exec node1 -- ls -l'],
  ['lab exec node1 -- ls -l', 'lab exec node1 -- ls -l'],
  ['lab exec node1 ls -- -l', 'lab exec node1 -- ls -- -l'],
  ['lab exec node1', 'lab exec node1'],
  ['lab exec --help', 'lab exec --help'],
  ['lab up a b c d', 'lab up a b c d'],
  ['node ctl -n exec lab exec a b', 'node ctl -n exec lab exec a b'],
])('%s', (line, expected) => {
  const words = withSeparator(line.split(' '));
  expect(words.join(' ')).toBe(expected);
  expect(withSeparator(words)).toEqual(words);
  expect(ownWords(words).join(' ')).toBe(expected.split(' -- ')[0]);
});
