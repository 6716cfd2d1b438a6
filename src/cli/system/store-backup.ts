/** `mesh system backup` and `mesh system restore`: what host0 knows, as one file. */
import { readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { syncDirectory, writeDurable } from '../../disk/durable-file.ts';
import { unreadable } from '../../formats/conf/conf-reader.ts';
import { readHost0Conf } from '../../formats/host0/host0-conf.ts';
import { storeWord } from '../../formats/host0/store-word.ts';
import { requireRoot } from '../../kernel/root.ts';
import { host0Owner } from '../../machine/host0-owner.ts';
import { systemClock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import type { EtcdEndpoint } from '../../model/etcd-endpoint.ts';
import { host0Client } from '../../protocol/calls/control-client.ts';
import type { Paths } from '../../protocol/documents/paths.ts';
import { etcdPlace } from '../../store/etcd/etcd-credentials.ts';
import { EtcdStore } from '../../store/etcd/etcd-store.ts';
import { SqliteStore } from '../../store/sqlite/sqlite-store.ts';
import type { Store } from '../../store/store.ts';
import { readBackup, restoreBackup, type StoreBackup, takeBackup } from '../../store/store-backup.ts';
import type { Context } from '../context.ts';
import { withProgress } from '../print/progress.ts';
import { storeChoice } from './store-choice.ts';

const ROOT_RULE = 'The store has all that host0 knows of its machines.';
/** Keys of machines are not in the file, but who they are is. */
const PERMISSIONS = 0o600;
/** Who leads meanwhile, for a host0 that would start elsewhere. */
const RESTORE = '`mesh system restore`';

/** How a store is filled. */
export interface RestoreOptions {
  readonly store?: string;
  readonly force?: boolean;
}

/** `mesh system backup`. */
export async function backup(context: Context, file: string): Promise<void> {
  requireRoot('read the store', ROOT_RULE);
  const { paths } = context;
  const members = await chosenStore(paths);
  if (members.length === 0) await mustBeStopped(context, 'read its store');
  const document = await withProgress(
    context.stderr,
    'Reading the store',
    withStore(paths, members, (store) => takeBackup(store, new Date())),
  );
  await writeDurable(file, `${JSON.stringify(document, undefined, 1)}\n`, PERMISSIONS);
  const count = document.entries.length;
  const { epoch, revision } = document;
  context.answer({ file, entries: count, epoch, revision }, () => `${file} holds ${count} entries.\n`);
}

/** `mesh system restore`. */
export async function restore(
  context: Context,
  file: string,
  { store: word, force = false }: RestoreOptions,
): Promise<void> {
  requireRoot('fill the store', ROOT_RULE);
  await mustBeStopped(context, 'fill its store');
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw unreadable(file, cause);
  });
  const document = readBackup(file, text);
  const choice = word === undefined ? undefined : await storeChoice(context, word);
  const { paths } = context;
  const members = choice?.members ?? (await chosenStore(paths));
  const work = async (): Promise<string> => {
    await withStore(paths, members, (store) => mustBeEmpty(store, members, force));
    return members.length === 0 ? await fillSqlite(paths, document) : await fillEtcd(paths, members, document);
  };
  const epoch = await withProgress(context.stderr, 'Filling the store', work());
  // host0 keeps its store until the other one has all.
  await choice?.keep();
  const count = document.entries.length;
  context.answer(
    { store: storeWord(members), entries: count, epoch },
    () => `${storeWord(members)} holds ${count} entries of ${document.takenAt}.\nNext: mesh system start\n`,
  );
}

async function chosenStore({ host0Conf }: Paths): Promise<readonly EtcdEndpoint[]> {
  const { settings, errors } = await readHost0Conf(host0Conf);
  if (settings === undefined) throw errors[0] ?? new MeshError('MESH_INTERNAL', 'host0.conf has no settings');
  return settings.store;
}

async function mustBeStopped({ paths }: Context, what: string): Promise<void> {
  if (!(await host0Client(paths).answers())) return;
  throw new MeshError('MESH_ALREADY_RUNNING', `host0's daemon runs, and only one process can ${what}`, {
    operation: what,
    remedy: 'Stop it first: `mesh system stop`. Networks keep carrying traffic.',
  });
}

async function mustBeEmpty(store: Store, members: readonly EtcdEndpoint[], force: boolean): Promise<void> {
  const { entries } = await store.range('/v1/');
  if (entries.length === 0 || force) return;
  throw new MeshError('MESH_ALREADY_MADE', `the store ${storeWord(members)} has ${entries.length} entries already`, {
    operation: 'restore the store',
    object: storeWord(members),
    remedy: 'To lose them, add --force; to keep them, write them into a file first: `mesh system backup FILE`',
  });
}

async function withStore<T>(
  paths: Paths,
  members: readonly EtcdEndpoint[],
  work: (store: Store) => Promise<T>,
): Promise<T> {
  const store = members.length === 0 ? await SqliteStore.open(storeFile(paths)) : await openEtcd(paths, members);
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

async function openEtcd(paths: Paths, members: readonly EtcdEndpoint[]): Promise<EtcdStore> {
  return await EtcdStore.open(await etcdPlace(members, paths.etcdConf), { clock: systemClock });
}

const storeFile = ({ state }: Paths): string => join(state, 'store.db');

async function fillEtcd(paths: Paths, members: readonly EtcdEndpoint[], document: StoreBackup): Promise<string> {
  EtcdStore.mustTake(document.entries);
  const store = await openEtcd(paths, members);
  try {
    await store.lead({ owner: host0Owner(paths.root), name: RESTORE, onLost: () => undefined });
    await restoreBackup(store, document);
    return await store.renew();
  } finally {
    await store.close();
  }
}

/** Fills a file beside the present one, which stays as it is until the new one is whole. */
async function fillSqlite(paths: Paths, document: StoreBackup): Promise<string> {
  const path = storeFile(paths);
  const beside = `${path}.restoring`;
  await removeSqlite(beside);
  try {
    const store = await SqliteStore.open(beside);
    try {
      await restoreBackup(store, document);
    } finally {
      await store.close();
    }
    // A file that is made anew has another epoch, and host0 shall not take it for one that was emptied.
    await rm(join(paths.state, 'epoch.json'), { force: true });
    // sqlite would apply the log of changes of the old file to the new one.
    for (const file of [`${path}-wal`, `${path}-shm`]) await rm(file, { force: true });
    await rename(beside, path);
    await syncDirectory(paths.state);
    return store.epoch;
  } finally {
    await removeSqlite(beside);
  }
}

async function removeSqlite(path: string): Promise<void> {
  for (const file of [`${path}-wal`, `${path}-shm`, path]) await rm(file, { force: true });
}
