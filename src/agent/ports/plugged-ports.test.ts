/** Proves that the record of the plugged ports is read as written, also between older agents and this one. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { NetworkId } from '../../model/network/network.ts';
import type { PortRecord } from './foreign-ports.ts';
import { readPlugged, writePlugged } from './plugged-ports.ts';

const network = 'mesh-456' as NetworkId;
const RECORD: PortRecord = { plugged: [{ link: 'tap0', network }], unplugging: [{ link: 'tap1', network }] };

async function file(text?: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'mw-ports-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  const path = join(directory, 'ports.json');
  if (text !== undefined) await writeFile(path, text);
  return path;
}

test('a written record is read back', async () => {
  const path = await file();
  expect(await readPlugged(path)).toEqual({ plugged: [], unplugging: [] });
  await writePlugged(path, RECORD);
  expect(await readPlugged(path)).toEqual(RECORD);
});

test('to an older agent, a port that is being taken off belongs to no network', async () => {
  const path = await file();
  await writePlugged(path, RECORD);
  const entries: unknown = JSON.parse(await readFile(path, 'utf8'));
  expect(entries).toEqual([
    { link: 'tap0', network: 'mesh-456' },
    { link: 'tap1', network: '', unpluggedFrom: 'mesh-456' },
  ]);
});

test.each([
  ['an older agent', '[{"link":"tap0","network":"mesh-456"}]\n'],
  ['an older agent, over a file of this one', '[{"link":"tap0","network":"mesh-456"},{"link":"tap1","network":""}]\n'],
])('a file that %s wrote is read', async (_, text) => {
  expect(await readPlugged(await file(text))).toEqual({ plugged: RECORD.plugged, unplugging: [] });
});

test.each(['', '{}', '[1]', '[{"link":"tap0"}]'])('a file that holds %j is no list of ports', async (text) => {
  await expect(readPlugged(await file(text))).rejects.toMatchObject({ code: 'MESH_STATE_DAMAGED' });
});
