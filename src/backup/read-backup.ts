/** Reads a backup of host0 to its end, and keeps of it what decides how it is restored. */
import type { Paths } from '../protocol/documents/paths.ts';
import type { StoreBackup } from '../store/store-backup.ts';
import { readArchive } from './archive/archive-reader.ts';
import { areasOf } from './archive/areas.ts';
import { largeBackup } from './archive/backup-error.ts';
import type { BackupSource } from './archive/backup-file.ts';
import type { BackupManifest, ManifestEntry } from './archive/manifest.ts';

/** What is done with the files of a backup while they are read. */
export interface FileTaker {
  /** Before the first file. */
  begin(manifest: BackupManifest): Promise<void>;
  put(entry: ManifestEntry, content: AsyncIterable<Uint8Array>): Promise<void>;
}

/** A backup that is whole. */
export interface ReadBackup {
  readonly manifest: BackupManifest;
  readonly store: StoreBackup;
  /** The text of each host0.conf that the backup has, by its path in the backup. */
  readonly confs: ReadonlyMap<string, string>;
}

/** The files of settings, the one that counts first, as host0 looks for them (`Paths.host0Conf`). */
export const CONFS: readonly string[] = ['host0/host0.conf', 'pxen/host0.conf'];
const CONF_BYTES_MAX = 1024 * 1024;

/** Reads a backup. Nothing counts before this has resolved. @throws MESH_BACKUP_* */
export async function readWhole(source: BackupSource, paths: Paths, taker?: FileTaker): Promise<ReadBackup> {
  const confs = new Map<string, string>();
  let store: StoreBackup | undefined;
  const areas = areasOf(paths, { mirror: true, isos: true });
  const manifest = await readArchive(source.name, source.bytes, areas, {
    begin: async (given, copy) => {
      store = copy;
      await taker?.begin(given);
    },
    take: async (entry, content) => {
      if (entry.type !== 'file' || !CONFS.includes(entry.path)) return await taker?.put(entry, content);
      if (entry.bytes > CONF_BYTES_MAX) throw largeBackup(source.name, `${entry.path} has ${entry.bytes} bytes`);
      const chunks: Uint8Array[] = [];
      for await (const chunk of content) chunks.push(chunk);
      const bytes = Buffer.concat(chunks);
      confs.set(entry.path, bytes.toString('utf8'));
      await taker?.put(entry, once(bytes));
    },
  });
  await source.ended();
  if (store === undefined) throw new TypeError('a backup was read without its store');
  return { manifest, store, confs };
}

/** Bytes as a content of one piece. */
export async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
