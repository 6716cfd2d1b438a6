/** `mesh genid`: identifiers, the machine id, and what it refuses. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { mesh } from '../../../test/cli/mesh.ts';
import { pathsBelow } from '../../protocol/documents/paths.ts';

let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'mesh-genid-'));
});

afterEach(() => rm(root, { recursive: true }));

async function genid(...words: string[]): Promise<string> {
  return (await mesh(['--root', root, 'genid', ...words])).stdout;
}

test('the published vector of a VTEP address', async () => {
  expect(await genid('vxlan', '456', '10eff964', 'manage456', '10')).toBe('7e617a4ad5\n');
});

test('a machine by its product UUID, in any case of letters', async () => {
  const lower = await genid('machine', '8', '--product-uuid', '4c4c4544-0042-3510-8054-b7c04f4b3332');
  expect(lower).toMatch(/^[0-9a-f]{8}\n$/);
  expect(await genid('machine', '8', '--product-uuid', '4C4C4544-0042-3510-8054-B7C04F4B3332')).toBe(lower);
});

test.each([
  '00000000-0000-0000-0000-000000000000',
  '03000200-0400-0500-0006-000700080009',
  'abc',
])('%s identifies no machine', async (uuid) => {
  await expect(genid('machine', '8', '--product-uuid', uuid)).rejects.toMatchObject({ code: 'MESH_MACHINE_INVALID' });
});

test('this machine, with the sources that were asked', async () => {
  const { machineFile } = pathsBelow(root);
  mkdirSync(dirname(machineFile), { recursive: true });
  writeFileSync(machineFile, '10eff964\n');
  expect(await genid('machine', '8')).toBe('10eff964\n');
  const lines = (await genid('machine', '8', '--explain')).replaceAll(root, 'ROOT').split('\n');
  expect(lines.map((line) => line.split(/ {2,}/))).toEqual([
    ['SOURCE', 'PLACE', 'VALUE', 'VERDICT'],
    ['option', '--machine', '-', 'not there'],
    ['environment', 'MESH_MACHINE', '-', 'not there'],
    ['file', 'ROOT/etc/meshwork/machine', '10eff964', 'taken'],
    [''],
    ['10eff964'],
    [''],
  ]);
});

test.each([['machine', '9'], ['8'], ['machine'], ['a', '65'], ['a', '0']])('%s %s is usage', async (...words) => {
  await expect(genid(...words)).rejects.toMatchObject({ code: 'MESH_USAGE' });
});
