/** The mirror from a source on disk or on loopback to what machines fetch. */
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  indexContent,
  signedBy,
  type TestPackage,
  type TestSigner,
  testSigner,
  writeRepository,
} from '../../../test/kit/alpine-repository.ts';
import { readIndexArchive } from '../../formats/apk/index-archive.ts';
import { trustedKey } from '../../formats/apk/signature.ts';
import type { MirrorSettings } from '../../formats/host0/mirror-conf.ts';
import type { MeshError } from '../../model/error.ts';
import { trusting } from '../mirror-key.ts';
import { type DownloadInput, type DownloadProgress, download, type World } from './download.ts';
import { MirrorStore } from './mirror-store.ts';
import { requireRelease, SeenIndexes } from './seen-indexes.ts';
import { upstreamOf } from './upstream.ts';

const signer = testSigner();
const host0 = testSigner('host0-12345678.rsa.pub');
const PACKAGES: readonly TestPackage[] = [
  { title: 'alpine-base-3.19.1-r0', depends: 'busybox openrc', architecture: 'noarch', indexArchitecture: 'x86_64' },
  { title: 'busybox-1.36.1-r0', provides: 'cmd:sh=1.36.1-r0', depends: 'so:libc.so.1' },
  { title: 'musl-1.2.4-r0', provides: 'so:libc.so.1=1' },
  { title: 'openrc-0.52-r0', depends: 'so:libc.so.1' },
  { title: 'chrony-4.5-r0', depends: 'so:libcap.so.2' },
  { title: 'chrony-openrc-4.5-r0', installIf: 'openrc chrony=4.5-r0' },
  { title: 'libcap2-2.69-r0', provides: 'so:libcap.so.2=2.69' },
  { title: 'htop-3.2-r0' },
];
/** When no generation is young any more. */
const LATER = new Date('2026-12-02T00:00:00Z');
const NODE1: World = { machines: ['node1'], words: ['alpine-base', 'chrony'] };

let directory: string;
let source: string;
let state: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'mirror-'));
  [source, state] = [join(directory, 'source'), join(directory, 'state')];
  writeRepository(source, 'v3.19/main', PACKAGES, signer);
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

function settings(more: Partial<MirrorSettings> = {}): MirrorSettings {
  return {
    source,
    release: 'v3.19',
    repositories: [{ path: 'v3.19/main' }],
    architecture: 'x86_64',
    mode: 'exact',
    netboot: undefined,
    ...more,
  };
}

function input(more: Partial<DownloadInput> = {}): DownloadInput {
  const used = more.settings ?? settings();
  return {
    settings: used,
    keys: new Map([[signer.name, trustedKey(signer.name, signer.pem)]]),
    worlds: [NODE1],
    store: new MirrorStore(state),
    seen: new SeenIndexes(state),
    upstream: upstreamOf(used.source),
    signer: host0,
    now: new Date('2026-12-01T00:00:00Z'),
    ...more,
  };
}

const run = async (more: Partial<DownloadInput> = {}) => await download(input(more));

async function published(more: Partial<DownloadInput> = {}) {
  const result = await run(more);
  if (result.outcome !== 'published') throw new Error(`not published: ${JSON.stringify(result)}`);
  return result;
}

/** The error that a download ends with. */
async function fault(more: Partial<DownloadInput> = {}): Promise<MeshError> {
  return await run(more).then(
    (result) => {
      const [error] = result.outcome === 'refused' ? result.errors : [];
      if (error === undefined) throw new Error(`no error: ${result.outcome}`);
      return error;
    },
    (error: MeshError) => error,
  );
}

const served = (number: number | 'current', path: string) =>
  join(state, 'mirror/generations', `${number}`, 'files', path);
const NODE1_HAS = ['alpine-base', 'busybox', 'chrony', 'chrony-openrc', 'libcap2', 'musl', 'openrc'];
const namesOf = ({
  generation,
}: {
  readonly generation: { readonly packages: readonly { readonly name: string }[] };
}) => generation.packages.map(({ name }) => name).sort();

