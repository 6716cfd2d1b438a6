/** Every file that is no whole backup is refused with an error of its own, and the machine stays as it was. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gunzipSync, gzipSync } from 'node:zlib';
import { packTar, type TarHeader } from 'modern-tar';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { LONG } from '../../test/kit/long.ts';
import { pathsBelow } from '../protocol/documents/paths.ts';
import { sealed } from '../protocol/shapes/sealed-document.ts';
import { backupText, storeCopy } from '../store/store-backup.ts';
import { openBackup } from './archive/backup-file.ts';
import { type BackupManifest, MANIFEST_FORM, MANIFEST_HOLDS, type ManifestEntry } from './archive/manifest.ts';
import { readWhole } from './read-backup.ts';
import { restoreHost0 } from './restore.ts';

const place = mkdtempSync(join(tmpdir(), 'mw-archive-'));
/** Each damaged byte leaves a folder. */
afterAll(() => rmSync(place, { recursive: true }), 300_000);

const STORE = Buffer.from(
  backupText(
    storeCopy({ takenAt: '2026-11-30T12:00:00Z', epoch: 'e', revision: 7, entries: [{ key: '/v1/a', value: 'b' }] }),
  ),
);
const OURS = { mode: 0o640, uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, mtimeSec: 1_700_000_000 };
const sha256 = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex');

const folder = (path: string): ManifestEntry => ({ path, type: 'directory', ...OURS, mode: 0o750 });
const file = (path: string, text: string): ManifestEntry => ({
  path,
  type: 'file',
  bytes: Buffer.byteLength(text),
  sha256: sha256(text),
  ...OURS,
});

const TEXTS: Readonly<Record<string, string>> = {
  'host0/network/blue.conf': 'name=blue\n',
  'state/keys/installation': 'a secret\n',
};
const ENTRIES: readonly ManifestEntry[] = [
  folder('host0'),
  folder('host0/network'),
  file('host0/network/blue.conf', TEXTS['host0/network/blue.conf'] ?? ''),
  folder('state'),
  folder('state/keys'),
  file('state/keys/installation', TEXTS['state/keys/installation'] ?? ''),
];

const MANIFEST: BackupManifest = {
  holds: MANIFEST_HOLDS,
  takenAt: '2026-11-30T12:00:00Z',
  meshwork: '0.1.0',
  host: 'rack1',
  nics: [],
  leftOut: [],
  generations: [],
  store: { bytes: STORE.length, sha256: sha256(STORE), epoch: 'e', revision: 7 },
  entries: ENTRIES,
};

type Part = { readonly header: TarHeader; readonly body?: Uint8Array | string };
const part = (name: string, body: Uint8Array | string): Part => ({
  header: { name, size: Buffer.byteLength(body), type: 'file' },
  body,
});

/** The files of an archive with this manifest, as a right one has them. */
function partsOf(manifest: unknown, entries: readonly ManifestEntry[], texts = TEXTS): Part[] {
  return [
    part('meshwork-backup.json', sealed(MANIFEST_FORM, manifest)),
    part('store.json', STORE),
    ...entries.map((entry): Part => {
      const name = `files/${entry.path}`;
      if (entry.type === 'file') return part(name, texts[entry.path] ?? '');
      const linkname =
        entry.type === 'directory' ? {} : { linkname: entry.type === 'link' ? `files/${entry.to}` : entry.to };
      return { header: { name, size: 0, type: entry.type, ...linkname } };
    }),
  ];
}

const archive = async (parts: readonly Part[]): Promise<Buffer> => gzipSync(await packTar(parts));
const right = () => archive(partsOf(MANIFEST, ENTRIES));
/** With other entries. */
const withEntries = (entries: readonly ManifestEntry[], texts = TEXTS) =>
  archive(partsOf({ ...MANIFEST, entries }, entries, texts));

let machines = 0;
async function restored(
  bytes: Uint8Array,
): Promise<{ readonly code?: unknown; readonly message?: unknown; readonly root: string }> {
  const root = join(place, `${++machines}`);
  mkdirSync(root);
  try {
    const source = await openBackup(Readable.from([bytes], { objectMode: false }));
    await restoreHost0({ paths: pathsBelow(root), source, own: [], named: new Map(), force: false });
    return { root };
  } catch (error) {
    return { code: Reflect.get(Object(error), 'code'), message: Reflect.get(Object(error), 'message'), root };
  }
}

/** Nothing but the lock of the restore, and the directory that it is in. */
const isUntouched = (root: string) =>
  !existsSync(join(root, 'host0')) &&
  !existsSync(join(root, 'etc')) &&
  !existsSync(join(root, '.meshwork-restore')) &&
  !existsSync(join(root, 'var/lib/meshwork/keys')) &&
  !existsSync(join(root, 'var/lib/meshwork/store.db')) &&
  !existsSync(join(root, 'var/lib/meshwork/.meshwork-restore'));

