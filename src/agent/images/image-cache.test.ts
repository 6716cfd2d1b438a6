import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import type { ImageProgress } from '../../protocol/documents/workload/disk-image.ts';
import { createServer } from '../../protocol/http/http.ts';
import { fileOrigin } from './file-origin.ts';
import { ImageCache } from './image-cache.ts';
import type { OpenOrigin } from './image-origin.ts';
import { type ImageSource, sourceText } from './image-source.ts';
import { webOrigin } from './web-origin.ts';

/** Pauses between tries are shorter. */
const quicker = (times: number) => ({
  ...systemClock,
  after: (ms: number, ring: () => void) => systemClock.after(ms / times, ring),
});
const quick = quicker(50);

let directory: string;
const ends: (() => unknown)[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'images-'));
  ends.push(() => rmSync(directory, { recursive: true, force: true }));
});

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

function origin(source: ImageSource): OpenOrigin {
  return source.kind === 'web' ? webOrigin(source.url) : fileOrigin(sourceText(source));
}

async function cacheIn(
  place = join(directory, 'cache'),
  limitBytes: number | undefined = undefined,
  clock = quick,
): Promise<ImageCache> {
  const cache = new ImageCache({ directory: place, clock, journal: { record: () => {} }, origin, limitBytes });
  await cache.open();
  return cache;
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** A web server. @returns its URL, and the requests that it got */
async function server(handler: Handler): Promise<{ url: string; asked: IncomingMessage[] }> {
  const asked: IncomingMessage[] = [];
  const http = createServer((request, response) => {
    asked.push(request);
    handler(request, response);
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  ends.push(() => {
    http.closeAllConnections();
    http.close();
  });
  return { url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`, asked };
}

/** The content of a disk: sectors that are no text. */
const disk = (bytes: number, content: string) => Buffer.alloc(bytes, `${content}\0`);
const IMAGE = disk(299_520, 'image ');
const hashOf = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

async function errorOf(work: Promise<unknown>): Promise<MeshError> {
  return work.then(
    () => expect.fail('it went well'),
    (thrown: unknown) => MeshError.from(thrown),
  );
}

/** What is in a cache that a fetch has left nothing in. */
const EMPTY = ['parts', 'uses'];
const inCache = (place = join(directory, 'cache')) =>
  readdirSync(place, { recursive: true })
    .filter((name) => name !== 'index.json')
    .toSorted();

test('an image is fetched once for two who ask at once, with progress, and found again after a restart', async () => {
  const { url, asked } = await server((_, response) => {
    response.setHeader('content-length', IMAGE.length);
    response.write(IMAGE.subarray(0, 1000));
    setTimeout(() => response.end(IMAGE.subarray(1000)), 50);
  });
  const cache = await cacheIn();
  const progress: ImageProgress[] = [];
  const [one, two] = await Promise.all([
    cache.ensure({ source: url, onProgress: (now) => progress.push(now) }),
    cache.ensure({ source: `${url}/`, onProgress: (now) => progress.push(now) }),
  ]);
  expect(two).toEqual(one);
  expect(asked).toHaveLength(1);
  expect(readFileSync(one.path)).toEqual(IMAGE);
  expect(statSync(one.path).mode & 0o777).toBe(0o444);
  expect(one).toMatchObject({ sha256: hashOf(IMAGE), format: 'raw', sizeBytes: IMAGE.length });
  expect(progress.at(-1)).toMatchObject({ doneBytes: IMAGE.length, totalBytes: IMAGE.length });

  const again = await cacheIn();
  expect(await again.ensure({ source: url })).toEqual(one);
  expect(await again.ensure({ source: 'http://127.0.0.1:1/elsewhere', sha256: hashOf(IMAGE) })).toEqual(one);
  expect(asked).toHaveLength(1);
  expect((await again.view()).images).toMatchObject([
    { sha256: hashOf(IMAGE), sources: ['http://127.0.0.1:1/elsewhere', `${url}/`], volumes: [] },
  ]);
});

test('an image without an index is known by its hash', async () => {
  const { url } = await server((_, response) => response.end(IMAGE));
  await (await cacheIn()).ensure({ source: url });
  rmSync(join(directory, 'cache/index.json'));
  const cache = await cacheIn();
  expect((await cache.ensure({ source: 'http://127.0.0.1:1/x', sha256: hashOf(IMAGE) })).sha256).toBe(hashOf(IMAGE));
});

/** Sends at most `most` bytes at a time, and then cuts the connection. */
function cutting(most: number, tag: () => string, content: () => Buffer = () => IMAGE): Handler {
  return ({ headers }, response) => {
    const bytes = content();
    const first = headers['if-range'] === tag() ? Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0) : 0;
    response.setHeader('etag', tag());
    response.setHeader('content-length', bytes.length - first);
    if (first > 0) response.setHeader('content-range', `bytes ${first}-${bytes.length - 1}/${bytes.length}`);
    response.writeHead(first > 0 ? 206 : 200);
    const part = bytes.subarray(first, first + most);
    response.write(part, () => (first + most >= bytes.length ? response.end() : response.destroy()));
  };
}

test('a transfer that is cut goes on where it stopped', async () => {
  const { url, asked } = await server(cutting(70_000, () => '"one"'));
  const cache = await cacheIn();
  expect((await cache.ensure({ source: url, sha256: hashOf(IMAGE) })).sha256).toBe(hashOf(IMAGE));
  expect(asked.length).toBeGreaterThan(3);
  expect(asked.slice(1).every(({ headers }) => headers['if-range'] === '"one"')).toBe(true);
});

test('a transfer goes on after a restart of the agent', async () => {
  let isBroken = true;
  const whole = cutting(100_000, () => '"one"');
  const { url, asked } = await server((request, response) => {
    if (isBroken && request.headers.range !== undefined) response.writeHead(503).end();
    else whole(request, response);
  });
  expect(await errorOf((await cacheIn()).ensure({ source: url }))).toMatchObject({
    code: 'MESH_DISK_IMAGE_FETCH',
    message: expect.stringContaining('answers 503'),
    retryable: true,
  });
  isBroken = false;
  const before = asked.length;
  await (await cacheIn()).ensure({ source: url, sha256: hashOf(IMAGE) });
  expect(asked[before]?.headers.range).toMatch(/^bytes=\d{5,}-$/);
  expect(inCache()).toEqual([hashOf(IMAGE), ...EMPTY].toSorted());
});

test('an image that changes while it is fetched is fetched anew', async () => {
  const other = disk(200_192, 'other ');
  let turn = 0;
  const handler = cutting(
    90_000,
    () => (turn > 1 ? '"two"' : '"one"'),
    () => (turn > 1 ? other : IMAGE),
  );
  const { url } = await server((request, response) => {
    turn++;
    handler(request, response);
  });
  expect((await (await cacheIn()).ensure({ source: url })).sha256).toBe(hashOf(other));
});

test('a server that ignores If-Range does not mix two images', async () => {
  const other = disk(299_520, 'other ');
  let turn = 0;
  const { url } = await server(({ headers }, response) => {
    turn++;
    const bytes = turn > 1 ? other : IMAGE;
    const first = Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0);
    response.setHeader('etag', turn > 1 ? '"two"' : '"one"');
    response.setHeader('content-length', bytes.length - first);
    if (first > 0) response.setHeader('content-range', `bytes ${first}-${bytes.length - 1}/${bytes.length}`);
    response.writeHead(first > 0 ? 206 : 200);
    if (turn === 1) response.write(bytes.subarray(0, 50_000), () => response.destroy());
    else response.end(bytes.subarray(first));
  });
  expect((await (await cacheIn()).ensure({ source: url })).sha256).toBe(hashOf(other));
});

const BAD: readonly {
  readonly name: string;
  readonly handler: Handler;
  readonly sha256?: string;
  readonly times?: number;
  readonly code: string;
  readonly says: string;
}[] = [
  {
    name: 'a wrong hash',
    handler: (_, response) => response.end(IMAGE),
    sha256: 'a'.repeat(64),
    code: 'MESH_DISK_IMAGE_HASH',
    says: hashOf(IMAGE),
  },
  {
    name: 'a length that is a lie',
    handler: (_, response) => {
      response.writeHead(200, { 'content-length': 1000 });
      response.write('short', () => response.destroy());
    },
    code: 'MESH_DISK_IMAGE_FETCH',
    says: 'was cut after 5 bytes',
  },
  {
    name: 'nothing',
    handler: (_, response) => response.end(),
    code: 'MESH_DISK_IMAGE_UNFIT',
    says: 'is empty',
  },
  {
    name: 'a login page',
    handler: (_, response) => response.end('<!DOCTYPE html><title>Hotel'),
    code: 'MESH_DISK_IMAGE_UNFIT',
    says: 'is a web page',
  },
  {
    name: 'a compressed image',
    handler: (_, response) => response.end(Buffer.from('fd377a585a0000', 'hex')),
    code: 'MESH_DISK_IMAGE_UNFIT',
    says: 'is compressed with xz',
  },
  {
    name: 'no such file',
    handler: (_, response) => response.writeHead(404).end(),
    code: 'MESH_DISK_IMAGE_FETCH',
    says: 'answers 404 Not Found',
  },
  {
    name: 'redirects without an end',
    handler: ({ url }, response) => response.writeHead(302, { location: `${url}x` }).end(),
    code: 'MESH_DISK_IMAGE_FETCH',
    says: 'more than 5 times',
  },
  {
    name: 'a redirect to a file',
    handler: (_, response) => response.writeHead(302, { location: 'file:///etc/passwd' }).end(),
    code: 'MESH_DISK_IMAGE_FETCH',
    says: 'the scheme file:',
  },
  {
    name: 'a content coding',
    handler: (_, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end('x'),
    code: 'MESH_DISK_IMAGE_FETCH',
    says: 'content coding "gzip"',
  },
  {
    name: 'another part than the one that was asked for',
    handler: ({ headers }, response) => {
      if (headers.range === undefined) {
        response.writeHead(200, { etag: '"one"', 'content-length': IMAGE.length });
        response.write(IMAGE.subarray(0, 1000), () => response.destroy());
      } else response.writeHead(206, { etag: '"one"', 'content-range': 'bytes 0-9/299520' }).end('0123456789');
    },
    code: 'MESH_DISK_IMAGE_FETCH',
    says: 'another part',
  },
  {
    name: 'an image over another file',
    handler: (_, response) => {
      const head = Buffer.alloc(104);
      head.write('514649fb00000003', 'hex');
      head.writeBigUInt64BE(104n, 8);
      response.end(head);
    },
    code: 'MESH_DISK_IMAGE_UNFIT',
    says: 'a qcow2 image over another file',
  },
  {
    name: 'hardly anything',
    handler: (_, response) => {
      response.writeHead(200, { 'content-length': 1_000_000 });
      response.write('x');
    },
    times: 1000,
    code: 'MESH_DISK_IMAGE_FETCH',
    says: 'hardly anything for 60 s',
  },
];

test.each(BAD)('a source that gives $name ends in its own error, and leaves nothing', async ({
  handler,
  sha256,
  times = 50,
  code,
  says,
}) => {
  const { url } = await server(handler);
  const cache = await cacheIn(undefined, undefined, quicker(times));
  const error = await errorOf(cache.ensure({ source: `${url}/image`, sha256 }));
  expect(error).toMatchObject({ code, message: expect.stringContaining(says), remedy: expect.any(String) });
  expect(inCache().filter((name) => !String(name).startsWith('parts/'))).toEqual(EMPTY);
  expect((await cache.view()).images).toEqual([]);
});

test('a redirect is followed', async () => {
  const { url } = await server(({ url: path }, response) => {
    if (path === '/image') response.end(IMAGE);
    else response.writeHead(301, { location: '/image' }).end();
  });
  expect((await (await cacheIn()).ensure({ source: url })).sha256).toBe(hashOf(IMAGE));
});

test('the images that were not used for the longest time go, and none that is in use', async () => {
  const { url } = await server(({ url: path = '' }, response) => response.end(disk(99_840, path)));
  let nowMs = 0;
  const clock = { ...quick, nowMs: () => nowMs, wallTime: () => new Date(Date.UTC(2030, 0, 1) + nowMs) };
  const cache = await cacheIn(undefined, 350_000, clock);
  const names = (await Promise.all(['a', 'b', 'c'].map((name) => cache.ensure({ source: `${url}/${name}` })))).map(
    ({ sha256 }) => sha256,
  );
  nowMs += 1000;
  writeFileSync(join(directory, 'volume'), '');
  await cache.use(names[0] ?? '', join(directory, 'volume'));

  const early = await errorOf(cache.ensure({ source: `${url}/d` }));
  expect(early).toMatchObject({ code: 'MESH_DISK_IMAGE_ROOM', message: expect.stringContaining('needs 1 MB') });
  nowMs += 700_000;
  await cache.ensure({ source: `${url}/c` });
  await cache.ensure({ source: `${url}/d` });
  expect((await cache.view()).images.map(({ sources: [source] }) => source?.slice(-1)).toSorted()).toEqual([
    'a',
    'c',
    'd',
  ]);

  expect(await errorOf(cache.remove(`${url}/a`))).toMatchObject({
    code: 'MESH_DISK_IMAGE_USED',
    message: expect.stringContaining(join(directory, 'volume')),
  });
  rmSync(join(directory, 'volume'));
  await cache.remove((names[0] ?? '').slice(0, 12));
  expect(await errorOf(cache.remove('nothing'))).toMatchObject({ code: 'MESH_OBJECT_UNKNOWN' });
});

test('an image is in use before its volume is there, for ten minutes; an image that is gone gets no volume', async () => {
  const { url } = await server((_, response) => response.end(IMAGE));
  let nowMs = 0;
  const clock = { ...quick, nowMs: () => nowMs, wallTime: () => new Date(Date.UTC(2030, 0, 1) + nowMs) };
  const cache = await cacheIn(undefined, undefined, clock);
  const { sha256 } = await cache.ensure({ source: url });
  await cache.use(sha256, join(directory, 'volume'));
  expect((await cache.view()).images).toMatchObject([{ volumes: [join(directory, 'volume')] }]);
  nowMs += 599_000;
  expect(await errorOf(cache.remove(sha256))).toMatchObject({ code: 'MESH_DISK_IMAGE_USED' });
  await cache.use(sha256, join(directory, 'volume'));
  nowMs += 599_000;
  expect(await errorOf(cache.remove(sha256))).toMatchObject({ code: 'MESH_DISK_IMAGE_USED' });
  nowMs += 2_000;
  await cache.remove(sha256);
  expect(await errorOf(cache.use(sha256, join(directory, 'volume')))).toMatchObject({
    code: 'MESH_DISK_IMAGE_FETCH',
    retryable: true,
  });
});

test('an image that is asked for while room is made stays', async () => {
  const { url } = await server(({ url: path = '' }, response) => response.end(disk(99_840, path)));
  let nowMs = 0;
  const clock = { ...quick, nowMs: () => nowMs, wallTime: () => new Date(Date.UTC(2030, 0, 1) + nowMs) };
  const cache = await cacheIn(undefined, 250_000, clock);
  for (const name of ['a', 'b']) await cache.ensure({ source: `${url}/${name}` });
  nowMs += 700_000;
  const asked: Promise<unknown>[] = [];
  cache.shelf.partBytes = async () => {
    // This is after the list of images that may go, and before the first of them goes.
    if (asked.length === 0) asked.push(cache.ensure({ source: `${url}/a` }));
    return 0;
  };
  await cache.ensure({ source: `${url}/c` });
  await Promise.all(asked);
  expect((await cache.view()).images.map(({ sources: [source] }) => source?.slice(-1)).toSorted()).toEqual(['a', 'c']);
});

test('an image that has no room even in an empty cache costs no other image', async () => {
  const { url } = await server(({ url: path = '' }, response) => {
    if (path === '/lie') response.writeHead(200, { 'content-length': 128 * 1024 ** 4 }).write('x');
    else response.end(disk(99_840, path));
  });
  let nowMs = 0;
  const cache = await cacheIn(undefined, 350_000, { ...quick, nowMs: () => nowMs });
  for (const name of ['a', 'b', 'c']) await cache.ensure({ source: `${url}/${name}` });
  nowMs += 700_000;
  const lie = await errorOf(cache.ensure({ source: `${url}/lie` }));
  expect(lie).toMatchObject({ code: 'MESH_DISK_IMAGE_ROOM', message: expect.stringContaining('has 1 MB for it') });
  expect((await cache.view()).images).toHaveLength(3);

  const sparse = join(directory, 'sparse.img');
  writeFileSync(sparse, '');
  truncateSync(sparse, 8 * 1024 ** 4);
  expect(await errorOf(cache.ensure({ source: sparse }))).toMatchObject({ code: 'MESH_DISK_IMAGE_ROOM' });
  expect((await cache.view()).images).toHaveLength(3);
});

test('a full disk leaves nothing half made, and a smaller image fits', async () => {
  const place = join(directory, 'small');
  mkdirSync(place);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', place]);
  ends.push(() => execFileSync('umount', [place]));
  const { url } = await server(({ url: path }, response) => {
    // Without its length, the image meets the full disk.
    if (path === '/large') for (let turn = 0; turn < 40; turn++) response.write(Buffer.alloc(64 * 1024, 'x'));
    else response.write(disk(512, 'small'));
    response.end();
  });
  const other = join(place, 'file of another');
  let fill = (): void => {};
  const racing = await server((_, response) => {
    response.writeHead(200, { 'content-length': 500_000, etag: '"one"' });
    response.write(Buffer.alloc(100_000));
    fill = () => {
      writeFileSync(other, Buffer.alloc(700_000));
      response.end(Buffer.alloc(400_000));
      fill = () => {};
    };
  });
  const cache = await cacheIn(join(place, 'cache'), 100 * 1024 ** 2);
  expect(await errorOf(cache.ensure({ source: `${url}/large` }))).toMatchObject({
    code: 'MESH_DISK_IMAGE_ROOM',
    message: expect.stringContaining('the disk has'),
  });
  expect(inCache(join(place, 'cache'))).toEqual(EMPTY);
  expect(await errorOf(cache.ensure({ source: racing.url, onProgress: () => fill() }))).toMatchObject({
    code: 'MESH_DISK_REFUSED',
    message: expect.stringContaining('no space left'),
    remedy: expect.stringContaining('Make room'),
  });
  expect(inCache(join(place, 'cache'))).toEqual(EMPTY);
  rmSync(other);
  await cache.ensure({ source: `${url}/small` });
});

test('who waits no more does not end the transfer of another', async () => {
  let send = (): void => {};
  const { url } = await server((_, response) => {
    response.write(IMAGE.subarray(0, 10));
    send = () => response.end(IMAGE.subarray(10));
  });
  const cache = await cacheIn();
  const stop = new AbortController();
  const arrived = Promise.withResolvers<void>();
  const one = cache.ensure({ source: url, signal: stop.signal });
  const two = cache.ensure({ source: url, onProgress: () => arrived.resolve() });
  await arrived.promise;
  stop.abort();
  expect(await errorOf(one)).toMatchObject({ code: 'MESH_DISK_IMAGE_FETCH' });
  send();
  expect((await two).sha256).toBe(hashOf(IMAGE));
});

test('two who want one source with different hashes do not write to one file', async () => {
  const other = disk(299_520, 'other ');
  let turn = 0;
  // Each gets another content, and the two come at the same time.
  const { url } = await server((_, response) => {
    const bytes = turn++ === 0 ? IMAGE : other;
    response.setHeader('content-length', bytes.length);
    response.write(bytes.subarray(0, 100_000));
    setTimeout(() => response.end(bytes.subarray(100_000)), 20);
  });
  const cache = await cacheIn();
  cache.shelf.sweepParts = async () => {};
  const [first, second] = await Promise.all([
    cache.ensure({ source: url }),
    cache.ensure({ source: url, sha256: hashOf(other) }).catch(MeshError.from),
  ]);
  expect(hashOf(readFileSync(first.path))).toBe(first.sha256);
  const isOther = first.sha256 === hashOf(IMAGE);
  expect(second).toMatchObject(isOther ? { sha256: hashOf(other) } : { code: 'MESH_DISK_IMAGE_HASH' });
  const names = inCache().filter((name) => /^[0-9a-f]{64}$/.test(String(name)));
  expect(names).toHaveLength(isOther ? 2 : 1);
  for (const name of names) expect(hashOf(readFileSync(join(directory, 'cache', String(name))))).toBe(name);
});

test('a transfer that takes more than a day keeps its part, and one that nobody went on with for a day goes', async () => {
  let send = (): void => {};
  const { url } = await server(({ url: path }, response) => {
    if (path !== '/slow') return response.end(disk(512, 'other '));
    response.setHeader('etag', '"one"');
    response.setHeader('content-length', IMAGE.length);
    response.write(IMAGE.subarray(0, 1000));
    send = () => response.end(IMAGE.subarray(1000));
  });
  const cache = await cacheIn();
  const arrived = Promise.withResolvers<void>();
  const slow = cache.ensure({ source: `${url}/slow`, onProgress: () => arrived.resolve() });
  await arrived.promise;
  const parts = join(directory, 'cache/parts');
  const twoDaysAgo = Date.now() / 1000 - 2 * 86_400;
  const [part = ''] = readdirSync(parts).filter((name) => !name.endsWith('.json'));
  utimesSync(join(parts, `${part}.json`), twoDaysAgo, twoDaysAgo);
  // Bytes came lately, and after a restart the part is no transfer of the cache: it is kept for its own age.
  await (await cacheIn()).open();
  expect(readdirSync(parts).toSorted()).toEqual([part, `${part}.json`]);
  utimesSync(join(parts, part), twoDaysAgo, twoDaysAgo);
  const names = ['0123456789abcdef', '0123456789abcdef.json', 'fedcba9876543210.json'];
  for (const name of names) {
    writeFileSync(join(parts, name), '');
    utimesSync(join(parts, name), twoDaysAgo, twoDaysAgo);
  }
  await cache.ensure({ source: `${url}/other` });
  expect(readdirSync(parts).toSorted()).toEqual([part, `${part}.json`]);
  send();
  expect((await slow).sha256).toBe(hashOf(IMAGE));
});

test('who asks after the last other one has left gets a transfer that goes on', async () => {
  let isSlow = true;
  const { url } = await server((request, response) => {
    const whole = cutting(IMAGE.length, () => '"one"');
    if (!isSlow) return whole(request, response);
    response.setHeader('etag', '"one"');
    response.setHeader('content-length', IMAGE.length);
    response.write(IMAGE.subarray(0, 1000));
  });
  const cache = await cacheIn();
  const stop = new AbortController();
  let again: Promise<unknown> | undefined;
  const first = cache.ensure({ source: url, signal: stop.signal, onProgress: () => stop.abort() });
  const left = errorOf(first).then(() => {
    isSlow = false;
    again = cache.ensure({ source: url });
  });
  await left;
  expect(await again).toMatchObject({ sha256: hashOf(IMAGE) });
});

test('a file of the node is a source', async () => {
  const file = join(directory, 'disk.img');
  writeFileSync(file, IMAGE);
  const cache = await cacheIn();
  expect((await cache.ensure({ source: file })).sha256).toBe(hashOf(IMAGE));
  expect(await errorOf(cache.ensure({ source: join(directory, 'none') }))).toMatchObject({
    message: expect.stringContaining('is not there'),
  });
});
