/** Which image and overlay a machine boots, and what it is told when it has none. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { MeshError } from '../../model/error.ts';
import { parseMachineId } from '../../model/machine.ts';
import { type CurrentImage, type MirrorBoot, StoredBootCatalogue } from './boot-catalogue.ts';
import { Overlay, unpackOverlay } from './overlay.ts';
import { OverlayStore } from './overlay-store.ts';

const MACHINE = parseMachineId('10eff964');
const NOW = new Date('2026-11-21T00:00:00Z');
const COMPILED = { name: 'node1', packages: [], overlay: { content: 'one', entries: [] } };

const HOST0 = '10.11.0.1';
const IMAGE = { kernel: '/image/0123456789abcdef/vmlinuz', initrd: '/image/0123456789abcdef/initrd.img' };
const GENERATION: MirrorBoot = {
  generation: 7,
  repositories: [
    { path: 'v3.21/main' },
    { path: 'v3.21/community' },
    { path: 'edge/testing', tag: 'testing' },
    { path: 'meshwork/agent' },
  ],
  kernel: 'vmlinuz-lts',
  initramfs: 'initramfs-lts',
  modloop: 'modloop-lts',
  key: { name: 'host0-0123abcd.rsa.pub', pem: 'PEM\n' },
};

let state: string;
let mirror: MirrorBoot | undefined;
let overlayStore: OverlayStore;
let image: Awaited<ReturnType<CurrentImage['current']>>;
let catalogue: StoredBootCatalogue;

beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), 'mw-catalogue-'));
  overlayStore = new OverlayStore(state);
  image = undefined;
  mirror = undefined;
  catalogue = new StoredBootCatalogue(
    { current: async () => image },
    { boot: async () => mirror },
    overlayStore,
    () => NOW,
  );
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
  expect(await catalogue.image(MACHINE)).toEqual(IMAGE);
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
  expect(await catalogue.overlay(MACHINE, IMAGE, HOST0)).toEqual({
    sha256: own?.overlay?.sha256,
    path: join(state, 'overlays', `${own?.overlay?.sha256}.apkovl.tar.gz`),
  });
  await overlayStore.publish([{ machine: 'default', ...COMPILED }], NOW);
  expect(await catalogue.overlay(MACHINE, IMAGE, HOST0)).toMatchObject({ sha256: own?.overlay?.sha256 });
});

test('a machine with SKIP boots nothing', async () => {
  await overlayStore.publish([{ machine: MACHINE, name: 'node1', packages: [] }], NOW);
  expect(await refusal(catalogue.overlay(MACHINE, IMAGE, HOST0))).toMatchObject({
    code: 'MESH_BOOT_NO_OVERLAY',
    object: MACHINE,
    message: 'there is no overlay for machine 10eff964: its folder says SKIP',
    remedy: 'Remove the file SKIP, and run `mesh system configure`.',
  });
});

test('for an unknown machine the error says how to name it', async () => {
  expect(await refusal(catalogue.overlay(MACHINE, IMAGE, HOST0))).toMatchObject({
    message: 'there is no overlay for machine 10eff964: none was compiled for it, and there is no default one',
    remedy: expect.stringMatching(/^Name it with `mesh node adopt 10eff964 NAME`, or /),
  });
});

test('while a newer tree is refused, the error names its first fault', async () => {
  const fault = new MeshError('MESH_USAGE', 'there is no key «flavour»', {
    place: { file: '/host0/machines/node1/manifest', line: 3, column: 1, text: 'flavour=x' },
  });
  await overlayStore.refuse(fault, 2, NOW);
  expect(await refusal(catalogue.overlay(MACHINE, IMAGE, HOST0))).toMatchObject({
    message:
      'there is no overlay for machine 10eff964: /host0 does not compile, and what is in force has none for it: ' +
      'there is no key «flavour» (/host0/machines/node1/manifest, line 3)',
    remedy: expect.stringMatching(/^Run `mesh system configure`: /),
  });
});

/** Publishes a machine with Alpine whose overlay has these files, and returns the texts of the overlay of its boot. */
async function alpineBoot(files: Readonly<Record<string, string>>, host0 = HOST0): Promise<Map<string, string>> {
  const overlay = new Overlay();
  for (const [path, text] of Object.entries(files)) overlay.putFile(path, text);
  const { entries } = overlay;
  const compiled = { name: 'node1', packages: [], overlay: { content: JSON.stringify(files), entries } };
  await overlayStore.publish([{ machine: MACHINE, flavor: 'alpine', ...compiled }], NOW);
  const { path } = await catalogue.overlay(MACHINE, await catalogue.image(MACHINE), host0);
  const found = await unpackOverlay(readFileSync(path));
  return new Map(
    found.flatMap((one) => (one.type === 'file' ? [[one.path, Buffer.from(one.content).toString()]] : [])),
  );
}

