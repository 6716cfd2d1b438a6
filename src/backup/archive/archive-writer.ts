/**
 * Writes a backup: a compressed tar archive whose first file is the manifest. `tar -tzf` lists it, and in an emergency `tar` unpacks
 * what is in it.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import { createTarPacker, type TarHeader } from 'modern-tar';
import { errnoOf } from '../../formats/conf/conf-reader.ts';
import { sealed } from '../../protocol/shapes/sealed-document.ts';
import { changedFile, type FoundEntry } from './contents.ts';
import {
  type BackupManifest,
  FILES,
  MANIFEST_FILE,
  MANIFEST_FORM,
  type ManifestEntry,
  STORE_FILE,
} from './manifest.ts';

/** Only root reads what is unpacked by hand. */
const SECRET = 0o600;

/** What an archive is made of. */
export interface ArchiveInput {
  readonly manifest: BackupManifest;
  readonly store: Uint8Array;
  /** The entries of the manifest, with where they are. */
  readonly found: readonly FoundEntry[];
}

/** The bytes of the archive. The stream fails with MESH_BACKUP_CHANGED if a file is not as the manifest says any more. */
export function archiveStream(input: ArchiveInput): Readable {
  const { readable, controller } = createTarPacker();
  const writing = write(input, controller).then(
    () => controller.finalize(),
    (error: unknown) => controller.error(error),
  );
  // `controller.error` has told the reader.
  writing.catch(() => undefined);
  const tar = Readable.fromWeb(readable);
  const gzip = createGzip();
  tar.on('error', (error) => gzip.destroy(error));
  gzip.on('close', () => tar.destroy());
  return tar.pipe(gzip);
}

type Controller = ReturnType<typeof createTarPacker>['controller'];

async function write({ manifest, store, found }: ArchiveInput, controller: Controller): Promise<void> {
  const mtime = new Date(manifest.takenAt);
  await put(controller, MANIFEST_FILE, Buffer.from(sealed(MANIFEST_FORM, manifest)), mtime);
  await put(controller, STORE_FILE, store, mtime);
  for (const { entry, source } of found) {
    const body = controller.add(headerOf(entry));
    const writer = body.getWriter();
    if (entry.type === 'file') {
      const hash = createHash('sha256');
      let bytes = 0;
      const chunks: AsyncIterable<Buffer> = createReadStream(source);
      try {
        for await (const chunk of chunks) {
          bytes += chunk.length;
          hash.update(chunk);
          // The archive has room for so many bytes of this file only.
          if (bytes > entry.bytes) throw changedFile(source);
          await writer.write(new Uint8Array(chunk));
        }
      } catch (error) {
        throw errnoOf(error) === 'ENOENT' ? changedFile(source) : error;
      }
      if (bytes !== entry.bytes || hash.digest('hex') !== entry.sha256) throw changedFile(source);
    }
    await writer.close();
  }
}

async function put(controller: Controller, name: string, bytes: Uint8Array, mtime: Date): Promise<void> {
  const body = controller.add({ name, size: bytes.length, type: 'file', mode: SECRET, mtime });
  const writer = body.getWriter();
  await writer.write(new Uint8Array(bytes));
  await writer.close();
}

function headerOf(entry: ManifestEntry): TarHeader {
  const name = `${FILES}${entry.path}${entry.type === 'directory' ? '/' : ''}`;
  switch (entry.type) {
    case 'symlink':
      return { name, size: 0, type: 'symlink', linkname: entry.to };
    case 'link':
      return { name, size: 0, type: 'link', linkname: `${FILES}${entry.to}` };
    case 'directory':
    case 'file': {
      const { mode, uid, gid, mtimeSec } = entry;
      const size = entry.type === 'file' ? entry.bytes : 0;
      return { name, size, type: entry.type, mode, uid, gid, mtime: new Date(mtimeSec * 1000) };
    }
  }
}
