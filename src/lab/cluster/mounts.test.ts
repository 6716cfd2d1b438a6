/** Which file systems are below a lab. */
import { expect, test } from 'vitest';
import { mountsBelow } from './mounts.ts';

test('mount points below the directory, the innermost first', () => {
  const mounts = [
    'tmpfs /run tmpfs rw 0 0',
    'tmpfs /run/lab/one/state tmpfs rw 0 0',
    'tmpfs /run/lab/one/state/my\\040disk tmpfs rw 0 0',
    'tmpfs /run/lab/one-more tmpfs rw 0 0',
    '',
  ];
  expect(mountsBelow('/run/lab/one', mounts.join('\n'))).toEqual(['/run/lab/one/state/my disk', '/run/lab/one/state']);
});
