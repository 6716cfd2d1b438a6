/** The store of host0 alone, filled from a document: the way from a file of host0's own to an etcd, and back. */
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fillEtcd, fillSqlite, mustBeEmpty, settingsOf, storeFile, withStore } from '../../backup/store-access.ts';
import { syncDirectory } from '../../disk/durable-file.ts';
import { storeWord } from '../../formats/host0/store-word.ts';
import type { Paths } from '../../protocol/documents/paths.ts';
import type { StoreBackup } from '../../store/store-backup.ts';
import type { Context } from '../context.ts';
import { withProgress } from '../print/progress.ts';
import { storeChoice } from './store-choice.ts';

/** Fills the store, and keeps the choice of another one. @throws MESH_ALREADY_MADE without `force` */
export async function restoreStore(
  context: Context,
  document: StoreBackup,
  { store: word, force }: { readonly store?: string; readonly force: boolean },
): Promise<void> {
  const choice = word === undefined ? undefined : await storeChoice(context, word);
  const { paths } = context;
  const members = choice?.members ?? (await settingsOf(paths)).store;
  const work = async (): Promise<string> => {
    if (!force) await withStore(paths, members, (store) => mustBeEmpty(store, members));
    return members.length === 0 ? await replaceSqlite(paths, document) : await fillEtcd(paths, members, document);
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

/** Fills a file beside the present one, which stays as it is until the new one is whole. */
async function replaceSqlite(paths: Paths, document: StoreBackup): Promise<string> {
  const path = storeFile(paths);
  const beside = `${path}.restoring`;
  await removeSqlite(beside);
  try {
    const epoch = await fillSqlite(beside, document);
    // A file that is made anew has another epoch, and host0 shall not take it for one that was emptied.
    await rm(join(paths.state, 'epoch.json'), { force: true });
    // sqlite would apply the log of changes of the old file to the new one.
    for (const file of [`${path}-wal`, `${path}-shm`]) await rm(file, { force: true });
    await rename(beside, path);
    await syncDirectory(paths.state);
    return epoch;
  } finally {
    await removeSqlite(beside);
  }
}

async function removeSqlite(path: string): Promise<void> {
  for (const file of [`${path}-wal`, `${path}-shm`, path]) await rm(file, { force: true });
}
