/**
 * Restores a backup of host0. All is put together beside its place and judged there; then one switch makes it the state of this
 * machine (switch.ts). Whatever fails before leaves the machine as it was.
 */
import { existsSync, lstatSync, readdirSync, statfsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { syncFile } from '../disk/durable-file.ts';
import { HOST0_DEFAULTS, type Host0Settings, parseHost0Conf } from '../formats/host0/host0-conf.ts';
import { storeWord } from '../formats/host0/store-word.ts';
import { lockFile } from '../kernel/file-lock.ts';
import { MeshError } from '../model/error.ts';
import type { EtcdEndpoint } from '../model/etcd-endpoint.ts';
import type { Paths } from '../protocol/documents/paths.ts';
import { lockPath } from '../protocol/http/service-manager.ts';
import { type Area, areasOf } from './archive/areas.ts';
import { largeBackup } from './archive/backup-error.ts';
import type { BackupSource } from './archive/backup-file.ts';
import type { BackupManifest, ManifestEntry } from './archive/manifest.ts';
import { claimRestore } from './finish-restore.ts';
import {
  chooseNics,
  type NicChoice,
  neededNics,
  type OwnNic,
  renamedNics,
  renameInConf,
  renameInStore,
} from './nic-map.ts';
import { CONFS, once, type ReadBackup, readWhole } from './read-backup.ts';
import { machineDisk, type RestoreDisk } from './restore-disk.ts';
import { restoredMarkAt, restoredMarkText } from './restored-mark.ts';
import { Staging } from './staging.ts';
import { fillEtcd, fillSqlite, mustBeEmpty, storeFile, withStore } from './store-access.ts';
import { finishSwitch, journalOf, switchTo } from './switch.ts';

/** How a backup is restored. */
export interface RestoreInput {
  readonly paths: Paths;
  readonly source: BackupSource;
  /** The cards of this machine, and which of them the administrator has named for those of the backup. */
  readonly own: readonly OwnNic[];
  readonly named: ReadonlyMap<string, string>;
  /** Asks for cards that are not known. Absent: that is an error. */
  readonly ask?: (choices: readonly NicChoice[], own: readonly OwnNic[]) => Promise<readonly NicChoice[]>;
  /** Another store than that of the backup's host0.conf. */
  readonly members?: readonly EtcdEndpoint[];
  /** Over what this machine has. */
  readonly force: boolean;
  readonly disk?: RestoreDisk;
  readonly now?: () => Date;
}

/** What was restored. */
export interface Restored {
  readonly manifest: BackupManifest;
  readonly nics: readonly NicChoice[];
  readonly store: string;
  readonly entries: number;
  /** The new one. */
  readonly epoch: string;
  /** Why the settings of the backup cannot be read; host0 will say so, too. */
  readonly confFault?: MeshError;
}

/** How a backup would be restored. */
export interface RestorePlan {
  readonly settings: Host0Settings;
  readonly confFault?: MeshError;
  readonly nics: readonly NicChoice[];
}

/** Finds out which settings and which cards a backup has. @throws MESH_USAGE */
export function planOf(
  { manifest, store, confs }: ReadBackup,
  own: readonly OwnNic[],
  named: ReadonlyMap<string, string>,
): RestorePlan {
  const conf = CONFS.find((path) => confs.has(path));
  const { settings, errors } =
    conf === undefined
      ? { settings: HOST0_DEFAULTS, errors: [] }
      : parseHost0Conf(conf, Buffer.from(confs.get(conf) ?? ''));
  const [confFault] = settings === undefined ? errors : [];
  const used = settings ?? HOST0_DEFAULTS;
  return {
    settings: used,
    nics: chooseNics({ nics: manifest.nics }, neededNics(used, store), own, named),
    ...(confFault !== undefined && { confFault }),
  };
}

/** Restores a backup. @throws MESH_BACKUP_*, MESH_ALREADY_MADE, MESH_ALREADY_RUNNING, MESH_STORE_*, MESH_DISK_REFUSED */
export async function restoreHost0(input: RestoreInput): Promise<Restored> {
  const { paths, source, disk = machineDisk } = input;
  await disk.makeDirectory(paths.state);
  const unlock = claimRestore(paths.state);
  let unlockHost0 = (): void => undefined;
  let staging: Staging | undefined;
  try {
    unlockHost0 = claimHost0(paths.state);
    await finishSwitch(disk, journalOf(paths.state));
    const files = new Map<string, ManifestEntry>();
    const read = await readWhole(source, paths, {
      begin: async (manifest) => {
        const areas = restoredAreas(paths, manifest);
        mustHaveRoom(source.name, manifest, areas);
        if (!input.force) mustBeNew(areas);
        staging = await Staging.begin(disk, areas);
      },
      put: async (entry, content) => {
        if (CONFS.includes(entry.path)) files.set(entry.path, entry);
        await staging?.put(entry, content);
      },
    });
    if (staging === undefined) throw new TypeError('a backup was read without its beginning');
    return await replace(input, read, staging, files);
  } catch (error) {
    // With a journal the new state was decided for, and the next start brings it about.
    if (!existsSync(journalOf(paths.state))) await staging?.giveUp().catch(() => undefined);
    throw error;
  } finally {
    unlockHost0();
    unlock();
    source.close();
  }
}

async function replace(
  input: RestoreInput,
  read: ReadBackup,
  staging: Staging,
  files: ReadonlyMap<string, ManifestEntry>,
): Promise<Restored> {
  const { paths, own, named, ask, disk = machineDisk, force, now = () => new Date() } = input;
  const { manifest, confs } = read;
  const { settings, confFault, nics: found } = planOf(read, own, named);
  const nics = ask === undefined ? found : await ask(found, own);
  const renamed = renamedNics(nics, own);
  const members = input.members ?? settings.store;
  const conf = CONFS.find((path) => confs.has(path));
  const entry = conf === undefined ? undefined : files.get(conf);
  if (entry?.type === 'file' && conf !== undefined) {
    const before = confs.get(conf) ?? '';
    const text = renameInConf(before, renamed);
    const chosen = input.members === undefined ? text : withStoreLine(text, storeWord(input.members));
    if (chosen !== before) await staging.rewrite(entry, chosen);
  } else if (input.members !== undefined) {
    const bytes = Buffer.from(withStoreLine('', storeWord(input.members)));
    await staging.put(newConf(bytes.length, now()), once(bytes));
  }
  const copy = renameInStore(read.store, renamed);
  let epoch: string;
  if (members.length > 0) {
    if (!force) await withStore(paths, members, (store) => mustBeEmpty(store, members));
    epoch = await fillEtcd(paths, members, copy);
  } else {
    const target = storeFile(paths);
    const path = await staging.place(target);
    epoch = await fillSqlite(path, copy);
    await syncFile(path);
    // sqlite would apply the log of changes of the old file to the new one, and host0 would miss the old epoch.
    for (const file of [`${target}-wal`, `${target}-shm`, join(paths.state, 'epoch.json')]) await staging.drop(file);
  }
  // The next start makes another: the host0 of the backup may still be on the wire, and tells this one by it.
  await staging.drop(join(paths.state, 'boot/installation'));
  // Several host0s follow each other by the lease in their store.
  if (settings.host0s.length === 0) {
    const { takenAt, host, installation } = manifest;
    const mark = {
      takenAt,
      restoredAt: now().toISOString(),
      host,
      ...(installation !== undefined && { installation }),
    };
    const path = await staging.place(restoredMarkAt(paths.state));
    await disk.file(path, Buffer.from(restoredMarkText(mark)));
  } else await staging.drop(restoredMarkAt(paths.state));
  await staging.finish();
  const moves = await staging.moves();
  if (disk === machineDisk) mustBeMovable(moves.map(({ target }) => target));
  await switchTo(disk, journalOf(paths.state), moves);
  return {
    manifest,
    nics,
    store: storeWord(members),
    entries: copy.entries.length,
    epoch,
    ...(confFault !== undefined && { confFault }),
  };
}

/** The lock that host0's daemon has while it runs, also before it answers. @throws MESH_ALREADY_RUNNING */
function claimHost0(state: string): () => void {
  const path = lockPath(state, 'host0');
  const unlock = lockFile(path);
  if (unlock !== undefined) return unlock;
  throw new MeshError('MESH_ALREADY_RUNNING', "host0's daemon runs, and a restore replaces what it works with", {
    operation: 'restore host0',
    object: path,
    remedy: 'Stop it first: `mesh system stop`. Networks keep carrying traffic.',
  });
}

/** The areas that a backup replaces here. */
export function restoredAreas(paths: Paths, { entries }: BackupManifest): readonly Area[] {
  const has = (path: string) => entries.some((entry) => entry.path === path);
  const all = areasOf(paths, { mirror: has('mirror/pool'), isos: has('host0/isos') });
  // The dates of indexes that this machine has seen count: an older index would be taken for a new one otherwise.
  const keepsDates = existsSync(join(paths.state, 'mirror/seen.json'));
  return all.map((area) =>
    area.name === 'mirror' && keepsDates
      ? { ...area, owns: (name: string) => name !== 'seen.json' && area.owns(name) }
      : area,
  );
}

/** Room for the log of the file system, and for the store beside its copy. */
const SPARE_BYTES = 16 * 1024 * 1024;
/** A small file takes a block at least. */
const BLOCK_BYTES = 4096;

function mustHaveRoom(file: string, { entries, store }: BackupManifest, areas: readonly Area[]): void {
  const wanted = new Map<number, { at: string; bytes: number; free: number }>();
  const need = (directory: string, bytes: number): void => {
    const at = existingAbove(directory);
    const { dev } = lstatSync(at);
    const known = wanted.get(dev);
    if (known !== undefined) known.bytes += bytes;
    else {
      const { bavail, bsize } = statfsSync(at);
      wanted.set(dev, { at, bytes, free: bavail * bsize });
    }
  };
  for (const { name, directory } of areas) {
    const own = entries.filter(({ path }) => path === name || path.startsWith(`${name}/`));
    need(
      directory,
      own.reduce((sum, entry) => sum + (entry.type === 'file' ? entry.bytes : 0) + BLOCK_BYTES, 0),
    );
    if (name === 'state') need(directory, 2 * store.bytes + SPARE_BYTES);
  }
  for (const { at, bytes, free } of wanted.values()) {
    if (bytes > free) {
      throw largeBackup(
        file,
        `it needs ${bytes} bytes in the file system of ${at}, and ${free} are free`,
        'Make room there; what is there now stays until the restore is done. Nothing was changed.',
      );
    }
  }
}

function existingAbove(path: string): string {
  return existsSync(path) || path === '/' ? path : existingAbove(dirname(path));
}

/** @throws MESH_ALREADY_MADE on a machine that is a host0 already */
function mustBeNew(areas: readonly Area[]): void {
  for (const { name, directory, owns } of areas) {
    if (name !== 'host0' && name !== 'state') continue;
    const there = name === 'host0' ? directory : join(directory, 'store.db');
    const has = name === 'host0' ? isFilled(directory, owns) : existsSync(there);
    if (!has) continue;
    throw new MeshError('MESH_ALREADY_MADE', `this machine has a host0 already: ${there}`, {
      operation: 'restore backup',
      object: there,
      remedy:
        'Look what would change: `mesh system restore FILE --plan`. To lose what is here, add --force; to keep it, make a backup first.',
    });
  }
}

function isFilled(directory: string, owns: (name: string) => boolean): boolean {
  return existsSync(directory) && readdirSync(directory).some(owns);
}

/** A name that another file system is mounted at cannot be replaced. @throws MESH_DISK_REFUSED */
function mustBeMovable(targets: readonly string[]): void {
  for (const target of targets) {
    const found = lstatSync(target, { throwIfNoEntry: false });
    if (found === undefined || found.dev === lstatSync(dirname(target)).dev) continue;
    throw new MeshError('MESH_DISK_REFUSED', `${target} is a file system of its own, and cannot be replaced`, {
      operation: 'restore backup',
      object: target,
      remedy: `Unmount it, and restore again. Nothing was changed.`,
    });
  }
}

/** A host0.conf where the backup has none. */
function newConf(bytes: number, made: Date): ManifestEntry {
  const [path = ''] = CONFS;
  const mtimeSec = Math.floor(made.getTime() / 1000);
  return { path, type: 'file', bytes, sha256: '', mode: 0o640, uid: 0, gid: 0, mtimeSec };
}

/** A host0.conf with another store. */
export function withStoreLine(text: string, word: string): string {
  const line = `store="${word}"`;
  const pattern = /^[ \t]*store[ \t]*=.*$/m;
  if (pattern.test(text)) return text.replace(pattern, () => line);
  return `${text.replace(/\n*$/, text === '' ? '' : '\n')}${line}\n`;
}
