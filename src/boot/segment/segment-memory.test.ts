/** Which other servers host0 still knows after a restart. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type Ipv4, parseIpv4Cidr } from '../../model/address/ipv4.ts';
import { parseMac } from '../../model/address/mac.ts';
import type { HeardServer } from '../frames/observation.ts';
import { firstState, judge, type ModeState } from './boot-mode.ts';
import { SegmentMemory } from './segment-memory.ts';

const OFFICE: HeardServer = {
  server: '192.168.44.1' as Ipv4,
  mac: parseMac('02:00:00:00:00:01'),
  gives: 'addresses',
  subnet: parseIpv4Cidr('192.168.44.0/24'),
};

function file(): string {
  const directory = mkdtempSync(join(tmpdir(), 'mw-memory-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  return join(directory, 'servers.json');
}

function after(state: ModeState, ...events: Parameters<typeof judge>[1][]): ModeState {
  return events.reduce((now, event) => judge(now, event, 1_000_000, { isGuest: false }).state, state);
}

test('a server is known after a restart, and no more once its segment is known to be without one', async () => {
  const path = file();
  const first = await SegmentMemory.open(path);
  expect(first.serversOn(['eth1'])).toEqual([]);
  first.note('eth1', after(firstState('auto', 0), { type: 'server', heard: OFFICE }));
  first.note('eth2', after(firstState('auto', 0), { type: 'server', heard: { ...OFFICE, gives: 'boot files' } }));
  await first.saved();

  const second = await SegmentMemory.open(path);
  expect(second.serversOn(['eth1', 'eth3'])).toEqual([OFFICE]);
  expect(second.serversOn(['eth3'])).toEqual([]);
  // A watch that has just begun knows nothing yet.
  second.note('eth1', firstState('auto', 0));
  expect(second.serversOn(['eth1'])).toEqual([OFFICE]);
  second.note('eth1', after(firstState('auto', 0), { type: 'probed', answered: false }));
  await second.saved();
  expect((await SegmentMemory.open(path)).serversOn(['eth1'])).toEqual([]);
  expect((await SegmentMemory.open(path)).serversOn(['eth2'])).toMatchObject([{ gives: 'boot files' }]);
});

test('a spoilt file or entry costs only itself', async () => {
  const path = file();
  writeFileSync(path, '[{"port": "eth1"');
  const memory = await SegmentMemory.open(path);
  memory.note('eth1', after(firstState('auto', 0), { type: 'server', heard: OFFICE }));
  await memory.saved();
  writeFileSync(path, readFileSync(path, 'utf8').replace('[', '[{"port": "eth2", "server": "x"},'));
  expect((await SegmentMemory.open(path)).serversOn(['eth1', 'eth2'])).toEqual([OFFICE]);
});