describe('a mirror', () => {
  test('has exactly what machines install, and an index of its own that they trust', async () => {
    const result = await published();
    expect(namesOf(result)).toEqual(NODE1_HAS);
    const index = readFileSync(served('current', 'v3.19/main/x86_64/APKINDEX.tar.gz'));
    expect(
      readIndexArchive(index, trusting(host0))
        .records.map(({ name }) => name)
        .sort(),
    ).toEqual(NODE1_HAS);
    // A package is what the source has, byte for byte.
    const file = 'v3.19/main/x86_64/chrony-4.5-r0.apk';
    expect(readFileSync(served('current', file))).toEqual(readFileSync(join(source, file)));
    expect(result.generation.packages.find(({ name }) => name === 'libcap2')?.why).toEqual({
      type: 'dependency',
      word: 'so:libcap.so.2',
      of: 'chrony-4.5-r0',
    });
  });

  test('does nothing when nothing has changed, and mends what is missing', async () => {
    await published();
    expect((await run()).outcome).toBe('unchanged');
    rmSync(served(1, 'v3.19/main/x86_64/chrony-4.5-r0.apk'));
    expect((await run()).outcome).toBe('published');
    expect(existsSync(served('current', 'v3.19/main/x86_64/chrony-4.5-r0.apk'))).toBe(true);
  });

  test('fetches only what is new', async () => {
    await published();
    const more = await published({ worlds: [NODE1, { machines: ['node2'], words: ['alpine-base', 'htop'] }] });
    expect(more.fetched).toBe(1);
    expect(namesOf(more)).toEqual([...NODE1_HAS, 'htop'].sort());
  });

  test('finds a package that has rotted on the disk', async () => {
    const { generation } = await published();
    const { checksum = '' } = generation.packages.find(({ name }) => name === 'chrony') ?? {};
    const path = new MirrorStore(state).packagePath(checksum);
    const good = readFileSync(path);
    const rotten = Buffer.from(good);
    rotten[rotten.length - 20] = 255 - (rotten[rotten.length - 20] ?? 0);
    writeFileSync(path, rotten);
    expect((await published({ verify: true })).fetched).toBe(1);
    expect(readFileSync(path)).toEqual(good);
  });

  test('says how far it is', async () => {
    const seen: DownloadProgress[] = [];
    const { fetchedBytes } = await published({ onProgress: (progress) => seen.push(progress) });
    expect(seen.at(-1)).toEqual({ files: 7, filesOf: 7, bytes: fetchedBytes, bytesOf: fetchedBytes });
  });

  test('rewrites the architecture, since apk asks for a package where the index says', async () => {
    const packages = PACKAGES.map((one) =>
      one.title.startsWith('alpine-base') ? { ...one, indexArchitecture: 'noarch' } : one,
    );
    writeRepository(source, 'v3.19/main', packages, signer);
    mkdirSync(join(source, 'v3.19/main/noarch'));
    const file = 'alpine-base-3.19.1-r0.apk';
    writeFileSync(join(source, 'v3.19/main/noarch', file), readFileSync(join(source, 'v3.19/main/x86_64', file)));
    await published();
    const index = readFileSync(served('current', 'v3.19/main/x86_64/APKINDEX.tar.gz'));
    const { records } = readIndexArchive(index, trusting(host0));
    expect(new Set(records.map(({ architecture }) => architecture))).toEqual(new Set(['x86_64']));
    expect(existsSync(served('current', `v3.19/main/x86_64/${file}`))).toBe(true);
  });

  test('has a package once that the source names twice', async () => {
    writeRepository(source, 'v3.19/main', [...PACKAGES, { title: 'htop-3.2-r0' }], signer);
    const words = ['alpine-base', 'htop'];
    const both = { settings: settings({ mode: 'superset' as const }), worlds: [{ machines: ['node1'], words }] };
    expect(namesOf(await published(both)).filter((name) => name === 'htop')).toEqual(['htop']);
  });

  test('takes a package of a tagged repository only where the tag is named', async () => {
    writeRepository(source, 'edge/testing', [{ title: 'htop-9.0-r0' }, { title: 'chrony-9.0-r0' }], signer);
    const both = settings({ repositories: [{ path: 'v3.19/main' }, { path: 'edge/testing', tag: 'edge' }] });
    const words = ['alpine-base', 'chrony', 'htop@edge'];
    const { generation } = await published({ settings: both, worlds: [{ machines: ['node1'], words }] });
    const versions = Object.fromEntries(generation.packages.map(({ name, version }) => [name, version]));
    expect([versions.chrony, versions.htop]).toEqual(['4.5-r0', '9.0-r0']);
  });
});

