/** Where a backup goes, and where it comes from: a file that is whole or not there, or a pipe; through a filter or not. */
import { randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { link, open, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { syncDirectory, syncFile } from '../../disk/durable-file.ts';
import { unreadable } from '../../formats/conf/conf-reader.ts';
import { MeshError } from '../../model/error.ts';
import { startFilter } from './filter.ts';

/** The word for standard input or output in the place of a file. */
export const PIPE = '-';
/** Keys of all nodes are in it. */
const SECRET = 0o600;

/**
 * Writes a backup. A file gets its name when it is whole and on the disk, and not before.
 * @param archive begins to read what the backup has
 * @param target a path, or a stream
 * @param force whether a file of this name is replaced
 * @returns the bytes that were written
 * @throws MESH_ALREADY_MADE, MESH_DISK_REFUSED, MESH_BACKUP_FILTER, and what the archive throws
 */
export async function writeBackup(
  archive: () => Readable,
  target: string | Writable,
  { filter, force = false }: { readonly filter?: string; readonly force?: boolean },
): Promise<number> {
  if (typeof target !== 'string') return await pour(archive(), target, filter);
  if (!force && (await isThere(target))) throw alreadyMade(target);
  const unfinished = `${target}.${process.pid}-${randomBytes(4).toString('hex')}.new`;
  let bytes: number;
  try {
    try {
      const file = createWriteStream(unfinished, { flags: 'wx', mode: SECRET });
      bytes = await pour(archive(), file, filter);
      await syncFile(unfinished);
      // A name that somebody has taken meanwhile is not taken from them.
      await (force ? rename(unfinished, target) : link(unfinished, target));
    } finally {
      await rm(unfinished, { force: true });
    }
    await syncDirectory(dirname(target));
  } catch (error) {
    if (error instanceof MeshError) throw error;
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') throw alreadyMade(target);
    throw new MeshError('MESH_DISK_REFUSED', `${target} cannot be written: ${MeshError.from(error).message}`, {
      operation: 'write backup',
      object: target,
      remedy: 'Make room on the disk, and see that the directory is there and mounted for writing.',
      cause: error,
    });
  }
  return bytes;
}

async function pour(archive: Readable, out: Writable, filter: string | undefined): Promise<number> {
  let bytes = 0;
  const counted = async function* (chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      bytes += chunk.length;
      yield chunk;
    }
  };
  if (filter === undefined) {
    await pipeline(archive, counted, out);
    return bytes;
  }
  const running = startFilter(filter);
  try {
    const feeding = pipeline(archive, running.input);
    feeding.catch(() => running.output.destroy());
    const taking = pipeline(running.output, counted, out);
    taking.catch(() => undefined);
    // The archive's own error counts before the one that it makes of the filter.
    const fed = await feeding.then(
      () => undefined,
      (error: unknown) => error,
    );
    if (fed !== undefined && !isPipeError(fed)) throw fed;
    await running.ended;
    await taking;
    if (fed !== undefined) throw fed;
    return bytes;
  } finally {
    running.stop();
  }
}

/** The filter has ended, and says itself why. */
function isPipeError(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'EPIPE' || code === 'ERR_STREAM_PREMATURE_CLOSE' || code === 'ERR_STREAM_DESTROYED';
}

async function isThere(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}

function alreadyMade(target: string): MeshError {
  return new MeshError('MESH_ALREADY_MADE', `${target} is there already`, {
    operation: 'write backup',
    object: target,
    remedy: 'Choose another name, or replace the file with --force.',
  });
}

/** A backup that is read. */
export interface BackupSource {
  /** For errors. */
  readonly name: string;
  /** The first bytes, which `bytes` has, too. */
  readonly beginning: Buffer;
  readonly bytes: Readable;
  /** Resolves when all that was read was right, also for the filter. @throws MESH_BACKUP_FILTER */
  readonly ended: () => Promise<void>;
  readonly close: () => void;
}

const BEGINNING_BYTES = 512;

/**
 * Opens a backup.
 * @param source a path, or a stream
 * @throws MESH_CONF_* if the file cannot be read
 */
export async function openBackup(source: string | Readable, filter?: string): Promise<BackupSource> {
  const name = typeof source === 'string' ? basename(source) : 'the backup';
  const raw = typeof source === 'string' ? await fileStream(source) : source;
  const running = filter === undefined ? undefined : startFilter(filter);
  if (running !== undefined) pipeline(raw, running.input).catch(() => undefined);
  const stream = running?.output ?? raw;
  const close = (): void => {
    running?.stop();
    raw.destroy();
    stream.destroy();
  };
  const chunks = stream[Symbol.asyncIterator]();
  const held: Buffer[] = [];
  try {
    while (Buffer.concat(held).length < BEGINNING_BYTES) {
      const { value, done } = await chunks.next();
      if (done === true) break;
      held.push(Buffer.from(value));
    }
    // A wrong key, or no key: the filter says so better than what it has not written.
    if (Buffer.concat(held).length === 0) await running?.ended;
  } catch (error) {
    close();
    throw error;
  }
  const rest = async function* (): AsyncGenerator<Buffer> {
    yield* held;
    for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) yield Buffer.from(next.value);
  };
  return {
    name,
    beginning: Buffer.concat(held).subarray(0, BEGINNING_BYTES),
    bytes: Readable.from(rest(), { objectMode: false }),
    ended: async () => await running?.ended,
    close,
  };
}

async function fileStream(path: string): Promise<Readable> {
  try {
    await (await open(path, 'r')).close();
  } catch (cause) {
    throw unreadable(path, cause);
  }
  return createReadStream(path);
}
