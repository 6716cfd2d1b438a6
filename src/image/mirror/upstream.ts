/** Where a mirror comes from: a web server, or a directory with the same tree. */
import { constants, open } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../../formats/conf/conf-reader.ts';
import { MeshError } from '../../model/error.ts';

/** A part of a file that comes. */
export interface UpstreamPart {
  /** Where it begins: 0 if the whole file comes, also where a part was asked for. */
  readonly from: number;
  /** Of the whole file; undefined if the source does not say. */
  readonly bytes: number | undefined;
  readonly pieces: AsyncIterable<Buffer>;
}

/** A source of files. */
export interface Upstream {
  /** For messages: a URL, or the path of a directory. */
  readonly name: string;
  /**
   * @param path below the source, of plain characters and `+`, `~`
   * @param from the bytes that are there already
   * @throws MESH_MIRROR_FETCH; also the pieces may
   */
  open(path: string, from: number): Promise<UpstreamPart>;
}

/** More redirections than a mirror has. */
const REDIRECTIONS_MAX = 5;
/** A server that sends less than `RATE_MIN` for so long counts as away: nobody else may change the mirror meanwhile. */
const SILENCE_MS = 30_000;
/** Bytes a second. */
const RATE_MIN = 1024;

/** The source that a setting names. */
export function upstreamOf(source: string): Upstream {
  return source.startsWith('/') ? new DirectoryUpstream(source) : new WebUpstream(source);
}

/** A directory of this machine, such as a disk with a copy of a mirror. */
export class DirectoryUpstream implements Upstream {
  readonly name: string;

  constructor(directory: string) {
    this.name = directory;
  }

  async open(path: string, from: number): Promise<UpstreamPart> {
    const file = join(this.name, path);
    try {
      const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
      const found = await handle.stat();
      if (!found.isFile() || from > found.size) {
        await handle.close();
        if (found.isFile()) return await this.open(path, 0);
        throw fetchError(file, 'is no file');
      }
      const pieces = handle.createReadStream({ start: from, highWaterMark: 1024 * 1024 });
      return { from, bytes: found.size, pieces };
    } catch (error) {
      if (error instanceof MeshError) throw error;
      throw fetchError(
        file,
        errnoOf(error) === 'ENOENT' ? 'is not there' : `cannot be read: ${MeshError.from(error).message}`,
      );
    }
  }
}

/** A web server. */
export class WebUpstream implements Upstream {
  readonly name: string;
  readonly #silenceMs: number;

  constructor(url: string, silenceMs: number = SILENCE_MS) {
    this.name = url;
    this.#silenceMs = silenceMs;
  }

  async open(path: string, from: number): Promise<UpstreamPart> {
    const url = `${this.name}/${path.split('/').map(encodeURIComponent).join('/')}`;
    const silence = new AbortController();
    let cameBytes = 0;
    const timer = setInterval(() => {
      const wantedBytes = (RATE_MIN * this.#silenceMs) / 1000;
      if (cameBytes < wantedBytes)
        silence.abort(new Error(`only ${cameBytes} bytes came in ${this.#silenceMs / 1000} s`));
      cameBytes = 0;
    }, this.#silenceMs);
    const heard = (bytes: number) => {
      cameBytes += bytes;
    };
    try {
      const headers = { 'accept-encoding': 'identity', ...(from > 0 && { range: `bytes=${from}-` }) };
      const response = await fetchFollowing(url, { headers, signal: silence.signal });
      // The file has changed, or is shorter: all of it is fetched again.
      if (response.status === 416 && from > 0) {
        clearInterval(timer);
        await response.body?.cancel();
        return await this.open(path, 0);
      }
      if (!response.ok || response.body === null) {
        clearInterval(timer);
        await response.body?.cancel();
        throw fetchError(url, `gives the status ${response.status}`, response.status >= 500);
      }
      const begin = response.status === 206 ? from : 0;
      const length = /^\d{1,15}$/.exec(response.headers.get('content-length') ?? '')?.[0];
      const bytes = length === undefined ? undefined : begin + Number(length);
      return { from: begin, bytes, pieces: piecesOf(response.body, url, heard, () => clearInterval(timer)) };
    } catch (error) {
      clearInterval(timer);
      throw asFetchError(url, error);
    }
  }
}

/** Follows redirections, but never from HTTPS to plain HTTP. @throws MESH_MIRROR_FETCH, and what fetch throws */
async function fetchFollowing(url: string, init: RequestInit): Promise<Response> {
  let at = url;
  for (let count = 0; count <= REDIRECTIONS_MAX; count++) {
    const response = await fetch(at, { ...init, redirect: 'manual' });
    const location = response.headers.get('location');
    if (![301, 302, 303, 307, 308].includes(response.status) || location === null) return response;
    await response.body?.cancel();
    const next = redirectionFrom(at, location);
    if (next === undefined) throw fetchError(url, 'leads to an address that is not as safe');
    at = next;
  }
  throw fetchError(url, 'leads from one address to the next without end');
}

/** Where a redirection leads; undefined where nobody should follow. */
export function redirectionFrom(url: string, location: string): string | undefined {
  const [from, to] = [URL.parse(url), URL.parse(location, url)];
  const isAsSafe = to?.protocol === 'https:' || (to?.protocol === 'http:' && from?.protocol === 'http:');
  return isAsSafe ? to.href : undefined;
}

async function* piecesOf(
  body: ReadableStream<Uint8Array>,
  url: string,
  heard: (bytes: number) => void,
  ended: () => void,
): AsyncGenerator<Buffer> {
  try {
    for await (const piece of body) {
      heard(piece.byteLength);
      yield Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
    }
  } catch (error) {
    throw asFetchError(url, error);
  } finally {
    ended();
  }
}

function asFetchError(url: string, error: unknown): MeshError {
  if (error instanceof MeshError) return error;
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return fetchError(url, `does not answer: ${cause instanceof Error ? cause.message : String(cause)}`, true);
}

/** MESH_MIRROR_FETCH. @param object the URL or path @param why the end of a sentence that begins with it */
export function fetchError(object: string, why: string, retryable = false): MeshError {
  return new MeshError('MESH_MIRROR_FETCH', `${object} ${why}`, {
    operation: 'fetch file',
    object,
    remedy: retryable
      ? 'Run the command again: what has come is kept.'
      : 'Check source and release in mirror.conf. If the source has just changed, run the command again.',
    retryable,
  });
}
