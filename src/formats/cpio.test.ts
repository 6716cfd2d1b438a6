import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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

/** Python reads no cpio, and Debian's `cpio` need not be there: bsdtar or cpio tell where one is; the boot test where none is. */
const reader = ['cpio', 'bsdtar', 'busybox'].find((program) => spawnSync(program, ['--help']).error === undefined);

test.runIf(reader !== undefined)('other programs read it', () => {
  const directory = mkdtempSync(join(tmpdir(), 'mw-cpio-'));
  try {
    writeFileSync(join(directory, 'archive'), bytes(ENTRIES));
    const words = { cpio: 'cpio -it', bsdtar: 'bsdtar -tf -', busybox: 'busybox cpio -t' }[reader ?? 'cpio'];
    const listed = execFileSync('sh', ['-c', `${words} <archive`], { cwd: directory, encoding: 'utf8' });
    expect(listed.trim().split('\n')).toEqual(ENTRIES.map(({ path }) => path));
  } finally {
    rmSync(directory, { recursive: true });
  }
});
