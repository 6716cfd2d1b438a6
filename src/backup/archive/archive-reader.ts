/** Reads a backup, and believes nothing of it: each file must come where the manifest says so, and be what the manifest says. */
import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { createTarDecoder, type ParsedTarEntry } from 'modern-tar';
import { MeshError } from '../../model/error.ts';
import { readSealed } from '../../protocol/shapes/sealed-document.ts';
import { readBackup, type StoreBackup } from '../../store/store-backup.ts';
import type { Area } from './areas.ts';
import { damagedBackup, foreignBackup, largeBackup, laterBackup, truncatedBackup } from './backup-error.ts';
import {
  type BackupManifest,
  FILES,
  MANIFEST_BYTES_MAX,
  MANIFEST_FILE,
  MANIFEST_FORM,
  type ManifestEntry,
  STORE_BYTES_MAX,
  STORE_FILE,
} from './manifest.ts';
import { checkEntries } from './manifest-check.ts';

/** The file of an entry, whose bytes are judged when the last one was taken. */
export type FileEntry = ManifestEntry & { readonly type: 'file' };

/** What is done with a backup while it is read. What it has given counts only when `readArchive` has resolved. */
export interface ArchiveTaker {
  /** The manifest has its form, and the store is the one of the manifest. */
  begin(manifest: BackupManifest, store: StoreBackup): Promise<void>;
  /** All entries, in their order. @param content of a file; empty for all else */
  take(entry: ManifestEntry, content: AsyncIterable<Uint8Array>): Promise<void>;
}

const GZIP = Buffer.from([0x1f, 0x8b]);

/** Whether a file begins as a backup does. */
export function isArchive(beginning: Uint8Array): boolean {
  return GZIP.equals(beginning.subarray(0, GZIP.length));
}

/**
 * Reads an archive to its end.
 * @param file its name in errors
 * @param areas all that there are, with all that may be in them
 * @throws MESH_BACKUP_*, and what the taker throws
 */
export async function readArchive(
  file: string,
  bytes: Readable,
  areas: readonly Area[],
  taker: ArchiveTaker,
): Promise<BackupManifest> {
  const { readable, writable } = createTarDecoder({ strict: true });
  const gunzip = bytes.pipe(createGunzip());
  bytes.on('error', (error) => gunzip.destroy(error));
  const feeding = feed(file, gunzip, writable);
  const entries = readable.getReader();
  try {
    const manifest = await readEntries(file, entries, areas, taker);
    await feeding;
    return manifest;
  } catch (error) {
    throw explained(file, error);
  } finally {
    await entries.cancel().catch(() => undefined);
    bytes.unpipe(gunzip);
    gunzip.destroy();
    bytes.destroy();
    await feeding.catch(() => undefined);
  }
}

async function feed(file: string, gunzip: Readable, writable: WritableStream<Uint8Array>): Promise<void> {
  const writer = writable.getWriter();
  writer.closed.catch(() => undefined);
  try {
    for await (const chunk of gunzip) await writer.write(chunk);
    await writer.close();
  } catch (error) {
    await writer.abort(explained(file, error)).catch(() => undefined);
  }
}

type EntryReader = ReadableStreamDefaultReader<ParsedTarEntry>;

async function readEntries(
  file: string,
  entries: EntryReader,
  areas: readonly Area[],
  taker: ArchiveTaker,
): Promise<BackupManifest> {
  const first = await entries.read();
  const found = first.value?.header.name;
  if (first.value === undefined || found !== MANIFEST_FILE) {
    throw foreignBackup(
      file,
      found === undefined ? 'it is empty' : `it begins with ${JSON.stringify(found.slice(0, 100))}`,
    );
  }
  const { size } = first.value.header;
  if (size > MANIFEST_BYTES_MAX) throw largeBackup(file, `its manifest has ${size} bytes`);
  const manifest = manifestIn(file, (await bytesOf(first.value.body)).toString('utf8'));
  checkEntries(file, manifest, areas);

  const { store } = manifest;
  if (store.bytes > STORE_BYTES_MAX) throw largeBackup(file, `its store has ${store.bytes} bytes`);
  const stored = await next(file, entries, STORE_FILE, store.bytes);
  const text = await bytesOf(checked(file, STORE_FILE, store, stored.body));
  await taker.begin(manifest, readBackup(`${file}: ${STORE_FILE}`, text.toString('utf8')));
  for (const entry of manifest.entries) {
    const tar = await next(file, entries, `${FILES}${entry.path}`, entry.type === 'file' ? entry.bytes : 0);
    if ((tar.header.type ?? 'file') !== entry.type) throw damagedBackup(file, `${entry.path} is no ${entry.type}`);
    const content = entry.type === 'file' ? checked(file, entry.path, entry, tar.body) : tar.body;
    await taker.take(entry, content);
    // What the taker has left is judged, too.
    for await (const _ of content);
  }
  const more = await entries.read();
  if (more.value !== undefined)
    throw damagedBackup(
      file,
      `it has ${JSON.stringify(more.value.header.name.slice(0, 100))}, which its manifest has not`,
    );
  return manifest;
}

function manifestIn(file: string, text: string): BackupManifest {
  const reading = readSealed(MANIFEST_FORM, text);
  if (reading.later !== undefined) throw laterBackup(file, reading.later, MANIFEST_FORM.version);
  if (reading.fault !== undefined) throw damagedBackup(file, `its manifest ${reading.fault}`);
  return reading.document;
}

/** The next file of the archive, which must be this one. */
async function next(file: string, entries: EntryReader, name: string, bytes: number): Promise<ParsedTarEntry> {
  const { value } = await entries.read();
  if (value === undefined) throw truncatedBackup(file, `${name} is not in it`);
  const { header } = value;
  // tar writes the name of a directory with a slash at its end.
  if (header.name.replace(/\/$/, '') !== name)
    throw damagedBackup(file, `${JSON.stringify(header.name.slice(0, 100))} is in the place of ${name}`);
  if (header.size !== bytes) throw damagedBackup(file, `${name} has ${header.size} bytes in place of ${bytes}`);
  return value;
}

/** Passes bytes on, and refuses the last ones unless all together are those of the manifest. */
function checked(
  file: string,
  name: string,
  { bytes, sha256 }: { readonly bytes: number; readonly sha256: string },
  body: AsyncIterable<Uint8Array>,
): AsyncIterable<Uint8Array> {
  let isRead = false;
  return {
    async *[Symbol.asyncIterator]() {
      if (isRead) return;
      isRead = true;
      const hash = createHash('sha256');
      let count = 0;
      for await (const chunk of body) {
        hash.update(chunk);
        count += chunk.length;
        yield chunk;
      }
      if (count !== bytes || hash.digest('hex') !== sha256)
        throw damagedBackup(file, `${name} is not as it was written`);
    },
  };
}

async function bytesOf(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** The words of zlib and of the reader of tar, as errors of ours. */
function explained(file: string, thrown: unknown): Error {
  if (thrown instanceof MeshError) return thrown;
  const { message = String(thrown), code = '' } = thrown as { message?: string; code?: string };
  if (code === 'Z_BUF_ERROR' || /truncated/i.test(message)) return truncatedBackup(file, 'it is cut off');
  if (code.startsWith('Z_') || /tar|EOF|PAX/i.test(message) || thrown instanceof RangeError)
    return damagedBackup(file, message, thrown);
  return MeshError.from(thrown);
}
