/** cpio archives, byte by byte and as busybox reads them. */
import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { type CpioEntry, cpio } from './cpio.ts';

const ENTRIES: readonly CpioEntry[] = [
  { kind: 'directory', path: 'etc', mode: 0o755 },
  { kind: 'file', path: 'etc/shadow', mode: 0o600, content: Buffer.from('root:*\n') },
  { kind: 'file', path: 'empty', mode: 0o644, content: Buffer.alloc(0) },
  { kind: 'directory', path: 'tmp', mode: 0o1777 },
  { kind: 'link', path: 'init', target: 'usr/lib/boot/init' },
];

const bytes = (entries: readonly CpioEntry[]) => Buffer.concat([...cpio(entries)]);

test('a header has the magic and thirteen fields of 8 hex digits, then the name, to a multiple of four', () => {
  const [, content] = bytes(ENTRIES.slice(1, 2))
    .toString('latin1')
    .split(/(?=root:\*)/);
  const fields = [
    '00000001', // inode
    '00008180', // S_IFREG | 0600
    '00000000', // user
    '00000000', // group
    '00000001', // links
    '00000000', // time
    '00000007', // size
    ...Array<string>(4).fill('00000000'), // devices
    '0000000b', // length of the name with its NUL
    '00000000', // checksum
  ];
  const text = bytes(ENTRIES.slice(1, 2)).toString('latin1');
  expect(text.slice(0, 124)).toBe(`070701${fields.join('')}etc/shadow\0${'\0'.repeat(3)}`);
  expect(content?.slice(0, 14)).toBe('root:*\n\x00070701');
});

test('the archive ends with its trailer, in whole blocks, and is the same each time', () => {
  const archive = bytes(ENTRIES);
  expect(archive.length % 512).toBe(0);
  expect(archive.includes('TRAILER!!!\0')).toBe(true);
  expect(bytes(ENTRIES).equals(archive)).toBe(true);
});

test('a file of more than 4 GiB is refused', () => {
  const content = { length: 2 ** 32 } as Uint8Array;
  expect(() => [...cpio([{ kind: 'file', path: 'large', mode: 0o644, content }])]).toThrow('more than cpio can hold');
});

test('busybox reads the archive', () => {
  const listed = execFileSync('busybox', ['cpio', '-tv'], { input: bytes(ENTRIES), encoding: 'utf8' });
  // Size and date are between the owner and the path.
  expect(
    listed
      .trim()
      .split('\n')
      .map((line) => line.replace(/ {2,}.*:00/, '')),
  ).toEqual([
    'drwxr-xr-x 0/0 etc',
    '-rw------- 0/0 etc/shadow',
    '-rw-r--r-- 0/0 empty',
    'drwxrwxrwt 0/0 tmp',
    'lrwxrwxrwx 0/0 init -> usr/lib/boot/init',
  ]);
});
