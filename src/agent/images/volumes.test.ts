import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import { fileOrigin } from './file-origin.ts';
import { ImageCache } from './image-cache.ts';
import { sourceText } from './image-source.ts';
import { Volumes } from './volumes.ts';

let directory: string;
let cache: ImageCache;
let volumes: Volumes;
const ends: (() => unknown)[] = [];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'volumes-'));
  ends.push(() => rmSync(directory, { recursive: true, force: true }));
  cache = new ImageCache({
    directory: join(directory, 'cache'),
    clock: systemClock,
    journal: { record: () => {} },
    origin: (source) => fileOrigin(sourceText(source)),
  });
  await cache.open();
  volumes = new Volumes(cache, join(directory, 'volumes'), '/');
  execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', join(directory, 'base.qcow2'), '64M']);
});

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

interface ImageInfo {
  readonly format: string;
  readonly 'virtual-size': number;
  readonly 'full-backing-filename'?: string;
  readonly 'backing-filename-format'?: string;
}

function infoOf(path: string): ImageInfo {
  return JSON.parse(execFileSync('qemu-img', ['info', '-f', 'qcow2', '--output=json', path], { encoding: 'utf8' }));
}

async function errorOf(work: Promise<unknown>): Promise<MeshError> {
  return work.then(
    () => expect.fail('it went well'),
    (thrown: unknown) => MeshError.from(thrown),
  );
}

test('a volume is a thin file over its image, of a larger size if asked for, and is kept', async () => {
  const wanted = { type: 'qcow2', path: 'web/root.qcow2', source: join(directory, 'base.qcow2') } as const;
  const volume = await volumes.ensure({ ...wanted, sizeBytes: 128 * 1024 ** 2 });
  expect(volume).toMatchObject({ path: join(directory, 'volumes/web/root.qcow2'), format: 'qcow2', isReadOnly: false });
  const [image] = (await cache.view()).images;
  expect(infoOf(volume.path)).toMatchObject({
    'virtual-size': 128 * 1024 ** 2,
    'full-backing-filename': cache.shelf.pathOf(image?.sha256 ?? ''),
    'backing-filename-format': 'qcow2',
  });
  expect(image?.volumes).toEqual([volume.path]);
  expect(statSync(volume.path).mode & 0o777).toBe(0o600);

  const before = statSync(volume.path).ino;
  await Promise.all([volumes.ensure(wanted), volumes.ensure(wanted)]);
  expect(statSync(volume.path).ino).toBe(before);
  expect(await errorOf(cache.remove(wanted.source))).toMatchObject({ code: 'MESH_DISK_IMAGE_USED' });
  await volumes.remove(wanted);
  await cache.remove(wanted.source);
  expect(readdirSync(join(directory, 'volumes/web'))).toEqual([]);
});