describe('a mirror is not published', () => {
  test.each([
    ['a name that nobody has', ['alpine-base', 'chronny'], 'node1 needs chronny: no repository has it', /chrony/],
    [
      'a version that nobody has',
      ['alpine-base', 'chrony=4.4-r0'],
      'the repositories have chrony-4.5-r0',
      /chrony=4.5-r0/,
    ],
    [
      'a library in place of its package',
      ['alpine-base', 'libcap'],
      'node1 needs libcap: no repository has it',
      /libcap2/,
    ],
    ['what is forbidden', ['alpine-base', '!musl'], 'musl-1.2.4-r0 is forbidden by !musl', /Take !musl away/],
  ])('for %s', async (_, words, why, remedy) => {
    await published();
    const error = await fault({ worlds: [{ machines: ['node1'], words }] });
    expect(error.code).toBe('MESH_MIRROR_PACKAGE');
    expect(error.message).toContain(why);
    expect(error.remedy).toMatch(remedy);
    expect((await new MirrorStore(state).current())?.number).toBe(1);
  });

  test('when a package is gone upstream that a machine names, and that the last generation has', async () => {
    await published();
    const without = PACKAGES.filter(({ title }) => !title.startsWith('chrony'));
    writeRepository(source, 'v3.19/main', without, signer, 1_800_000_000);
    const error = await fault();
    expect(error).toMatchObject({ code: 'MESH_MIRROR_PACKAGE', object: 'node1' });
    expect(error.message).toContain('node1 needs chrony: no repository has it');
    expect(existsSync(served('current', 'v3.19/main/x86_64/chrony-4.5-r0.apk'))).toBe(true);
  });

  test('where a package is for another processor alone', async () => {
    const packages = PACKAGES.map((one) =>
      one.title.startsWith('chrony') ? { ...one, architecture: 'aarch64' } : one,
    );
    writeRepository(source, 'v3.19/main', packages, signer);
    expect((await fault()).message).toContain('node1 needs chrony: no repository has it');
  });

  test('and names every machine that has the fault', async () => {
    const result = await run({ worlds: [{ machines: ['node1', 'node2'], words: ['nope'] }] });
    expect(result.outcome === 'refused' && result.errors.map(({ object }) => object)).toEqual(['node1', 'node2']);
  });
});

