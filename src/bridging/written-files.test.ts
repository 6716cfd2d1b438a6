/** The administrator's files, replaced and brought back on a real disk. */
import { chmodSync, chownSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { textsOf, writeSteps } from './written-files.ts';

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'written-files-'));
});

afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

test('a file keeps its mode, owner and group', async () => {
  const file = join(root, 'interfaces');
  writeFileSync(file, 'before');
  chownSync(file, 1234, 2345);
  chmodSync(file, 0o666);
  await writeSteps(root, [{ path: '/interfaces', text: 'after' }]);
  const { mode, uid, gid } = statSync(file);
  expect([mode & 0o7777, uid, gid]).toEqual([0o666, 1234, 2345]);
});

test('a byte order mark comes back', async () => {
  writeFileSync(join(root, 'interfaces'), '\uFEFFauto lo\n');
  expect(await textsOf(root, [{ path: '/interfaces' }])).toEqual([{ path: '/interfaces', text: '\uFEFFauto lo\n' }]);
});

test('a link, and text of another encoding, are refused before anything is written', async () => {
  symlinkSync('elsewhere', join(root, 'link'));
  writeFileSync(join(root, 'latin'), Buffer.from('# caf\xe9\n', 'latin1'));
  await expect(textsOf(root, [{ path: '/link' }])).rejects.toMatchObject({ code: 'MESH_NIC_UNFIT' });
  await expect(textsOf(root, [{ path: '/latin' }])).rejects.toThrow('is no UTF-8 text');
  expect(await textsOf(root, [{ path: '/nothing' }])).toEqual([{ path: '/nothing' }]);
});
