/** System errors in words. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { MeshError } from '../model/error.ts';
import { explained, pathWord } from './system-error.ts';

function failureOf(call: () => unknown): MeshError {
  try {
    call();
  } catch (thrown) {
    return explained(MeshError.from(thrown));
  }
  throw new Error('did not fail');
}

test('an error of the system names the path, what it means and what to do', () => {
  const directory = mkdtempSync(join(tmpdir(), 'mw-system-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'file');
  writeFileSync(file, '');
  expect(failureOf(() => mkdirSync(join(file, 'run')))).toMatchObject({
    code: 'MESH_DISK_REFUSED',
    exitCode: 5,
    message: `${file}/run: a part of the path is not a directory`,
    operation: 'mkdir',
    object: `${file}/run`,
    remedy: expect.stringContaining('--root'),
  });
  expect(failureOf(() => readFileSync(join(directory, 'nothing')))).toMatchObject({
    code: 'MESH_OBJECT_UNKNOWN',
    exitCode: 6,
    message: `${directory}/nothing: there is no such file or directory`,
  });
  expect(failureOf(() => readFileSync(directory))).toMatchObject({ code: 'MESH_DISK_REFUSED' });
});

test('an error that is explained already, and a fault of the program, stay as they are', () => {
  const cause = Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' });
  const own = new MeshError('MESH_NET_UNKNOWN', 'no such network', { cause });
  expect(explained(own)).toBe(own);
  const fault = MeshError.from(new TypeError('x is undefined'));
  expect(explained(fault)).toBe(fault);
});

test('a path that a shell would take apart is no word of a command', () => {
  expect(['/host0/network/a-b_1.conf', '-rf', 'a b.conf', 'a;b.conf', '$(b).conf', "a'.conf"].map(pathWord)).toEqual([
    '/host0/network/a-b_1.conf',
    'FILE',
    'FILE',
    'FILE',
    'FILE',
    'FILE',
  ]);
});
