/** `mesh system backup`: all that host0 is, as one file. */
import { createWriteStream } from 'node:fs';
import { PIPE, writeBackup } from '../../backup/archive/backup-file.ts';
import { finishRestore } from '../../backup/finish-restore.ts';
import { settingsOf, storeNow } from '../../backup/store-access.ts';
import { type TakenBackup, takeHost0 } from '../../backup/take-backup.ts';
import { writeDurable } from '../../disk/durable-file.ts';
import { requireRoot } from '../../kernel/root.ts';
import { MeshError } from '../../model/error.ts';
import { visible } from '../../protocol/documents/terminal-text.ts';
import { backupText } from '../../store/store-backup.ts';
import type { Context } from '../context.ts';
import { withProgress } from '../print/progress.ts';

/** What is backed up, and how. */
export interface BackupOptions {
  readonly filter?: string;
  readonly withMirror?: boolean;
  readonly withIsos?: boolean;
  readonly storeOnly?: boolean;
  readonly force?: boolean;
}

const SECRET = 0o600;
/** Files change while they are read when an administrator edits just now. */
const TRIES = 3;
const STDOUT = 1;

/** Writes a backup. */
export async function backup(context: Context, file: string, options: BackupOptions): Promise<void> {
  requireRoot('back up host0', 'A backup has all that host0 knows, and its keys.');
  await finishRestore(context.paths);
  if (options.storeOnly === true) return await backUpStore(context, file, options);
  const { taken, bytes } = await withProgress(context.stderr, 'Writing the backup', written(context, file, options));
  const { manifest, skipped } = taken;
  const files = manifest.entries.filter(({ type }) => type === 'file').length;
  const { epoch, revision } = manifest.store;
  const { leftOut, takenAt } = manifest;
  const document = { file, bytes, files, takenAt, epoch, revision, leftOut, skipped };
  const text = [
    `${visible(file)} has ${files} files and the store of host0, ${megabytes(bytes)}.\n`,
    ...leftOut.map((left) => `Left out, ${megabytes(left.bytes)}: ${left.what}.\n`),
    ...skipped.map((path) => `Left out, no file: ${visible(path)}.\n`),
    ...(options.filter === undefined ? ['It has all keys, as they are: keep it where only root can read it.\n'] : []),
  ].join('');
  if (file === PIPE) context.stderr.write(text);
  else context.answer(document, () => text);
}

/** Tries again while somebody edits. What went into a pipe already cannot be taken back. */
async function written(
  { paths }: Context,
  file: string,
  { filter, withMirror = false, withIsos = false, force = false }: BackupOptions,
): Promise<{ readonly taken: TakenBackup; readonly bytes: number }> {
  const target = file === PIPE ? createWriteStream('', { fd: STDOUT }) : file;
  for (let tries = 1; ; tries++) {
    try {
      const taken = await takeHost0(paths, { mirror: withMirror, isos: withIsos });
      const bytes = await writeBackup(taken.archive, target, { force, ...(filter !== undefined && { filter }) });
      return { taken, bytes };
    } catch (error) {
      const isEdited = error instanceof MeshError && error.code === 'MESH_BACKUP_CHANGED';
      if (!isEdited || tries >= TRIES || typeof target !== 'string') throw error;
    }
  }
}

async function backUpStore(context: Context, file: string, { filter }: BackupOptions): Promise<void> {
  if (filter !== undefined || file === PIPE) {
    throw new MeshError('MESH_USAGE', '--store-only writes a file, and takes no filter', {
      operation: 'back up host0',
      remedy: 'The document has no keys. Leave --store-only out for a whole backup, which takes a filter.',
    });
  }
  // A host0 whose settings cannot be read has no store to speak of.
  await settingsOf(context.paths);
  const document = await withProgress(context.stderr, 'Reading the store', storeNow(context.paths));
  await writeDurable(file, backupText(document), SECRET);
  const { epoch, revision, entries } = document;
  context.answer(
    { file, entries: entries.length, epoch, revision },
    () => `${visible(file)} holds ${entries.length} entries.\n`,
  );
}

/** A size for people. */
export function megabytes(bytes: number): string {
  return bytes < 100_000 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
