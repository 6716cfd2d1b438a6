/** Consoles and disk images of a node, asked over a real channel: TLS and HTTP/2 over loopback. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { expect, onTestFinished, test } from 'vitest';
import { ChannelHost, ChannelNode, EMPTY_STATUS } from '../../../test/kit/channel-pair.ts';
import { FakeConsole, placesIn } from '../../../test/kit/fake-console.ts';
import { PATIENCE } from '../../../test/kit/patience.ts';
import { Consoles } from '../../agent/console/consoles.ts';
import { Host0Isos } from '../../agent/images/host0-isos.ts';
import { answerImage } from '../../agent/images/image-answers.ts';
import { ImageCache } from '../../agent/images/image-cache.ts';
import { sourceText } from '../../agent/images/image-source.ts';
import { systemClock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import { parseMachineId } from '../../model/machine.ts';
import { RouteClient } from '../../protocol/calls/route-client.ts';
import { routeServer } from '../../protocol/calls/route-server.ts';
import type { ImageLine } from '../../protocol/documents/workload/disk-image.ts';
import { EventStream } from '../../protocol/http/event-stream.ts';
import { lastEventId, streamJournal } from '../../protocol/http/journal-stream.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import { CHANNEL_ROUTES } from '../../protocol/routes/channel-routes.ts';
import { OWN_LOG_ROUTES } from '../../protocol/routes/node-log-routes.ts';
import { NODE_CONSOLE_ROUTES } from '../../protocol/routes/workload/console-routes.ts';
import { NODE_IMAGE_ROUTES } from '../../protocol/routes/workload/disk-image-routes.ts';
import { AskedNodes } from './asked-nodes.ts';
import { nodeLogHandlers } from './node-log-handlers.ts';
import { consoleHandlers, imageHandlers } from './workload-tool-handlers.ts';

const machine = parseMachineId('10eff964');
const identity = `${machine}.1`;

/** host0 with one node. */
async function pair() {
  const directory = mkdtempSync(join(tmpdir(), 'tools-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const isosDirectory = join(directory, 'isos');
  mkdirSync(isosDirectory);
  const isos = new Host0Isos(systemClock);
  const cache = new ImageCache({
    directory: join(directory, 'cache'),
    clock: systemClock,
    journal: { record: () => {} },
    origin: (source) => {
      if (source.kind !== 'host0') throw new TypeError('only files of host0 here');
      return isos.origin(source.path, sourceText(source));
    },
  });
  await cache.open();
  const consoles = new Consoles(placesIn(join(directory, 'vm')), systemClock);
  onTestFinished(() => consoles.close());
  const journal = new Journal(systemClock, 'agent', 'node1');
  const server = routeServer(
    { ...NODE_CONSOLE_ROUTES, ...NODE_IMAGE_ROUTES, ...OWN_LOG_ROUTES, 'GET /status': CHANNEL_ROUTES['GET /status'] },
    {
      'GET /consoles': () => consoles.list(),
      'GET /console': ({ query }, open) => consoles.watch(open, query),
      'PUT /console': async ({ query, body }) => {
        await consoles.type(query.workload, body.base64);
        return {};
      },
      'GET /events': ({ query, headers }, open) =>
        streamJournal(journal, () => [], { follow: query.follow, lastId: lastEventId(headers) }, open()),
      'GET /disk-images': () => cache.view(),
      'POST /disk-images': ({ body }, open) => answerImage(cache, open, body),
      'DELETE /disk-images': ({ query }) => cache.remove(query.image),
      'PUT /isos': ({ lines }, open) => isos.serve(lines, open),
      'GET /status': (_, open) => void open().write(`${JSON.stringify(EMPTY_STATUS)}\n`),
    },
    {
      onFault: (thrown) => {
        throw thrown;
      },
    },
  );
  const host = await ChannelHost.open({ isos: isosDirectory });
  const psk = randomBytes(32);
  host.keys.set(identity, psk);
  new ChannelNode(
    host.port,
    { identity, psk },
    { handler: (request, response) => server.answer(request, response, undefined) },
  );
  await expect.poll(() => host.channels.statusOf(machine), PATIENCE).toBeDefined();
  const view = { role: 'node', online: true, meshes: [] } as const;
  const nodes = new AskedNodes({
    controller: {
      nodes: () => [
        { ...view, name: 'host0', role: 'host0', ipv4: '127.0.0.1' as never },
        { ...view, name: 'node1', machine, ipv4: '127.0.0.1' as never },
      ],
    },
    channels: host.channels,
    ownNode: {
      node: new RouteClient(() => CHANNEL_ROUTES, {
        send: async () => {
          throw new MeshError('MESH_NOT_RUNNING', 'there is no agent here');
        },
        explain: MeshError.from,
        broken: (_, why) => new MeshError('MESH_INTERNAL', why),
      }),
    },
  });
  const common = { headers: {}, lines: new PassThrough(), from: undefined, body: undefined } as const;
  return {
    directory,
    isosDirectory,
    consoles,
    cache,
    host,
    common,
    ...consoleHandlers(nodes, {
      list: () => ['web', 'no'].map((name, at) => ({ name, id: at === 0 ? '0badcafe' : '0badf00d', machine })),
    }),
    ...imageHandlers(nodes),
    ...nodeLogHandlers(nodes),
    journal,
  };
}

test('two look at a console of a node by host0, and one types', async () => {
  const { directory, consoles, common, ...handlers } = await pair();
  const guest = await FakeConsole.open(join(directory, 'vm/0badcafe'));
  // A node that was taken over names a workload of another node, too.
  consoles.follow([
    { id: '0badcafe', workload: 'web' },
    { id: '0badbeef', workload: 'bank' },
  ]);
  await expect.poll(() => guest.isConnected, PATIENCE).toBe(true);
  const path = { node: 'node1', workload: 'web' };
  const outs = ['one', 'two'].map((who) => {
    const out = new PassThrough();
    let text = '';
    out.on('data', (chunk: Buffer) => (text += chunk.toString()));
    const query = { tail: 1000, follow: true, writes: true, who };
    const done = handlers['GET /v1/consoles/{node}/{workload}']({ ...common, path, query }, () => out);
    return { out, done, text: () => text };
  });
  await expect
    .poll(() => handlers['GET /v1/consoles']({ ...common, path: {}, query: {} }), PATIENCE)
    .toMatchObject([{ node: 'node1', workload: 'web', isOpen: true, viewers: [{}, {}] }]);
  expect(consoles.list()).toHaveLength(2);
  await guest.write('login: ');
  for (const { text } of outs) await expect.poll(text, PATIENCE).toBe('login: ');
  const body = { base64: Buffer.from('root\r').toString('base64') };
  await handlers['PUT /v1/consoles/{node}/{workload}']({ ...common, path, query: {}, body });
  await expect.poll(() => guest.typed, PATIENCE).toBe('root\r');
  for (const { out } of outs) out.destroy();
  await Promise.all(outs.map(({ done }) => done));
  await expect.poll(() => consoles.list()[0]?.viewers, PATIENCE).toEqual([]);
  await expect(
    (async () =>
      handlers['PUT /v1/consoles/{node}/{workload}']({
        ...common,
        path: { ...path, workload: 'no' },
        query: {},
        body,
      }))(),
  ).rejects.toMatchObject({
    code: 'MESH_CONSOLE_NONE',
    remedy: expect.stringContaining('platform.console.serial=off'),
  });
  // The node has a console of that name, and host0 has not placed the workload there.
  const foreign = { ...common, path: { ...path, workload: 'bank' }, query: {}, body };
  const refused = { code: 'MESH_CONSOLE_NONE', message: 'host0 has no workload bank on node1' };
  await expect((async () => handlers['PUT /v1/consoles/{node}/{workload}'](foreign))()).rejects.toMatchObject(refused);
});

/** Fetches an image by host0's handler. @returns the last line */
async function fetched(
  handlers: Awaited<ReturnType<typeof pair>>,
  source: string,
  sha256?: string,
): Promise<ImageLine> {
  const out = new PassThrough();
  let text = '';
  out.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const body = { node: 'node1', source, ...(sha256 !== undefined && { sha256 }) };
  await handlers['POST /v1/disk-images']({ ...handlers.common, path: {}, query: {}, body }, () => out);
  const lines = text.trimEnd().split('\n');
  return JSON.parse(lines.at(-1) ?? '');
}

test('a node gets an image of host0 over its channel, goes on after the channel was cut, and host0 lists it', async () => {
  const handlers = await pair();
  const { isosDirectory, cache, host, common } = handlers;
  const image = randomBytes(24 * 1024 * 1024);
  const sha256 = createHash('sha256').update(image).digest('hex');
  mkdirSync(join(isosDirectory, 'deep'));
  writeFileSync(join(isosDirectory, 'deep/a b.img'), image);
  writeFileSync(join(isosDirectory, 'small.img'), Buffer.alloc(512));

  let cuts = 0;
  const done = cache.ensure({
    source: 'http://host0/isos/deep/a%20b.img',
    sha256,
    onProgress: ({ doneBytes }) => {
      if (cuts > 0 || doneBytes === 0) return;
      cuts++;
      host.channels.drop(machine);
    },
  });
  const small = cache.ensure({ source: 'isos/small.img' });
  expect(readFileSync((await done).path).equals(image)).toBe(true);
  expect((await small).sizeBytes).toBe(512);
  expect(cuts).toBe(1);
  await expect.poll(() => host.channels.size, PATIENCE).toBe(1);

  expect(await fetched(handlers, 'isos/deep/a b.img')).toMatchObject({ kind: 'ready', image: { sha256 } });
  expect(await handlers['GET /v1/disk-images']({ ...common, path: {}, query: {} })).toMatchObject([
    { node: 'host0', error: { code: 'MESH_NOT_RUNNING' } },
    { node: 'node1', cache: { images: [{}, {}], usedBytes: image.length + 512 } },
  ]);
  const query = { node: 'node1', image: sha256.slice(0, 10) };
  await handlers['DELETE /v1/disk-images']({ ...common, path: {}, query });
  expect((await cache.view()).images).toHaveLength(1);
}, 60_000);

test('lines about an image wait for a requester who reads slowly', async () => {
  const sent = { count: 0 };
  const line = { document: { kind: 'progress', progress: { doneBytes: 1, bytesPerSec: 1 } } };
  const node = {
    lines: async function* () {
      for (; sent.count < 10_000; sent.count++) yield line;
    },
  };
  const nodes = { called: () => ({ name: 'node1', isOwn: false, ask: () => node }) };
  const handlers = imageHandlers(nodes as never);
  const out = new PassThrough();
  const common = { headers: {}, lines: new PassThrough(), from: undefined, path: {}, query: {} };
  const body = { node: 'node1', source: 'isos/a.img' };
  const done = handlers['POST /v1/disk-images']({ ...common, body }, () => out);
  await new Promise((resolve) => setImmediate(resolve));
  expect(out.writableNeedDrain).toBe(true);
  expect(out.writableLength + out.readableLength).toBeLessThan(256 * 1024);
  expect(sent.count).toBeLessThan(10_000);
  out.resume();
  await done;
  expect(sent.count).toBe(10_000);
});

test('no path leads out of isos, and who gives one file up gets the next', async () => {
  const handlers = await pair();
  const { directory, isosDirectory, cache } = handlers;
  writeFileSync(join(directory, 'secret'), Buffer.alloc(1024));
  symlinkSync('../secret', join(isosDirectory, 'link'));
  writeFileSync(join(isosDirectory, 'large'), Buffer.alloc(8 * 1024 * 1024, 'x'));
  writeFileSync(join(isosDirectory, 'good'), Buffer.alloc(512, 1));
  // A link of root leads where the administrator wants it to.
  expect(await fetched(handlers, 'isos/link')).toMatchObject({ kind: 'ready', image: { sizeBytes: 1024 } });
  expect(await fetched(handlers, 'isos/none')).toMatchObject({
    kind: 'failed',
    error: { code: 'MESH_DISK_IMAGE_FETCH', message: expect.stringContaining('http://host0/isos/none') },
  });
  const stop = new AbortController();
  const given = cache.ensure({ source: 'isos/large', signal: stop.signal, onProgress: () => stop.abort() });
  await expect(given).rejects.toMatchObject({ code: 'MESH_DISK_IMAGE_FETCH' });
  expect(await fetched(handlers, 'isos/good')).toMatchObject({ kind: 'ready' });
  expect(await fetched(handlers, 'isos/good', 'f'.repeat(64))).toMatchObject({
    kind: 'failed',
    error: { code: 'MESH_DISK_IMAGE_HASH' },
  });
}, 60_000);

test('host0 shows the journal of a node, and one who leaves ends the stream on the node', async () => {
  const { journal, common, host, ...handlers } = await pair();
  journal.record({ kind: 'first', message: 'before' });
  const follow = async (isFollowing: boolean) => {
    const out = new PassThrough();
    let text = '';
    out.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    const path = { node: 'node1' };
    const query = { follow: isFollowing };
    const done = handlers['GET /v1/nodes/{node}/events']({ ...common, path, query }, () => new EventStream(out));
    return { out, done, text: () => text };
  };
  const past = await follow(false);
  await past.done;
  await expect.poll(past.text, PATIENCE).toContain('"kind":"first"');
  const live = await follow(true);
  await expect.poll(live.text, PATIENCE).toContain('"snapshot":true');
  journal.record({ kind: 'second', message: 'later' });
  await expect.poll(live.text, PATIENCE).toContain('"kind":"second"');
  live.out.destroy();
  await live.done;
  expect(host.channels.size).toBe(1);
});