test('the right one is taken', async () => {
  const { root, code, message } = await restored(await right());
  expect({ code, message }).toEqual({ code: undefined, message: undefined });
  expect(readFileSync(join(root, 'host0/network/blue.conf'), 'utf8')).toBe('name=blue\n');
  expect(statSync(join(root, 'host0/network')).mode & 0o777).toBe(0o750);
  expect(statSync(join(root, 'host0/network/blue.conf')).mtime).toEqual(new Date(1_700_000_000_000));
});

const escaping = (path: string) => withEntries([...ENTRIES, file(path, '')]);

const BAD: Readonly<Record<string, readonly [code: string, bytes: () => Promise<Uint8Array> | Uint8Array]>> = {
  'an empty file': ['MESH_BACKUP_TRUNCATED', () => Buffer.alloc(0)],
  'an archive of something else': ['MESH_BACKUP_FOREIGN', () => archive([part('etc/passwd', 'x')])],
  'an archive of nothing': ['MESH_BACKUP_FOREIGN', () => archive([])],
  'a compressed text': ['MESH_BACKUP_DAMAGED', () => gzipSync(Buffer.alloc(2_000, 'text'))],
  'a compressed nothing': ['MESH_BACKUP_TRUNCATED', () => gzipSync(Buffer.alloc(0))],
  'text that is not compressed': ['MESH_BACKUP_DAMAGED', () => Buffer.alloc(2_000, 'text')],
  'a later format': [
    'MESH_BACKUP_LATER',
    () => archive([part('meshwork-backup.json', sealed({ ...MANIFEST_FORM, version: 2 }, { new: true }))]),
  ],
  'a manifest whose checksum is wrong': [
    'MESH_BACKUP_DAMAGED',
    () => archive([part('meshwork-backup.json', sealed(MANIFEST_FORM, MANIFEST).replace('rack1', 'rack2'))]),
  ],
  'a manifest of another form': ['MESH_BACKUP_DAMAGED', () => archive(partsOf({ ...MANIFEST, entries: 5 }, []))],
  'a manifest that is too large': [
    'MESH_BACKUP_LARGE',
    () => archive([part('meshwork-backup.json', Buffer.alloc(65 * 1024 * 1024, ' '))]),
  ],
  'a store that is too large': [
    'MESH_BACKUP_LARGE',
    () => archive(partsOf({ ...MANIFEST, store: { ...MANIFEST.store, bytes: 2 ** 40 } }, ENTRIES)),
  ],
  'more than the disk has room for': [
    'MESH_BACKUP_LARGE',
    () => withEntries([...ENTRIES, { ...file('host0/large', ''), bytes: 2 ** 50 } as ManifestEntry]),
  ],
  'a file that is longer than the manifest says': [
    'MESH_BACKUP_DAMAGED',
    () => archive(partsOf(MANIFEST, ENTRIES, { ...TEXTS, 'host0/network/blue.conf': 'x'.repeat(1_000_000) })),
  ],
  'a file with another content': [
    'MESH_BACKUP_DAMAGED',
    () => archive(partsOf(MANIFEST, ENTRIES, { ...TEXTS, 'state/keys/installation': 'b secret\n' })),
  ],
  'another store': [
    'MESH_BACKUP_DAMAGED',
    async () => {
      const parts = partsOf(MANIFEST, ENTRIES);
      parts[1] = part('store.json', Buffer.from(STORE.toString().replace('/v1/a', '/v1/b')));
      return await archive(parts);
    },
  ],
  'a file that is missing': ['MESH_BACKUP_TRUNCATED', () => archive(partsOf(MANIFEST, ENTRIES).slice(0, -1))],
  'a file that is missing in the middle': [
    'MESH_BACKUP_DAMAGED',
    () => archive(partsOf(MANIFEST, ENTRIES).toSpliced(4, 1)),
  ],
  'a file too many': [
    'MESH_BACKUP_DAMAGED',
    () => archive([...partsOf(MANIFEST, ENTRIES), part('files/host0/more', 'x')]),
  ],
  'two files in the wrong order': [
    'MESH_BACKUP_DAMAGED',
    async () => {
      const parts = partsOf(MANIFEST, ENTRIES);
      const [one, other] = [parts[4], parts[7]];
      if (one === undefined || other === undefined) throw new TypeError('the archive has too few files');
      return await archive(parts.with(4, other).with(7, one));
    },
  ],
  'a link in the place of a file': [
    'MESH_BACKUP_DAMAGED',
    () =>
      archive(
        partsOf(MANIFEST, ENTRIES).with(4, {
          header: { name: 'files/host0/network/blue.conf', size: 0, type: 'symlink', linkname: '/etc/passwd' },
        }),
      ),
  ],
  'bytes behind the end': [
    'MESH_BACKUP_DAMAGED',
    async () => gzipSync(Buffer.concat([gunzipSync(await right()), Buffer.from('more')])),
  ],
  'the same path twice': ['MESH_BACKUP_DAMAGED', () => withEntries([...ENTRIES, ENTRIES[2] ?? folder('')])],
  'a path that climbs': ['MESH_BACKUP_UNSAFE', () => escaping('host0/network/../../etc/passwd')],
  'a path that climbs out of an area': ['MESH_BACKUP_UNSAFE', () => escaping('host0/..')],
  'an absolute path': ['MESH_BACKUP_UNSAFE', () => escaping('/etc/passwd')],
  'a path of no area': ['MESH_BACKUP_UNSAFE', () => escaping('root/.ssh')],
  'a path of no area that a backup has': ['MESH_BACKUP_UNSAFE', () => escaping('state/store.db')],
  'the id of a machine': ['MESH_BACKUP_UNSAFE', () => withEntries([folder('meshwork'), file('meshwork/machine', '')])],
  'another file of /etc/default': [
    'MESH_BACKUP_UNSAFE',
    () => withEntries([folder('default'), file('default/grub', '')]),
  ],
  'a name with a zero byte': ['MESH_BACKUP_UNSAFE', () => escaping('host0/a\0b')],
  'a name that is too long': ['MESH_BACKUP_UNSAFE', () => escaping(`host0/${'a'.repeat(256)}`)],
  'a path below a file': ['MESH_BACKUP_UNSAFE', () => escaping('host0/network/blue.conf/x')],
  'a path below a link': [
    'MESH_BACKUP_UNSAFE',
    () =>
      withEntries([folder('host0'), { path: 'host0/out', type: 'symlink', to: '/etc' }, file('host0/out/passwd', '')]),
  ],
  'a directory that is not there': ['MESH_BACKUP_UNSAFE', () => escaping('host0/other/x')],
  'another name of a file elsewhere': [
    'MESH_BACKUP_UNSAFE',
    () => withEntries([folder('host0'), { path: 'host0/x', type: 'link', to: '/etc/shadow' }]),
  ],
  'another name of a file that comes later': [
    'MESH_BACKUP_UNSAFE',
    () => withEntries([folder('host0'), { path: 'host0/x', type: 'link', to: 'host0/y' }, file('host0/y', '')]),
  ],
  'an area that is a file': ['MESH_BACKUP_UNSAFE', () => withEntries([file('host0', '')])],
};

