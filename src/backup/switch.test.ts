/** A restore on a disk that forgets what was not synced: wherever the power goes, all is old or all is new. */
import { expect, test } from 'vitest';
import { ForgetfulDisk, PowerCut } from '../../test/kit/forgetful-disk.ts';
import { LONG } from '../../test/kit/long.ts';
import { randomFrom } from '../../test/kit/random.ts';
import { areasOf } from './archive/areas.ts';
import type { Attributes, ManifestEntry } from './archive/manifest.ts';
import type { RestoreDisk } from './restore-disk.ts';
import { Staging } from './staging.ts';
import { finishSwitch, journalOf, switchTo } from './switch.ts';

/** The disk with what a restore needs beside what the mirror needs. */
class ForgetfulMachine extends ForgetfulDisk implements RestoreDisk {
  async file(path: string, content: AsyncIterable<Uint8Array> | Uint8Array): Promise<void> {
    const chunks: Uint8Array[] = content instanceof Uint8Array ? [content] : [];
    if (!(content instanceof Uint8Array)) for await (const chunk of content) chunks.push(chunk);
    await this.write(path, Buffer.concat(chunks));
  }

  async attribute(): Promise<void> {}
}

const PLACES = { root: '/', host0: '/host0', state: '/var/lib/meshwork' };
const AREAS = areasOf(PLACES, { mirror: false, isos: false });
const JOURNAL = journalOf(PLACES.state);
const OURS: Attributes = { mode: 0o640, uid: 0, gid: 0, mtimeSec: 0 };

const OLD: Readonly<Record<string, string>> = {
  '/host0/host0.conf': 'old',
  '/host0/network/blue.conf': 'old',
  '/host0/network/red.conf': 'old',
  '/host0/isos/large.iso': 'kept',
  '/var/lib/meshwork/keys/installation': 'old',
  '/var/lib/meshwork/store.db': 'old',
  '/var/lib/meshwork/epoch.json': 'old',
  '/var/lib/meshwork/images/vmlinuz': 'kept',
  '/etc/default/meshwork': 'old',
};
const NEW: Readonly<Record<string, string>> = {
  '/host0/host0.conf': 'new',
  '/host0/network/green.conf': 'new',
  '/host0/isos/large.iso': 'kept',
  '/var/lib/meshwork/keys/installation': 'new',
  '/var/lib/meshwork/keys/hosts/10eff964': 'new',
  '/var/lib/meshwork/store.db': 'new',
  '/var/lib/meshwork/images/vmlinuz': 'kept',
  // A whole directory that the machine does not have.
  '/etc/meshwork/host0.key': 'new',
  '/etc/default/meshwork': 'new',
};

/** What the backup has, directories first. */
const ENTRIES: readonly ManifestEntry[] = [
  ...['host0', 'host0/network', 'state', 'state/keys', 'state/keys/hosts', 'meshwork', 'default'].map((path) => ({
    path,
    type: 'directory' as const,
    ...OURS,
  })),
  ...[
    'host0/host0.conf',
    'host0/network/green.conf',
    'state/keys/installation',
    'state/keys/hosts/10eff964',
    'meshwork/host0.key',
    'default/meshwork',
  ].map((path) => ({ path, type: 'file' as const, bytes: 3, sha256: '', ...OURS })),
];

async function machineWith(files: Readonly<Record<string, string>>): Promise<ForgetfulMachine> {
  const disk = new ForgetfulMachine();
  const directories = new Set<string>(['/etc']);
  for (const [path, text] of Object.entries(files)) {
    const directory = path.slice(0, path.lastIndexOf('/'));
    directories.add(directory);
    await disk.makeDirectory(directory);
    await disk.write(path, text);
  }
  for (const directory of directories) await disk.syncDirectory(directory);
  return disk;
}

async function treeOf(disk: ForgetfulDisk, path = ''): Promise<Record<string, string>> {
  const all: Record<string, string> = {};
  for (const name of await disk.list(path)) {
    const at = `${path}/${name}`;
    const content = await disk.read(at);
    if (content !== undefined) all[at] = content.toString();
    else Object.assign(all, await treeOf(disk, at));
  }
  return all;
}