test('a machine with Alpine boots from the current generation, and keeps it', async () => {
  mirror = GENERATION;
  const files = await alpineBoot({ 'etc/hostname': 'node1\n' });
  expect(await catalogue.image(MACHINE)).toEqual({
    kernel: '/alpine/7/boot/vmlinuz-lts',
    initrd: '/alpine/7/boot/initramfs-lts',
    mirror: { generation: 7, repositories: GENERATION.repositories, modloop: '/alpine/7/boot/modloop-lts' },
  });
  expect(files.get('etc/apk/repositories')).toBe(`http://10.11.0.1/alpine/7/v3.21/main
http://10.11.0.1/alpine/7/v3.21/community
@testing http://10.11.0.1/alpine/7/edge/testing
http://10.11.0.1/alpine/7/meshwork/agent
`);
  expect(files.get('etc/hostname')).toBe('node1\n');
  expect((await alpineBoot({})).get('etc/hostname')).toBe('10eff964\n');
  expect(files.get('etc/apk/keys/host0-0123abcd.rsa.pub')).toBe('PEM\n');
  expect(files.get('etc/hosts')).toBe(
    '127.0.0.1 localhost localhost.localdomain\n::1 localhost localhost.localdomain\n10.11.0.1 host0\n',
  );
});

test('the same boot is the same file, and another segment or generation is another one', async () => {
  mirror = GENERATION;
  await alpineBoot({});
  const image = await catalogue.image(MACHINE);
  const first = await catalogue.overlay(MACHINE, image, HOST0);
  expect(await catalogue.overlay(MACHINE, image, HOST0)).toEqual(first);
  expect((await catalogue.overlay(MACHINE, image, '10.11.1.1')).sha256).not.toBe(first.sha256);
  mirror = { ...GENERATION, generation: 8 };
  // The machine that began with generation 7 still gets the overlay of that one.
  expect(await catalogue.overlay(MACHINE, image, HOST0)).toEqual(first);
  expect((await catalogue.overlay(MACHINE, await catalogue.image(MACHINE), HOST0)).sha256).not.toBe(first.sha256);
});

test("an administrator's own repositories and hosts stay", async () => {
  mirror = GENERATION;
  const own = { 'etc/apk/repositories': 'http://elsewhere/main\n', 'etc/hosts': '10.0.0.9 host0 # elsewhere' };
  expect(Object.fromEntries(await alpineBoot(own))).toMatchObject(own);
  const without = await alpineBoot({ 'etc/hosts': '10.0.0.9 nas # not host0' });
  expect(without.get('etc/hosts')).toBe('10.0.0.9 nas # not host0\n10.11.0.1 host0\n');
});

test('without a mirror the error says how to make one', async () => {
  await overlayStore.publish([{ machine: MACHINE, flavor: 'alpine', ...COMPILED }], NOW);
  expect(await refusal(catalogue.image(MACHINE))).toMatchObject({
    code: 'MESH_BOOT_NO_IMAGE',
    message: 'host0 has no mirror of Alpine',
    remedy: 'Make one with `mesh system download`, with `netboot` in mirror.conf.',
  });
});
