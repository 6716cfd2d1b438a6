/** The store of this machine's host0, read and filled: by its daemon if that runs, else by the file or the etcd itself. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Host0Settings, readHost0Conf } from '../formats/host0/host0-conf.ts';
import { storeWord } from '../formats/host0/store-word.ts';
import { host0Owner } from '../machine/host0-owner.ts';
import { systemClock } from '../model/clock.ts';
import { MeshError } from '../model/error.ts';
import type { EtcdEndpoint } from '../model/etcd-endpoint.ts';
import { host0Client } from '../protocol/calls/control-client.ts';
import type { Paths } from '../protocol/documents/paths.ts';
import type { StoreHead } from '../protocol/routes/store-routes.ts';
import { etcdPlace } from '../store/etcd/etcd-credentials.ts';
import { EtcdStore } from '../store/etcd/etcd-store.ts';
import { SqliteStore } from '../store/sqlite/sqlite-store.ts';
import type { Store } from '../store/store.ts';
import { restoreBackup, type StoreBackup, storeCopy, takeBackup } from '../store/store-backup.ts';

/** Who leads meanwhile, for a host0 that would start elsewhere. */
const RESTORE = '`mesh system restore`';
/** host0 and its store are on one machine; a part of the answer that takes longer does not come any more. */
const PART_MS = 30_000;

/** The settings of this host0. @throws MESH_CONF_*, MESH_HOST0_CONF_INVALID */
export async function settingsOf({ host0Conf }: Pick<Paths, 'host0Conf'>): Promise<Host0Settings> {
  const { settings, errors } = await readHost0Conf(host0Conf);
  if (settings === undefined) throw errors[0] ?? new MeshError('MESH_INTERNAL', 'host0.conf has no settings');
  return settings;
}

/** The file of a host0 that has no etcd. */
export function storeFile({ state }: Pick<Paths, 'state'>): string {
  return join(state, 'store.db');
}

/** All that the store holds now, at one revision. host0 goes on meanwhile. @throws MESH_STORE_*, MESH_NOT_RUNNING */
export async function storeNow(paths: Paths): Promise<StoreBackup> {
  if (await host0Client(paths).answers()) return await askedCopy(paths);
  const { store: members } = await settingsOf(paths);
  // A store that no host0 has made yet is not made by the look at it.
  if (members.length === 0 && !existsSync(storeFile(paths)))
    return storeCopy({ takenAt: new Date().toISOString(), epoch: '', revision: 0, entries: [] });
  return await withStore(paths, members, (store) => takeBackup(store, new Date()));
}

/** The copy that host0's daemon gives. */
async function askedCopy(paths: Paths): Promise<StoreBackup> {
  let head: StoreHead | undefined;
  let end: number | undefined;
  const entries: { readonly key: string; readonly value: string }[] = [];
  for await (const { document, fault } of host0Client(paths).lines('GET /v1/store', { timeoutMs: PART_MS })) {
    if (fault !== undefined) throw new MeshError('MESH_INTERNAL', `a line of host0's store ${fault}`);
    if ('head' in document) head = document.head;
    else if ('entries' in document) entries.push(...document.entries);
    else end = document.end;
  }
  if (head !== undefined && end === entries.length) return storeCopy({ ...head, entries });
  throw new MeshError('MESH_NOT_RUNNING', "host0's daemon ended before it had told all of its store", {
    operation: 'read the store',
    object: paths.controlSock,
    remedy: 'Run the command again.',
    retryable: true,
  });
}

/** Works with a store while no host0 does. @throws MESH_STORE_* */
export async function withStore<T>(
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

/** Refuses a store that has something in it. @throws MESH_ALREADY_MADE */
export async function mustBeEmpty(store: Store, members: readonly EtcdEndpoint[]): Promise<void> {
  const { entries } = await store.range('/v1/');
  if (entries.length === 0) return;
  throw new MeshError('MESH_ALREADY_MADE', `the store ${storeWord(members)} has ${entries.length} entries already`, {
    operation: 'restore the store',
    object: storeWord(members),
    remedy: 'To lose them, add --force; to keep them, write them into a file first: `mesh system backup FILE`',
  });
}

/** Puts a copy into an etcd, in place of what that has. @returns the new epoch @throws MESH_STORE_* */
export async function fillEtcd(paths: Paths, members: readonly EtcdEndpoint[], document: StoreBackup): Promise<string> {
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

/** Puts a copy into a file that is not there yet. @returns the new epoch @throws MESH_STORE_* */
export async function fillSqlite(path: string, document: StoreBackup): Promise<string> {
  const store = await SqliteStore.open(path);
  try {
    await restoreBackup(store, document);
  } finally {
    await store.close();
  }
  return store.epoch;
}

async function openEtcd(paths: Paths, members: readonly EtcdEndpoint[]): Promise<EtcdStore> {
  return await EtcdStore.open(await etcdPlace(members, paths.etcdConf), { clock: systemClock });
}
