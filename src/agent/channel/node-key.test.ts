/** A node's key file: read again each time, and refused with a finding when it is open to others, damaged or of another machine. */

import { execFileSync } from 'node:child_process';
import { chmod, chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseMachineId } from '../../model/machine.ts';
import { channelPsk, keyIdentity } from '../../model/machine-key.ts';
import { pathsBelow } from '../../protocol/documents/paths.ts';
import { keyFileText } from '../../protocol/shapes/key-file.ts';
import { NodeKey } from './node-key.ts';

const machine = parseMachineId('10eff964');
const key = Buffer.alloc(32, 5);
const text = keyFileText({ identity: keyIdentity({ machine, generation: 3 }), key });
let root: string;
let path: string;
let nodeKey: NodeKey;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'mw-node-key-'));
  path = pathsBelow(root).keyFile;
  await mkdir(join(path, '..'), { recursive: true });
  nodeKey = new NodeKey(path, machine);
});
afterEach(() => rm(root, { recursive: true }));

test('no file is no fault, and a file that comes later is read', async () => {
  expect([await nodeKey.read(), nodeKey.health()]).toEqual([undefined, []]);
  await writeFile(path, text, { mode: 0o600 });
  expect(await nodeKey.read()).toEqual({ identity: '10eff964.3', psk: channelPsk(key) });
  expect(nodeKey.health()).toEqual([]);
});

const REFUSED: readonly [string, string, () => Promise<unknown>][] = [
  ['readable by its group', 'MESH_KEY_REFUSED', () => chmod(path, 0o640)],
  ['readable by all', 'MESH_KEY_REFUSED', () => chmod(path, 0o604)],
  ['of another user', 'MESH_KEY_REFUSED', () => chown(path, 65_534, 0)],
  ['cut', 'MESH_KEY_DAMAGED', () => writeFile(path, text.slice(0, 60))],
  ['changed in one digit', 'MESH_KEY_DAMAGED', () => writeFile(path, text.replace('0505', '0506'))],
  ['empty', 'MESH_KEY_DAMAGED', () => writeFile(path, '')],
  ['longer than a key file', 'MESH_KEY_DAMAGED', () => writeFile(path, ' '.repeat(5_000) + text)],
  ['of a later version', 'MESH_STATE_LATER', () => writeFile(path, text.replace('"version": 1', '"version": 2'))],
  [
    'of another machine',
    'MESH_KEY_REFUSED',
    () =>
      writeFile(
        path,
        keyFileText({ identity: keyIdentity({ machine: parseMachineId('2b1c0d3e'), generation: 1 }), key }),
      ),
  ],
  ['a directory', 'MESH_KEY_DAMAGED', () => rm(path).then(() => mkdir(path))],
  ['a pipe', 'MESH_KEY_DAMAGED', () => rm(path).then(() => execFileSync('mkfifo', ['-m', '600', path]))],
];

test.each(
  REFUSED,
)('a file that is %s is refused as %s, and the finding ends with a whole file', async (_, code, spoil) => {
  await writeFile(path, text, { mode: 0o600 });
  await spoil();
  expect(await nodeKey.read()).toBeUndefined();
  expect(nodeKey.health()).toMatchObject([{ code, severity: 'error', object: path }]);
  expect(JSON.stringify(nodeKey.health())).not.toContain(key.toString('hex').slice(0, 8));
  await rm(path, { recursive: true });
  await writeFile(path, text, { mode: 0o600 });
  expect(await nodeKey.read()).toBeDefined();
  expect(nodeKey.health()).toEqual([]);
});
