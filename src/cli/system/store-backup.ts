/** `mesh system backup` and `mesh system restore`: what host0 knows, as one file. */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { writeDurable } from '../../disk/durable-file.ts';
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
import { readBackup, restoreBackup, takeBackup } from '../../store/store-backup.ts';
import type { Context } from '../context.ts';
import { withProgress } from '../print/progress.ts';
import { chooseStore, storeOption } from './store-choice.ts';

const ROOT_RULE = 'The store has all that host0 knows of its machines.';
/** Keys of machines are not in the file, but who they are is. */
const PERMISSIONS = 0o600;
/** Who leads meanwhile, for a host0 that would start elsewhere. */
const RESTORE = '`mesh system restore`';

/** Adds both commands. */
export function addStoreBackup(system: Command, context: Context): void {
  system
    .command('backup')
    .description("Write what host0's store holds into a file")
    .argument('<file>', 'the file to write; only root can read it')
    .addHelpText(
      'after',
      "\nhost0's daemon must be stopped, unless its store is an etcd. The installation secret is not in the file: keep\n" +
        'a copy of /var/lib/meshwork/keys, too.\n\nExample:\n  $ mesh system backup /root/store.json',
    )
    .action((file: string) => backup(context, file));

  system
    .command('restore')
    .description("Fill host0's store from a file that `mesh system backup` has written")
    .argument('<file>', 'the file to read')
    .addOption(storeOption())
    .option('--force', 'also over a store that has something in it, which is lost')
    .addHelpText(
      'after',
      "\nhost0's daemon must be stopped. This is also the way from a file of host0's own to an etcd, and back.\n" +
        'The store gets a new epoch: what nodes have and the file has not is kept by the nodes (`mesh node orphans list`).\n' +
        '\nExamples:\n  $ mesh system restore /root/store.json\n' +
        '  $ mesh system restore /root/store.json --store etcd://10.0.0.1:2379,10.0.0.2:2379',
    )
    .action((file: string, options: RestoreOptions) => restore(context, file, options));
}

interface RestoreOptions {
  readonly store?: string;
  readonly force?: boolean;
}

async function backup(context: Context, file: string): Promise<void> {
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

async function restore(context: Context, file: string, { store: word, force = false }: RestoreOptions): Promise<void> {
  requireRoot('fill the store', ROOT_RULE);
  await mustBeStopped(context, 'fill its store');
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw unreadable(file, cause);
  });
  const document = readBackup(file, text);
  if (word !== undefined) await chooseStore(context, word);
  const { paths } = context;
  const members = await chosenStore(paths);
  const work = async (): Promise<string> => {
    await withStore(paths, members, (store) => mustBeEmpty(store, members, force));
    // A file that is made anew has another epoch, and host0 shall not take it for one that was emptied.
    if (members.length === 0) await removeSqlite(paths);
    return await withStore(paths, members, async (store) => {
      if (store instanceof EtcdStore)
        await store.lead({ owner: host0Owner(paths.root), name: RESTORE, onLost: () => undefined });
      await restoreBackup(store, document);
      return store instanceof EtcdStore ? await store.renew() : store.epoch;
    });
  };
  const epoch = await withProgress(context.stderr, 'Filling the store', work());
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
  const store =
    members.length === 0
      ? await SqliteStore.open(sqlitePath(paths))
      : await EtcdStore.open(await etcdPlace(members, paths.etcdConf), { clock: systemClock });
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

const sqlitePath = ({ state }: Paths): string => join(state, 'store.db');

async function removeSqlite(paths: Paths): Promise<void> {
  const path = sqlitePath(paths);
  for (const file of [`${path}-wal`, `${path}-shm`, path, join(paths.state, 'epoch.json')]) {
    await rm(file, { force: true });
  }
}
