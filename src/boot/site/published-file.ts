/**
 * Serves files over HTTP as boot loaders and installers need them (RFC 9110): always with a Content-Length, with ranges and
 * strong ETags, and never with a content encoding. No path leaves its directory.
 */
import { createHash } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { finished, pipeline } from 'node:stream/promises';
import type { SharedFiles } from './shared-files.ts';

/** The first and the last byte of a range, counted from 0; both are included. */
interface ByteRange {
  readonly first: number;
  readonly last: number;
}

/** Large pieces: with 64 KiB the event loop spends its time on the number of pieces. */
const PIECE_BYTES = 1024 * 1024;

const TYPES: Readonly<Record<string, string>> = {
  efi: 'application/efi',
  iso: 'application/vnd.efi-iso',
  img: 'application/octet-stream',
  gz: 'application/gzip',
};

/**
 * Sends a file, or the range of it that the request asks for, and closes it.
 * @throws if the client closes the connection before the end
 */
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
    response.setHeader(
      'content-type',
      TYPES[path.split('.').at(-1)?.toLowerCase() ?? ''] ?? 'application/octet-stream',
    );
    if (isKnown(request.headers['if-none-match'], etag)) {
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

/** A strong ETag: it differs for another file and for other contents of the same file. */
function etagOf({ dev, ino, size, mtimeNs }: BigIntStats): string {
  const text = `${dev} ${ino} ${size} ${mtimeNs}`;
  return `"${createHash('sha256').update(text).digest('hex').slice(0, 32)}"`;
}

/** Whether a client has this version already: If-None-Match is `*`, or a list of ETags that may be weak (RFC 9110 §13.1.2). */
function isKnown(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return (
    header.trim() === '*' ||
    (header.match(/(?:W\/)?"[^"]*"/g) ?? []).some((known) => known.replace(/^W\//, '') === etag)
  );
}

/** The range to serve. If a client asks for several, the whole file is served (RFC 9110 §14.2); no boot loader does. */
function rangeAsked({ headers }: IncomingMessage, etag: string, size: number): ByteRange | 'unsatisfiable' | undefined {
  const condition = headers['if-range'];
  if (headers.range === undefined || (condition !== undefined && condition !== etag)) return undefined;
  return parseRange(headers.range, size);
}

/** @returns undefined for a header that is to be ignored */
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