describe('a source that is not to be trusted', () => {
  const index = () => join(source, 'v3.19/main/x86_64/APKINDEX.tar.gz');
  const apk = () => join(source, 'v3.19/main/x86_64/chrony-4.5-r0.apk');
  const flip = (file: string, from: number) => {
    const bytes = readFileSync(file);
    const at = from < 0 ? bytes.length + from : from;
    bytes[at] = 255 - (bytes[at] ?? 0);
    writeFileSync(file, bytes);
  };
  const stranger = (): TestSigner => testSigner('stranger-1.rsa.pub');
  const impostor = (): TestSigner => testSigner(signer.name);

  /** A fault, its name, and the code with which it is refused. */
  const FAULTS: readonly (readonly [string, () => void, MeshError['code']])[] = [
    [
      'an index of a stranger',
      () => writeRepository(source, 'v3.19/main', PACKAGES, stranger()),
      'MESH_MIRROR_UNTRUSTED',
    ],
    [
      'an index of an impostor',
      () => writeRepository(source, 'v3.19/main', PACKAGES, impostor()),
      'MESH_MIRROR_FORGED',
    ],
    ['a changed index', () => flip(index(), -30), 'MESH_MIRROR_FORGED'],
    ['an index that is cut off', () => truncateSync(index(), 900), 'MESH_MIRROR_FORGED'],
    ['an index with something behind it', () => appendFileSync(index(), 'more'), 'MESH_MIRROR_FORGED'],
    ['an index that is no archive', () => writeFileSync(index(), '<html>not here</html>'), 'MESH_MIRROR_DAMAGED'],
    ['an index that is too large', () => truncateSync(index(), 40 * 1024 * 1024), 'MESH_MIRROR_LARGE'],
    ['an index that is not there', () => rmSync(index()), 'MESH_MIRROR_FETCH'],
    [
      'an older index',
      () => writeRepository(source, 'v3.19/main', PACKAGES, signer, 1_600_000_000),
      'MESH_MIRROR_REPLAYED',
    ],
    ['a package with other files', () => flip(apk(), -60), 'MESH_MIRROR_FORGED'],
    ['a package that is cut off', () => truncateSync(apk(), readFileSync(apk()).length - 40), 'MESH_MIRROR_DAMAGED'],
    ['a package with something behind it', () => appendFileSync(apk(), 'more'), 'MESH_MIRROR_FORGED'],
    ['a package that is larger than the index says', () => truncateSync(apk(), 200_000), 'MESH_MIRROR_LARGE'],
    ['a package that is not there', () => rmSync(apk()), 'MESH_MIRROR_FETCH'],
  ];

  test.each(FAULTS)('%s is refused, and what was published is still there', async (_, spoil, code) => {
    // Without chrony, so that its package is fetched afterwards.
    await published({ worlds: [{ machines: ['node1'], words: ['alpine-base'] }] });
    spoil();
    expect((await fault()).code).toBe(code);
    const store = new MirrorStore(state);
    const current = await store.current();
    expect(current?.number).toBe(1);
    expect(current && (await store.isWhole(current))).toBe(true);
    expect(readdirSync(join(state, 'mirror/generations')).sort()).toEqual(['1', 'current']);
    if (code === 'MESH_MIRROR_LARGE')
      expect(readdirSync(store.pool).filter((name) => name.endsWith('.part'))).toEqual([]);
  });

  test('a package that is another one than the index says', async () => {
    writeFileSync(apk(), readFileSync(join(source, 'v3.19/main/x86_64/htop-3.2-r0.apk')));
    expect((await fault()).code).toBe('MESH_MIRROR_FORGED');
  });

  test('an older index is taken when the administrator says so', async () => {
    await published();
    writeRepository(source, 'v3.19/main', PACKAGES, signer, 1_600_000_000);
    expect((await fault()).code).toBe('MESH_MIRROR_REPLAYED');
    expect((await published({ older: true })).generation.number).toBe(2);
    expect((await run()).outcome).toBe('unchanged');
  });
});

describe('an older index', () => {
  const older = () => writeRepository(source, 'v3.19/main', PACKAGES, signer, 1_600_000_000);
  const dates = () => join(state, 'mirror/seen.json');

  test('is not taken where the dates are damaged, also at the second run', async () => {
    await published();
    const bytes = readFileSync(dates());
    bytes[bytes.length - 10] = 255 - (bytes[bytes.length - 10] ?? 0);
    writeFileSync(dates(), bytes);
    older();
    expect((await fault()).code).toBe('MESH_STATE_DAMAGED');
    expect(await fault()).toMatchObject({ code: 'MESH_STATE_DAMAGED', remedy: expect.stringContaining('--older') });
    await published({ older: true });
    expect((await run({ verify: true })).outcome).toBe('published');
  });

  test('is not taken where the dates are gone, since generations have dates, too', async () => {
    await published();
    rmSync(dates());
    older();
    expect((await fault()).code).toBe('MESH_MIRROR_REPLAYED');
  });

  test.each([
    ['v3.18.4-155-gabc', false],
    ['v20231219-2-gabc', false],
    ['v3.19.1-220-gabc', true],
    ['v3.190.1-1-gabc', false],
    ['a repository of ours, v3.18', true],
  ])('is one with the description %s: it is fit: %s', (description, isFit) => {
    const judge = expect(() => requireRelease('v3.19/main', description));
    if (isFit) judge.not.toThrow();
    else judge.toThrow(expect.objectContaining({ code: 'MESH_MIRROR_REPLAYED' }));
  });

  test('is one of another release, which is taken when the administrator says so', async () => {
    const file = join(source, 'v3.19/main/x86_64/APKINDEX.tar.gz');
    const { records } = readIndexArchive(readFileSync(file), input().keys);
    const text = records.map((record) => `${record.text}\n\n`).join('');
    writeFileSync(file, signedBy(indexContent(text, 1_700_000_001, 'v3.18.4-155-gabc'), [signer]));
    expect((await fault()).code).toBe('MESH_MIRROR_REPLAYED');
    expect((await published({ older: true })).generation.number).toBe(1);
  });
});

