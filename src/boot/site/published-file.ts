/**
 * Files over HTTP as boot loaders and installers need them (RFC 9110): always a Content-Length, ranges, strong ETags,
 * never an encoding, and no path that leaves its directory.
 */
import { createHash } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import { constants, type FileHandle, open, realpath } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { isAbsolute, join, relative, resolve } from 'node:path';
import { finished, pipeline } from 'node:stream/promises';
import { MeshError } from '../../model/error.ts';
import type { SharedFiles } from './shared-files.ts';

/** The first and the last byte, from 0. */
interface ByteRange {
  readonly first: number;
  readonly last: number;
}

/** Large pieces: at 64 KiB the event loop is busy with pieces instead of bytes. */
const PIECE_BYTES = 1024 * 1024;
const PATH_MAX = 1024;

const TYPES: Readonly<Record<string, string>> = {
  efi: 'application/efi',
  iso: 'application/vnd.efi-iso',
  img: 'application/octet-stream',
  gz: 'application/gzip',
};

/**
 * The file that a path from the network names below `directory`.
 * @param path as in the URL, percent-encoded, without a slash in front
 * @throws MESH_BOOT_PATH_UNKNOWN also for what is there and outside, so that nobody learns what is
 */
export async function openBelow(directory: string, path: string): Promise<FileHandle> {
  try {
    const inside = resolve(directory, decodePath(path));
    const [root, real] = await Promise.all([realpath(directory), realpath(inside)]);
    const way = relative(root, real);
    if (way === '' || way.startsWith('..') || isAbsolute(way)) throw unknownPath(path);
    // What was judged is opened: between the two, a link may have taken its place.
    const file = await open(join(root, way), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    if ((await file.stat()).isFile()) return file;
    await file.close();
  } catch {
    // Whatever the reason is, it is not the asker's business.
  }
  throw unknownPath(path);
}

/** @throws MESH_BOOT_PATH_UNKNOWN */
function decodePath(path: string): string {
  if (path.length > PATH_MAX) throw unknownPath(path);
  let decoded: string;
  try {
    decoded = decodeURIComponent(path);
  } catch {
    throw unknownPath(path);
  }
  const names = decoded.split('/');
  if (decoded.includes('\0') || names.some((name) => name === '' || name === '.' || name === '..')) {
    throw unknownPath(path);
  }
  return decoded;
}

export function unknownPath(path: string): MeshError {
  return new MeshError('MESH_BOOT_PATH_UNKNOWN', `there is no ${JSON.stringify(path.slice(0, 100))} to be had here`, {
    object: path.slice(0, 100),
  });
}

/** Sends a file, or the range of it that is asked for, and closes it. Rejects when the client goes before the end. */
export async function sendFile(
  request: IncomingMessage,
  response: ServerResponse,
  file: FileHandle,
  path: string,
  shared: SharedFiles,
): Promise<void> {
  try {
    const stat = await file.stat({ bigint: true });
    const size = Number(stat.size);
    const etag = etagOf(stat);
    response.setHeader('etag', etag);
    response.setHeader('accept-ranges', 'bytes');
    response.setHeader('last-modified', stat.mtime.toUTCString());
    response.setHeader('content-type', TYPES[path.split('.').at(-1) ?? ''] ?? 'application/octet-stream');
    if (request.headers['if-none-match'] === etag) {
      response.writeHead(304).end();
      return;
    }
    const range = rangeAsked(request, etag, size);
    if (range === 'unsatisfiable') {
      response.writeHead(416, { 'content-range': `bytes */${size}`, 'content-length': 0 }).end();
      return;
    }
    const { first, last } = range ?? { first: 0, last: size - 1 };
    if (range !== undefined) response.setHeader('content-range', `bytes ${first}-${last}/${size}`);
    response.writeHead(range === undefined ? 200 : 206, { 'content-length': last - first + 1 });
    if (request.method === 'HEAD' || size === 0) {
      response.end();
      return;
    }
    const whole = shared.take(etag, size, file);
    if (whole === undefined) {
      const body = file.createReadStream({ start: first, end: last, highWaterMark: PIECE_BYTES, autoClose: false });
      await pipeline(body, response);
      return;
    }
    try {
      response.end((await whole).subarray(first, last + 1));
      await finished(response);
    } finally {
      shared.leave(etag);
    }
  } finally {
    await file.close();
  }
}

/** Another file, or other bytes in it, have another one. */
function etagOf({ dev, ino, size, mtimeNs }: BigIntStats): string {
  const text = `${dev} ${ino} ${size} ${mtimeNs}`;
  return `"${createHash('sha256').update(text).digest('hex').slice(0, 32)}"`;
}

/** One range is served; of several, which no boot loader asks for, the whole file (RFC 9110 §14.2 allows it). */
function rangeAsked({ headers }: IncomingMessage, etag: string, size: number): ByteRange | 'unsatisfiable' | undefined {
  const condition = headers['if-range'];
  if (headers.range === undefined || (condition !== undefined && condition !== etag)) return undefined;
  return parseRange(headers.range, size);
}

/** @returns undefined for what is to be ignored */
function parseRange(header: string, size: number): ByteRange | 'unsatisfiable' | undefined {
  const [, from = '', to = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header) ?? [];
  if (from === '' && to === '') return undefined;
  if (from === '') {
    const length = Math.min(Number(to), size);
    return length === 0 ? 'unsatisfiable' : { first: size - length, last: size - 1 };
  }
  const first = Number(from);
  const last = to === '' ? size - 1 : Math.min(Number(to), size - 1);
  if (to !== '' && Number(to) < first) return undefined;
  return first >= size ? 'unsatisfiable' : { first, last };
}
