/** Proves that the record of the plugged ports is read as written, also between older agents and this one. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { NetworkId } from '../../model/network/number.ts';
import type { PortRecord } from './foreign-ports.ts';
import { PluggedPortsFile } from './plugged-ports.ts';

const network = 'mesh-456' as NetworkId;
const RECORD: PortRecord = { plugged: [{ link: 'tap0', network }], unplugging: [{ link: 'tap1', network }] };

async function pathOf(text?: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'mw-ports-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  const path = join(directory, 'ports.json');
  if (text !== undefined) await writeFile(path, text);
  return path;
}

test('a written record is read back', async () => {
  const path = await pathOf();
  expect(await new PluggedPortsFile(path).read()).toEqual({ plugged: [], unplugging: [] });
  await new PluggedPortsFile(path).write(RECORD);
  const file = new PluggedPortsFile(path);
  expect(await file.read()).toEqual(RECORD);
  expect(file.health()).toEqual([]);
});

test('to an older agent, a port that is being taken off belongs to no network', async () => {
  const path = await pathOf();
  await new PluggedPortsFile(path).write(RECORD);
  const entries: unknown = JSON.parse(await readFile(path, 'utf8'));
  expect(entries).toEqual([
    { version: 1, checksum: expect.stringMatching(/^[0-9a-f]{32}$/), link: '-', network: '' },
    { link: 'tap0', network: 'mesh-456' },
    { link: 'tap1', network: '', unpluggedFrom: 'mesh-456' },
  ]);
});

test.each([
  ['an older agent', '[{"link":"tap0","network":"mesh-456"}]\n'],
  ['an older agent, over a file of this one', '[{"link":"tap0","network":"mesh-456"},{"link":"tap1","network":""}]\n'],
])('a file that %s wrote is read', async (_, text) => {
  expect(await new PluggedPortsFile(await pathOf(text)).read()).toEqual({ plugged: RECORD.plugged, unplugging: [] });
});

test.each([
  '',
  '{}',
  '[1]',
  '[{"link":"tap0"}]',
])('a file that holds %j is no record, and a finding until the damaged file is removed', async (text) => {
  const path = await pathOf(text);
  const file = new PluggedPortsFile(path);
  expect(await file.read()).toEqual({ plugged: [], unplugging: [] });
  const finding = {
    code: 'MESH_STATE_DAMAGED',
    severity: 'warning',
    object: path,
    remedy: `Plug the ports in again with \`mesh port plug\`. Then remove ${path}.damaged, which is the damaged file.`,
  };
  expect(file.health()).toMatchObject([finding]);
  await file.write(RECORD);
  const restarted = new PluggedPortsFile(path);
  expect(await restarted.read()).toEqual(RECORD);
  for (const one of [file, restarted]) expect(one.health()).toMatchObject([finding]);
  expect(await readFile(`${path}.damaged`, 'utf8')).toBe(text);
  await rm(`${path}.damaged`);
  expect([...file.health(), ...restarted.health()]).toEqual([]);
});

test('a port that waits for a network of host0 is kept, and is no port of any network to an older agent', async () => {
  const path = await pathOf();
  const wished = [{ link: 'tap2', networkName: 'blue' }];
  await new PluggedPortsFile(path).write({ ...RECORD, wished });
  expect(await new PluggedPortsFile(path).read()).toEqual({ ...RECORD, wished });
  expect(await readFile(path, 'utf8')).toMatch(/"link": "tap2",\s+"network": "",\s+"networkName": "blue"/);
});
