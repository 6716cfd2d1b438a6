/** The watch follows published and refused sets on a real disk. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
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

const open = async () => {
  watch = await OverlayWatch.open({ overlayStore, tree: '/host0', clock: systemClock });
};

test('names follow the set in force', async () => {
  await open();
  expect([...watch.names]).toEqual([]);
  const heard: string[] = [];
  watch.looks.subscribe((names) => heard.push([...names.values()].join()));
  await overlayStore.publish([{ machine: MACHINE, name: 'node1', packages: [] }], NOW);
  await vi.waitFor(() => expect(heard).toContain('node1'));
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
  await vi.waitFor(() => expect(watch.health()).toEqual([]));
});
