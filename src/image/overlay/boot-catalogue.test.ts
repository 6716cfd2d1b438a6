/** Which image and overlay a machine boots, and what it is told when it has none. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { MeshError } from '../../model/error.ts';
import { parseMachineId } from '../../model/machine.ts';
import { type CurrentImage, StoredBootCatalogue } from './boot-catalogue.ts';
import { OverlayStore } from './overlay-store.ts';

const MACHINE = parseMachineId('10eff964');
const NOW = new Date('2026-11-21T00:00:00Z');
const COMPILED = { name: 'node1', packages: [], overlay: { content: 'one', entries: [] } };

let state: string;
let overlayStore: OverlayStore;
let image: Awaited<ReturnType<CurrentImage['current']>>;
let catalogue: StoredBootCatalogue;

beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), 'mw-catalogue-'));
  overlayStore = new OverlayStore(state);
  image = undefined;
  catalogue = new StoredBootCatalogue({ current: async () => image }, overlayStore);
});

afterEach(() => rmSync(state, { recursive: true }));

/** The error by which a boot of the machine is refused. */
async function refusal(boot: Promise<unknown>): Promise<MeshError> {
  try {
    await boot;
  } catch (thrown) {
    return MeshError.from(thrown);
  }
  throw new TypeError('it boots');
}

test('an image has its generation, and its arguments joined', async () => {
  image = { generation: '0123456789abcdef', kernelArguments: [] };
  expect(await catalogue.image(MACHINE)).toEqual({ generation: '0123456789abcdef' });
  image = { generation: '0123456789abcdef', kernelArguments: ['quiet', 'console=ttyS0'] };
  expect(await catalogue.image(MACHINE)).toMatchObject({ commandLine: 'quiet console=ttyS0' });
});

test('without an image the error says how to build one', async () => {
  expect(await refusal(catalogue.image(MACHINE))).toMatchObject({
    code: 'MESH_BOOT_NO_IMAGE',
    object: MACHINE,
    message: 'host0 has no image for nodes',
    remedy: 'Build one with `mesh system image node`.',
  });
});

test('a machine boots its own overlay, or the default one', async () => {
  const [own] = (await overlayStore.publish([{ machine: MACHINE, ...COMPILED }], NOW)).machines;
  expect(await catalogue.overlay(MACHINE)).toEqual({
    sha256: own?.overlay?.sha256,
    path: join(state, 'overlays', `${own?.overlay?.sha256}.apkovl.tar.gz`),
  });
  await overlayStore.publish([{ machine: 'default', ...COMPILED }], NOW);
  expect(await catalogue.overlay(MACHINE)).toMatchObject({ sha256: own?.overlay?.sha256 });
});

test('a machine with SKIP boots nothing', async () => {
  await overlayStore.publish([{ machine: MACHINE, name: 'node1', packages: [] }], NOW);
  expect(await refusal(catalogue.overlay(MACHINE))).toMatchObject({
    code: 'MESH_BOOT_NO_OVERLAY',
    object: MACHINE,
    message: 'there is no overlay for machine 10eff964: its folder says SKIP',
    remedy: 'Remove the file SKIP, and run `mesh system configure`.',
  });
});

test('for an unknown machine the error says how to name it', async () => {
  expect(await refusal(catalogue.overlay(MACHINE))).toMatchObject({
    message: 'there is no overlay for machine 10eff964: none was compiled for it, and there is no default one',
    remedy: expect.stringMatching(/^Name it with `mesh node adopt 10eff964 NAME`, or /),
  });
});

test('while a newer tree is refused, the error names its first fault', async () => {
  const fault = new MeshError('MESH_USAGE', 'there is no key «flavour»', {
    place: { file: '/host0/machines/node1/manifest', line: 3, column: 1, text: 'flavour=x' },
  });
  await overlayStore.refuse(fault, 2, NOW);
  expect(await refusal(catalogue.overlay(MACHINE))).toMatchObject({
    message:
      'there is no overlay for machine 10eff964: /host0 does not compile, and what is in force has none for it: ' +
      'there is no key «flavour» (/host0/machines/node1/manifest, line 3)',
    remedy: expect.stringMatching(/^Run `mesh system configure`: /),
  });
});
