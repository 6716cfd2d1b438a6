/** Disk images from web servers: redirects are followed a few times, and a transfer that was cut goes on where it stopped. */
import type { IncomingMessage, RequestOptions } from 'node:http';
import { MeshError } from '../../model/error.ts';
import { VERSION } from '../../model/version.ts';
import { request as plainRequest } from '../../protocol/http/http.ts';
import type { OpenOrigin, OriginAnswer, OriginAsk } from './image-origin.ts';

/** A mirror network sends a client on once or twice. */
const REDIRECTS_MAX = 5;
/** The head of an answer comes within this time. */
const HEAD_MS = 30_000;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
/** Statuses after which the same request may succeed later. */
const PASSING: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);

/** The origin of a URL with http or https. */
export function webOrigin(url: URL): OpenOrigin {
  return async (ask) => {
    let place = url;
    for (let turn = 0; turn <= REDIRECTS_MAX; turn++) {
      const answer = await askAt(place, ask);
      const { statusCode: status = 0, headers } = answer;
      if (status === 416 && ask.firstByte > 0) {
        // The image is shorter now.
        answer.destroy();
        return opened(place, { ...ask, firstByte: 0 }, await askAt(place, { ...ask, firstByte: 0 }));
      }
      if (!REDIRECTS.has(status)) return opened(place, ask, answer);
      answer.destroy();
      place = redirected(place, headers.location);
    }
    throw refused(url, `leads to another address more than ${REDIRECTS_MAX} times`, false);
  };
}

async function askAt(url: URL, { firstByte, version, signal }: OriginAsk): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const range = firstByte > 0 && version !== undefined ? { range: `bytes=${firstByte}-`, 'if-range': version } : {};
  const headers = { 'user-agent': `meshwork/${VERSION}`, 'accept-encoding': 'identity', ...range };
  const options: RequestOptions = { headers, agent: false, signal, timeout: HEAD_MS };
  // https is loaded only where it is used: it brings TLS.
  const outgoing =
    url.protocol === 'https:'
      ? process.getBuiltinModule('node:https').request(url, options)
      : plainRequest(url, options);
  outgoing.once('response', resolve);
  outgoing.once('timeout', () => outgoing.destroy(new Error(`no answer within ${HEAD_MS / 1000} s`)));
  outgoing.once('error', reject);
  outgoing.end();
  try {
    return await promise;
  } catch (cause) {
    throw refused(url, `does not answer: ${cause instanceof Error ? cause.message : cause}`, true, cause);
  }
}

function redirected(from: URL, location: string | undefined): URL {
  if (location === undefined || !URL.canParse(location, from.href)) throw refused(from, 'leads nowhere', false);
  const to = new URL(location, from);
  if (to.protocol !== 'http:' && to.protocol !== 'https:') {
    throw refused(from, `leads to an address with the scheme ${to.protocol}`, false);
  }
  // Who asked for https wants to know from whom the image comes.
  if (from.protocol === 'https:' && to.protocol === 'http:') throw refused(from, 'leads from https to http', false);
  return to;
}

function opened(url: URL, { firstByte }: OriginAsk, answer: IncomingMessage): OriginAnswer {
  const { statusCode: status = 0, headers } = answer;
  const fail = (why: string, retryable: boolean): never => {
    answer.destroy();
    throw refused(url, why, retryable);
  };
  const coding = headers['content-encoding'] ?? 'identity';
  if (coding !== 'identity')
    fail(`sends the image in the content coding ${JSON.stringify(coding.slice(0, 40))}`, false);
  const body = bodyOf(answer);
  const version = strongTag(headers.etag);
  const length = numberIn(headers['content-length']);
  const named = version === undefined ? {} : { version };
  if (status === 200) {
    return { firstByte: 0, ...(length !== undefined && { totalBytes: length }), ...named, body };
  }
  if (status === 206 && firstByte > 0) {
    const [, first, last, total] =
      /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/.exec(headers['content-range'] ?? '') ?? [];
    if (Number(first) !== firstByte) fail('sends another part than the one that was asked for', true);
    const end = numberIn(total) ?? Number(last) + 1;
    return { firstByte, totalBytes: end, ...named, body };
  }
  return fail(`answers ${status} ${(answer.statusMessage ?? '').slice(0, 60)}`.trim(), PASSING.has(status));
}

/** Read ahead of the disk: a connection that ends takes with it only what was not read. */
const AHEAD_BYTES = 4 * 1024 * 1024;

/** All bytes that arrive, also those that came right before the connection was cut. */
function bodyOf(answer: IncomingMessage): AsyncIterable<Uint8Array> {
  const arrived: Uint8Array[] = [];
  let aheadBytes = 0;
  let isOver = false;
  let error: Error | undefined;
  let wake = (): void => {};
  answer.on('data', (chunk: Uint8Array) => {
    arrived.push(chunk);
    aheadBytes += chunk.length;
    if (aheadBytes > AHEAD_BYTES) answer.pause();
    wake();
  });
  const over = (reason?: Error): void => {
    isOver = true;
    error ??= reason;
    wake();
  };
  answer.once('end', () => over());
  answer.on('error', over);
  answer.once('close', () => over(answer.complete ? undefined : new Error('the connection was closed')));
  async function* read(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        const chunk = arrived.shift();
        if (chunk !== undefined) {
          aheadBytes -= chunk.length;
          if (answer.isPaused() && aheadBytes < AHEAD_BYTES / 2) answer.resume();
          yield chunk;
        } else if (error !== undefined) throw error;
        else if (isOver) return;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      answer.destroy();
    }
  }
  return read();
}

/** A weak ETag names no bytes (RFC 9110 §8.8.1). */
function strongTag(tag: string | undefined): string | undefined {
  return tag !== undefined && tag.length < 500 && /^"[^"]*"$/.test(tag) ? tag : undefined;
}

function numberIn(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function refused(url: URL, why: string, retryable: boolean, cause?: unknown): MeshError {
  return new MeshError('MESH_DISK_IMAGE_FETCH', `${url.href.slice(0, 300)} ${why}`, {
    operation: 'fetch disk image',
    object: url.href.slice(0, 300),
    remedy: 'Look at the address with `curl -I` on this node, or put the image into /host0/isos on host0.',
    retryable,
    ...(cause !== undefined && { cause }),
  });
}