test('lists of images that are asked for while a volume is made do not lose the use of its image', async () => {
  const wanted = { type: 'qcow2', path: 'root.qcow2', source: join(directory, 'base.qcow2') } as const;
  const { sha256 } = await cache.ensure(wanted);
  let isMade = false;
  const made = volumes.ensure(wanted).finally(() => {
    isMade = true;
  });
  while (!isMade) {
    await cache.view();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { path } = await made;
  expect(await cache.viewOf(sha256)).toMatchObject({ volumes: [path] });
  expect(await errorOf(cache.remove(sha256))).toMatchObject({ code: 'MESH_DISK_IMAGE_USED' });
});

test('the format of a raw image is given, whatever a guest has written into it', async () => {
  writeFileSync(join(directory, 'raw.img'), Buffer.alloc(1024 ** 2, 'x\0'));
  const volume = await volumes.ensure({ type: 'qcow2', path: 'raw.qcow2', source: join(directory, 'raw.img') });
  expect(infoOf(volume.path)).toMatchObject({ 'backing-filename-format': 'raw', 'virtual-size': 1024 ** 2 });
});

test('an empty disk needs a size, and an ISO is the file of the cache itself', async () => {
  const empty = await volumes.ensure({ type: 'qcow2', path: 'empty.qcow2', sizeBytes: 1024 ** 2 });
  expect(infoOf(empty.path)).toMatchObject({ 'virtual-size': 1024 ** 2 });
  writeFileSync(join(directory, 'cd.iso'), Buffer.alloc(4096, 'iso\0'));
  const iso = await volumes.ensure({ type: 'iso', path: 'cd.iso', source: join(directory, 'cd.iso') });
  expect(iso).toMatchObject({ format: 'raw', isReadOnly: true });
  expect(readFileSync(iso.path)).toEqual(readFileSync(join(directory, 'cd.iso')));
  expect(statSync(iso.path).mode & 0o222).toBe(0);
});

test.each([
  ['a size below that of the image', { source: 'base.qcow2', sizeBytes: 1024 }, 'smaller than its image'],
  ['neither source nor size', {}, 'is not there'],
  ['a path out of the directory', { path: '../x', sizeBytes: 1024 }, 'leads out of'],
])('a volume with %s is refused, and nothing is made', async (_, more: {
  source?: string;
  sizeBytes?: number;
  path?: string;
}, says) => {
  const source = more.source === undefined ? {} : { source: join(directory, more.source) };
  const error = await errorOf(volumes.ensure({ type: 'qcow2', path: 'x.qcow2', ...more, ...source }));
  expect(error).toMatchObject({ code: 'MESH_VOLUME_REFUSED', message: expect.stringContaining(says) });
  expect(existsSync(join(directory, 'volumes/x.qcow2'))).toBe(false);
});

test('a file that is no qcow2 is not taken for one', async () => {
  mkdirSync(join(directory, 'volumes'), { recursive: true });
  writeFileSync(join(directory, 'volumes/junk.qcow2'), Buffer.alloc(512, 'junk\0'));
  expect(await errorOf(volumes.ensure({ type: 'qcow2', path: 'junk.qcow2' }))).toMatchObject({
    message: expect.stringContaining('is no qcow2 file'),
  });
});

describe('a volume that is there', () => {
  const path = 'root.qcow2';
  const file = () => join(directory, 'volumes', path);
  const make = (...args: string[]) => {
    mkdirSync(join(directory, 'volumes'), { recursive: true });
    execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', ...args]);
  };
  const wanted = () => ({ type: 'qcow2', path, source: join(directory, 'base.qcow2') }) as const;

  /** Another text of the same length in the header of the volume. */
  function rewrite(old: string, text: string): void {
    const bytes = readFileSync(file());
    const at = bytes.indexOf(old);
    expect(at).toBeGreaterThan(0);
    bytes.write(text, at);
    writeFileSync(file(), bytes);
  }

  async function refusal(): Promise<MeshError> {
    const error = await errorOf(volumes.ensure(wanted()));
    expect(error).toMatchObject({ remedy: expect.stringContaining('qemu-img convert -O qcow2') });
    return error;
  }

  test.each([
    '/etc/shadow',
    'json:{"driver":"file","filename":"/etc/shadow"}',
    'nbd:127.0.0.1:10809',
  ])('over %s is refused', async (below) => {
    mkdirSync(join(directory, 'volumes'), { recursive: true });
    for (const version of ['0.10', '1.1']) {
      make('-u', '-o', `compat=${version}`, '-b', below, '-F', 'raw', file(), '1M');
      expect(await refusal()).toMatchObject({
        code: 'MESH_VOLUME_REFUSED',
        message: expect.stringContaining(JSON.stringify(below)),
      });
    }
  });

  test('over an image of the cache is kept, and refused once a guest has named another file, image or format', async () => {
    const volume = await volumes.ensure(wanted());
    const bytes = readFileSync(volume.path);
    expect(await volumes.ensure(wanted())).toEqual(volume);
    const [image] = (await cache.view()).images;
    const base = cache.shelf.pathOf(image?.sha256 ?? '');
    rewrite(base, '/etc/shadow'.padStart(base.length, '/'));
    expect((await refusal()).message).toContain('etc/shadow');
    // An image of the cache that belongs to another volume.
    writeFileSync(join(directory, 'raw.img'), Buffer.alloc(1024 ** 2, 'x\0'));
    const other = await cache.ensure({ source: join(directory, 'raw.img') });
    writeFileSync(volume.path, bytes);
    rewrite(base, other.path);
    expect((await refusal()).message).toContain(other.path);
    writeFileSync(volume.path, bytes);
    rewrite('qcow2', 'vmdk\0');
    expect((await refusal()).message).toContain('does not say that its image is qcow2');
    make('-u', '-b', base, '-F', 'qcow2', file(), '1M');
    expect(await volumes.ensure(wanted())).toMatchObject({ format: 'qcow2' });
    // Without the extension, QEMU would guess.
    const mute = readFileSync(file());
    mute.writeUInt32BE(0x7fffffff, mute.indexOf(Buffer.from('e2792aca', 'hex')));
    writeFileSync(file(), mute);
    expect((await refusal()).message).toContain('does not say that its image is qcow2');
  });

  test('with its data in another file is refused', async () => {
    make('-o', `data_file=${join(directory, 'data.raw')}`, file(), '1M');
    expect((await refusal()).message).toContain('its data in another file');
  });
});

test('a full disk leaves no half volume, and a volume in memory is counted', async () => {
  const place = join(directory, 'small');
  mkdirSync(place);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', place]);
  ends.push(() => execFileSync('umount', [place]));
  const path = join(place, 'disk.qcow2');
  expect(await volumes.ensure({ type: 'qcow2', path, sizeBytes: 1024 ** 2 })).toMatchObject({ memoryBytes: 1024 ** 2 });
  const iso = join(place, 'cd.iso');
  writeFileSync(iso, Buffer.alloc(4_096));
  expect(await volumes.ensure({ type: 'iso', path: iso })).toMatchObject({ memoryBytes: 0 });
  rmSync(iso);
  writeFileSync(join(place, 'fill'), Buffer.alloc(700_000));
  const error = await errorOf(volumes.ensure({ type: 'qcow2', path: `${path}2`, sizeBytes: 1024 ** 3 }));
  expect(error).toMatchObject({ code: 'MESH_DISK_REFUSED', remedy: expect.stringContaining('Make room') });
  expect(readdirSync(place).toSorted()).toEqual(['disk.qcow2', 'fill']);
});