describe('generations', () => {
  const withWords = (...words: string[]) =>
    published({ worlds: [{ machines: ['node1'], words: ['alpine-base', ...words] }] });

  test('a rollback goes to the one before, and back', async () => {
    await withWords('chrony');
    await withWords('htop');
    const store = new MirrorStore(state);
    expect((await store.rollback()).number).toBe(1);
    expect(existsSync(served('current', 'v3.19/main/x86_64/htop-3.2-r0.apk'))).toBe(false);
    expect((await store.rollback(2)).number).toBe(2);
    await expect(store.rollback(9)).rejects.toMatchObject({ code: 'MESH_MIRROR_NONE', remedy: 'There are: 2, 1.' });
  });

  test('machines keep the generation that they began with', async () => {
    await withWords('chrony');
    await withWords('htop');
    expect(existsSync(served(1, 'v3.19/main/x86_64/chrony-4.5-r0.apk'))).toBe(true);
    expect(existsSync(served(2, 'v3.19/main/x86_64/chrony-4.5-r0.apk'))).toBe(false);
  });

  test('old ones go, and with them the packages that no other has', async () => {
    await withWords('chrony');
    for (let round = 0; round < 3; round++) {
      await withWords('htop');
      await withWords('musl');
    }
    expect(await new MirrorStore(state).list()).toHaveLength(7);
    await new MirrorStore(state).collectGarbage(LATER);
    const numbers = (await new MirrorStore(state).list()).map(({ number }) => number);
    expect(numbers).toEqual([7, 6, 5, 4]);
    const { generation } = await withWords('musl', 'htop');
    await new MirrorStore(state).collectGarbage(LATER);
    expect(readdirSync(join(state, 'mirror/pool'))).toHaveLength(generation.packages.length);
  });
});