test.each(Object.entries(BAD))('%s is refused', async (_, [code, bytes]) => {
  const outcome = await restored(await bytes());
  expect({ ...outcome, untouched: isUntouched(outcome.root) }).toMatchObject({ code, untouched: true });
});

function gunzipped(bytes: Uint8Array): Buffer | undefined {
  try {
    return gunzipSync(bytes);
  } catch {
    return undefined;
  }
}

test('cut off after any byte it is refused, and so it is with any byte changed', async () => {
  const whole = await right();
  const tar = gunzipSync(whole);
  const step = LONG ? 1 : 23;
  for (let at = 0; at < whole.length; at += step) {
    const cut = await restored(whole.subarray(0, at));
    expect({ at, code: cut.code }).toEqual({ at, code: 'MESH_BACKUP_TRUNCATED' });
    expect(isUntouched(cut.root)).toBe(true);
    // Bytes 4 to 9 of the file are time, level and system of gzip, which say nothing of what is in it.
    if (at >= 4 && at <= 9) continue;
    const changed = Buffer.from(whole);
    changed[at] = (changed[at] ?? 0) ^ 0x10;
    // Some bits of deflate mean the same, such as another of two equal places to copy from.
    if (gunzipped(changed)?.equals(tar) === true) continue;
    const outcome = await restored(changed);
    expect({ at, code: outcome.code }).toEqual({ at, code: expect.stringMatching(/^MESH_BACKUP_/) });
    expect(isUntouched(outcome.root)).toBe(true);
  }
}, 300_000);

test('what reads a backup only leaves nothing anywhere', async () => {
  const root = join(place, 'reader');
  const source = await openBackup(Readable.from([await right()], { objectMode: false }));
  onTestFinished(() => source.close());
  const { manifest, store } = await readWhole(source, pathsBelow(root));
  expect([manifest.host, store.entries]).toEqual(['rack1', [{ key: '/v1/a', value: 'b' }]]);
  expect(existsSync(root)).toBe(false);
});

test('a file in the way of the directories of a restore is an error of the disk, and stays', async () => {
  const root = join(place, 'in-the-way');
  mkdirSync(join(root, 'var/lib/meshwork'), { recursive: true });
  writeFileSync(join(root, 'etc'), 'a file');
  const bytes = await withEntries([...ENTRIES, folder('meshwork'), file('meshwork/host0.key', '')]);
  const source = await openBackup(Readable.from([bytes], { objectMode: false }));
  await expect(
    restoreHost0({ paths: pathsBelow(root), source, own: [], named: new Map(), force: false }),
  ).rejects.toMatchObject({ code: 'MESH_DISK_REFUSED' });
  expect(readFileSync(join(root, 'etc'), 'utf8')).toBe('a file');
  expect(existsSync(join(root, 'host0'))).toBe(false);
});
