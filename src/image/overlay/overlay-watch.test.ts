/** The watch follows published and refused sets on a real disk. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { PATIENCE } from '../../../test/kit/patience.ts';
import { systemClock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import { parseMachineId } from '../../model/machine.ts';
import { OverlayStore } from './overlay-store.ts';
import { OverlayWatch } from './overlay-watch.ts';

const MACHINE = parseMachineId('10eff964');
const NOW = new Date('2026-11-21T00:00:00Z');
const FAULT = new MeshError('MESH_USAGE', 'there is no key «flavour»', {
  place: { file: '/host0/machines/node1/manifest', line: 3, column: 1, text: 'flavour=x' },
  remedy: 'Remove the line.',
});

let state: string;
let overlayStore: OverlayStore;
let watch: OverlayWatch;

beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), 'mw-overlay-watch-'));
  overlayStore = new OverlayStore(state);
});

afterEach(() => {
  watch.close();
  rmSync(state, { recursive: true });
});

const open = async (tree = '/host0') => {
  watch = await OverlayWatch.open({ overlayStore, tree, clock: systemClock });
};

test('names follow the set in force', async () => {
  await open();
  expect([...watch.names]).toEqual([]);
  const heard: string[] = [];
  watch.looks.subscribe((names) => heard.push([...names.values()].join()));
  await overlayStore.publish([{ machine: MACHINE, name: 'node1', packages: [] }], NOW);
  await vi.waitFor(() => expect(heard).toContain('node1'), PATIENCE);
  expect([...watch.names]).toEqual([[MACHINE, 'node1']]);
});

test('a refused tree is a finding, with the first fault and the number of others', async () => {
  await overlayStore.refuse(FAULT, 3, NOW);
  await open();
  expect(watch.health()).toEqual([
    {
      code: 'MESH_USAGE',
      severity: 'error',
      object: '/host0',
      message:
        '/host0/machines/node1/manifest:3:1: there is no key «flavour»; the tree was refused, with 2 more faults, ' +
        'and machines boot with what they had',
      remedy: 'Remove the line; then run `mesh system configure`, which shows every fault.',
    },
  ]);
});

test('the finding ends when the next set is put in force', async () => {
  await overlayStore.refuse(FAULT, 1, NOW);
  await open();
  expect(watch.health()[0]?.message).toContain('; the tree was refused, and machines boot');
  await overlayStore.publish([], NOW);
  await vi.waitFor(() => expect(watch.health()).toEqual([]), PATIENCE);
});

test('without its index, host0 knows the names of its machines, and `mesh system configure` heals the loss', async () => {
  const machines = [{ machine: MACHINE, name: 'node1', packages: [] }];
  await overlayStore.publish(machines, NOW);
  const index = join(state, 'overlays/index.json');
  writeFileSync(index, readFileSync(index, 'utf8').replace('node1', 'node7'));
  const folder = join(state, 'host0/machines/node1');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'UUID'), `${MACHINE}\n`);
  await open(join(state, 'host0'));
  expect([...watch.names]).toEqual([[MACHINE, 'node1']]);
  expect(watch.health()).toMatchObject([{ code: 'MESH_STATE_DAMAGED', object: index }]);
  // Another process, as the command is.
  await new OverlayStore(state).publish(machines, NOW);
  await vi.waitFor(() => expect(watch.health()).toEqual([]), PATIENCE);
  expect([...watch.names]).toEqual([[MACHINE, 'node1']]);
});

test('an index of a later version stays as it is', async () => {
  const index = join(state, 'overlays/index.json');
  mkdirSync(join(state, 'overlays'));
  writeFileSync(index, '{"version":2}');
  await open();
  expect(watch.health()).toMatchObject([{ code: 'MESH_STATE_LATER', object: index }]);
  await expect(new OverlayStore(state).publish([], NOW)).rejects.toMatchObject({ code: 'MESH_STATE_LATER' });
  expect(readFileSync(index, 'utf8')).toBe('{"version":2}');
});