describe('a web server as source', () => {
  let server: Server;
  /** How the server answers the next requests for a path that ends so. */
  let trouble: { readonly ending: string; readonly kinds: string[] } | undefined;
  let asked: string[];

  beforeEach(async () => {
    [trouble, asked] = [undefined, []];
    server = createServer((request, response) => {
      const { range } = request.headers;
      asked.push(`${request.url}${range === undefined ? '' : ` ${range}`}`);
      const file = join(source, decodeURIComponent(request.url ?? ''));
      if (!existsSync(file)) return void response.writeHead(404).end();
      const bytes = readFileSync(file);
      const from = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
      const kind = trouble !== undefined && file.endsWith(trouble.ending) ? trouble.kinds.shift() : undefined;
      if (kind === '503') return void response.writeHead(503).end();
      if (from >= bytes.length) return void response.writeHead(416).end();
      response.writeHead(from > 0 ? 206 : 200, { 'content-length': bytes.length - from });
      if (kind === 'cut') {
        response.write(bytes.subarray(from, from + Math.ceil((bytes.length - from) / 2)), () => response.destroy());
        return;
      }
      response.end(bytes.subarray(from));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });

  afterEach(() => server.close());

  const web = () => settings({ source: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });

  test('gives the same mirror', async () => {
    expect(namesOf(await published({ settings: web() }))).toEqual(NODE1_HAS);
    expect((await run({ settings: web() })).outcome).toBe('unchanged');
    // The source is not a part of what was made.
    expect((await run()).outcome).toBe('unchanged');
  });

  test('a package that is cut off goes on where it stopped', async () => {
    trouble = { ending: 'chrony-4.5-r0.apk', kinds: ['cut', '503', 'cut'] };
    await expect(published({ settings: web() })).rejects.toMatchObject({ code: 'MESH_MIRROR_FETCH', retryable: true });
    trouble = undefined;
    expect(namesOf(await published({ settings: web() }))).toEqual(NODE1_HAS);
    const ranges = asked.filter((line) => line.includes('/chrony-4.5-r0.apk')).map((line) => line.split(' ')[1]);
    expect(ranges.at(-1)).toMatch(/^bytes=[1-9]/);
  });

  test('a part of another file is thrown away, and the package fetched from its begin', async () => {
    const { checksum } =
      writeRepository(source, 'v3.19/main', PACKAGES, signer).find(({ file }) => file.startsWith('chrony-4')) ?? {};
    const store = new MirrorStore(state);
    await store.prepare();
    writeFileSync(`${store.packagePath(checksum ?? '')}.part`, 'x'.repeat(100));
    expect(namesOf(await published({ settings: web() }))).toEqual(NODE1_HAS);
  });
});

describe('kernel, initramfs and modloop', () => {
  const netboot = () => settings({ netboot: { version: '3.19.1', kernel: 'lts' } });
  const place = () => join(source, 'v3.19/releases/x86_64/netboot-3.19.1');

  /** A kernel with this release in its header, and an initramfs with the modules of another one. */
  function writeNetboot(release: string, modules = release): void {
    mkdirSync(place(), { recursive: true });
    const kernel = Buffer.alloc(4096);
    kernel.write('HdrS', 0x202);
    kernel.writeUInt16LE(0x400, 0x20e);
    kernel.write(`${release} (build@host) #1 SMP\0`, 0x600);
    writeFileSync(join(place(), 'vmlinuz-lts'), kernel);
    const paths = `${'x'.repeat(100_000)}lib/modules/${modules}/kernel/fs/overlayfs.ko${'y'.repeat(300_000)}`;
    writeFileSync(join(place(), 'initramfs-lts'), gzipSync(paths));
    writeModloop(release);
  }

  /** As mkinitfs makes it: a squashfs with `modules/RELEASE` and `modules/firmware`. */
  function writeModloop(release: string): void {
    const tree = join(state, 'modloop');
    mkdirSync(join(tree, 'modules/firmware'), { recursive: true });
    mkdirSync(join(tree, 'modules', release, 'kernel'), { recursive: true });
    writeFileSync(join(tree, 'modules', release, 'kernel/random.ko'), randomBytes(20_000));
    rmSync(join(place(), 'modloop-lts'), { force: true });
    execFileSync('mksquashfs', [tree, join(place(), 'modloop-lts'), '-quiet', '-no-progress', '-comp', 'xz'], {
      stdio: 'ignore',
    });
    rmSync(tree, { recursive: true });
  }

  beforeEach(() => {
    writeRepository(source, 'v3.19/main', PACKAGES, signer);
    writeNetboot('6.6.14-0-lts');
  });

  test('are in the generation, and are not fetched again for the next', async () => {
    const { generation } = await published({ settings: netboot() });
    expect(generation.boot).toMatchObject({ version: '3.19.1', kernelRelease: '6.6.14-0-lts' });
    for (const name of ['vmlinuz-lts', 'initramfs-lts', 'modloop-lts']) {
      expect(readFileSync(served('current', `boot/${name}`))).toEqual(readFileSync(join(place(), name)));
    }
    // A file that is lost is fetched again.
    const lost = generation.boot?.files[0]?.sha256 ?? '';
    rmSync(new MirrorStore(state).bootPath(lost));
    rmSync(served(1, 'boot/vmlinuz-lts'));
    expect((await published({ settings: netboot() })).generation.boot).toEqual(generation.boot);
    rmSync(place(), { recursive: true });
    const more = await published({ settings: netboot(), worlds: [{ machines: ['node2'], words: ['htop'] }] });
    expect(more.generation.boot).toEqual(generation.boot);
  });

  test.each<[string, () => void, MeshError['code']]>([
    ['an initramfs of another kernel', () => writeNetboot('6.6.14-0-lts', '6.6.7-0-lts'), 'MESH_MIRROR_KERNEL'],
    ['a modloop of another kernel', () => writeModloop('6.6.7-0-lts'), 'MESH_MIRROR_KERNEL'],
    ['no kernel', () => writeFileSync(join(place(), 'vmlinuz-lts'), '<html>'), 'MESH_MIRROR_KERNEL'],
    ['a kernel that is cut off', () => writeFileSync(join(place(), 'vmlinuz-lts'), cutKernel()), 'MESH_MIRROR_DAMAGED'],
    [
      'an initramfs that is cut off behind its modules',
      () => truncateSync(join(place(), 'initramfs-lts'), readFileSync(join(place(), 'initramfs-lts')).length - 8),
      'MESH_MIRROR_DAMAGED',
    ],
    ['an initramfs that is cut off', () => truncateSync(join(place(), 'initramfs-lts'), 30), 'MESH_MIRROR_DAMAGED'],
    ['a modloop that is none', () => writeFileSync(join(place(), 'modloop-lts'), 'x'), 'MESH_MIRROR_DAMAGED'],
    ['a modloop that is cut off', () => truncateSync(join(place(), 'modloop-lts'), 2000), 'MESH_MIRROR_DAMAGED'],
    ['a modloop of a gibibyte', () => truncateSync(join(place(), 'modloop-lts'), 1024 ** 3), 'MESH_MIRROR_LARGE'],
    ['no modloop', () => rmSync(join(place(), 'modloop-lts')), 'MESH_MIRROR_FETCH'],
  ])('are refused with %s, and what was published is still there', async (_, spoil, code) => {
    await published();
    spoil();
    expect((await fault({ settings: netboot() })).code).toBe(code);
    const store = new MirrorStore(state);
    const current = await store.current();
    expect([current?.number, current?.boot]).toEqual([1, undefined]);
    expect(current && (await store.isWhole(current))).toBe(true);
  });

  /** A kernel whose header says that more comes. */
  function cutKernel(): Buffer {
    const kernel = readFileSync(join(place(), 'vmlinuz-lts'));
    kernel.writeUInt32LE(1000, 0x1f4);
    return kernel;
  }

  const hashes = () =>
    ['vmlinuz-lts', 'initramfs-lts', 'modloop-lts'].map((name) =>
      createHash('sha256')
        .update(readFileSync(join(place(), name)))
        .digest('hex'),
    );
  const withHashes = (sha256: readonly string[], more: Partial<MirrorSettings> = {}) =>
    settings({ netboot: { version: '3.19.1', kernel: 'lts', sha256 }, ...more });

  test('are refused by plain HTTP where no hash is known, and taken with hashes', async () => {
    const plain = { ...netboot(), source: 'http://127.0.0.1:1' };
    // The files come from the directory. What counts is the source that the settings name.
    const upstream = upstreamOf(source);
    expect(await fault({ settings: plain, upstream })).toMatchObject({
      code: 'MESH_MIRROR_UNTRUSTED',
      remedy: expect.stringContaining('netboot_sha256'),
    });
    const hashed = withHashes(hashes(), { source: plain.source });
    expect((await published({ settings: hashed, upstream })).generation.boot?.files).toHaveLength(3);
  });

  test('are refused with another hash, also where the generation before has them', async () => {
    await published({ settings: netboot() });
    const [kernel = '', initramfs = ''] = hashes();
    const wrong = withHashes([kernel, initramfs, 'ab'.repeat(32)]);
    expect((await fault({ settings: wrong })).code).toBe('MESH_MIRROR_FORGED');
  });

  test('are fetched again for another release of repositories, and when one has rotted', async () => {
    const { generation } = await published({ settings: netboot() });
    const { sha256 = '' } = generation.boot?.files[0] ?? {};
    const path = new MirrorStore(state).bootPath(sha256);
    const good = readFileSync(path);
    writeFileSync(path, Buffer.alloc(good.length));
    await published({ settings: netboot(), verify: true });
    expect(readFileSync(path)).toEqual(good);
    expect((await fault({ settings: { ...netboot(), release: 'v3.20' } })).code).toBe('MESH_MIRROR_FETCH');
  });
});