async function* once(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}

/** As `restoreHost0` does, on this disk. */
async function restore(disk: ForgetfulMachine): Promise<void> {
  const staging = await Staging.begin(disk, AREAS);
  for (const entry of ENTRIES) await staging.put(entry, once('new'));
  await disk.file(await staging.place('/var/lib/meshwork/store.db'), Buffer.from('new'));
  await staging.drop('/var/lib/meshwork/epoch.json');
  await staging.finish();
  await switchTo(disk, JOURNAL, await staging.moves());
}

/** What a machine has after its next start, without what lies beside its places. */
async function afterStart(disk: ForgetfulMachine): Promise<Record<string, string>> {
  await finishSwitch(disk, JOURNAL);
  const tree = await treeOf(disk);
  return Object.fromEntries(Object.entries(tree).filter(([path]) => !/\.meshwork-restore|restore\.json/.test(path)));
}

/** Runs until the power goes. @returns whether it went */
async function cut(work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work();
    return false;
  } catch (error) {
    if (error instanceof PowerCut) return true;
    throw error;
  }
}

test('without a power cut all is new, and nothing lies beside', async () => {
  const disk = await machineWith(OLD);
  await restore(disk);
  expect(await treeOf(disk)).toEqual(NEW);
});

const SEEDS = LONG ? 200 : 8;

test(`at each operation, also while the switch is carried on after it, ${SEEDS} times each: old or new, and new once it was decided`, async () => {
  const whole = await machineWith(OLD);
  const before = whole.operations;
  await restore(whole);
  const operations = whole.operations - before;
  expect(operations).toBeGreaterThan(60);
  const seen = { old: 0, new: 0, twice: 0 };
  for (let seed = 0; seed < SEEDS; seed++) {
    for (let at = 1; at <= operations; at++) {
      const random = randomFrom(seed * 1_000 + at);
      const disk = await machineWith(OLD);
      disk.cutAt = disk.operations + at;
      expect(await cut(() => restore(disk))).toBe(true);
      disk.forget(() => random() < 0.5);
      const wasDecided = (await disk.read(JOURNAL)) !== undefined;
      // The power goes again while the switch is carried on.
      disk.cutAt = disk.operations + 1 + Math.floor(random() * 40);
      if (await cut(() => finishSwitch(disk, JOURNAL))) {
        seen.twice++;
        disk.forget(() => random() < 0.5);
      }
      disk.cutAt = Number.POSITIVE_INFINITY;
      const tree = await afterStart(disk);
      const isNew = tree['/host0/host0.conf'] === 'new';
      expect(tree, `cut before operation ${at}, seed ${seed}`).toEqual(isNew ? NEW : OLD);
      if (wasDecided) expect(isNew).toBe(true);
      seen[isNew ? 'new' : 'old']++;
      // The next restore does not stumble over what lies beside.
      if (!isNew) {
        await restore(disk);
        expect(await treeOf(disk)).toEqual(NEW);
      }
    }
  }
  expect(seen.old).toBeGreaterThan(SEEDS * 10);
  expect(seen.new).toBeGreaterThan(SEEDS * 10);
  expect(seen.twice).toBeGreaterThan(SEEDS);
}, 600_000);

test('a journal of a later version, or a damaged one, stops the start and stays', async () => {
  for (const [text, code] of [
    ['{"version":2,"moves":[]}', 'MESH_STATE_LATER'],
    ['{"version":1,"checksum":"0","moves":[]}', 'MESH_STATE_DAMAGED'],
    ['', 'MESH_STATE_DAMAGED'],
  ] as const) {
    const disk = await machineWith({ ...OLD, [JOURNAL]: text });
    await expect(finishSwitch(disk, JOURNAL)).rejects.toMatchObject({ code });
    expect(await treeOf(disk)).toEqual({ ...OLD, [JOURNAL]: text });
  }
});
