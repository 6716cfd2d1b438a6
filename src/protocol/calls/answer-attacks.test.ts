/** A client uses nothing of an answer that is not in its form, and says who sent it and to which request. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MeshError } from '../../model/error.ts';
import { AGENT_ROUTES } from '../routes/agent-routes.ts';
import { CHANNEL_ROUTES } from '../routes/channel-routes.ts';
import { CONTROL_ROUTES } from '../routes/control-routes.ts';
import type { ApiRoute, RouteTable } from '../routes/route.ts';
import { readDocument } from '../shapes/document.ts';
import { ControlClient, clientOf } from './control-client.ts';
import { callByHttp1 } from './http1-call.ts';
import { RouteClient } from './route-client.ts';

let directory: string;
let sock: string;
let server: Server;
let answer: RequestListener;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'mesh-answers-'));
  sock = join(directory, 'control.sock');
  server = createServer((request, response) => answer(request, response));
  server.listen(sock);
  await once(server, 'listening');
});

afterEach(() => {
  server.close();
  server.closeAllConnections();
  rmSync(directory, { recursive: true });
});

/** A client of any table at the socket; its calls are not checked by the compiler. */
function anyClient(table: RouteTable): RouteClient<Record<'GET /', { answer: { kind: 'document'; form: never } }>> {
  return new RouteClient(() => table as never, {
    send: (call) => callByHttp1({ socketPath: sock }, call, 5_000),
    explain: (error) => MeshError.from(error),
    broken: (route, why) => new MeshError('MESH_INTERNAL', `${route}: ${why}`, { object: 'peer' }),
  });
}

const BROKEN = [
  '',
  '{',
  '7',
  '"x"',
  'null',
  '[7]',
  '{"code":7}',
  `${'['.repeat(20_000)}${']'.repeat(20_000)}`,
  '\ufeff{}',
];
const TABLES: readonly (readonly [string, RouteTable])[] = [
  ['control API', CONTROL_ROUTES],
  ['agent', AGENT_ROUTES],
  ['channel', CHANNEL_ROUTES],
];

describe.each(TABLES)('%s', (_title, table) => {
  const routes = Object.entries<ApiRoute>(table);

  test.each(
    routes.flatMap(([key, route]) => (route.answer.kind === 'document' ? [[key, route.answer.form] as const] : [])),
  )('an answer to %s that does not fit', async (key, form) => {
    let text = '';
    answer = (_request, response) => response.end(text);
    const client = anyClient(table);
    for (text of BROKEN) {
      if (readDocument(form, text).fault === undefined) continue;
      await expect(client.ask(key as 'GET /')).rejects.toMatchObject({
        code: 'MESH_INTERNAL',
        object: 'peer',
        message: expect.stringContaining(`${key}: it `),
      });
    }
  });

  test('an error answer is thrown as the error that the server had; one without its form names the status', async () => {
    const error = new MeshError('MESH_NET_UNKNOWN', 'no', { object: 'a', rule: 'b', remedy: 'c', retryable: true });
    for (const [key] of routes.filter(([, route]) => route.answer.kind === 'document')) {
      answer = (_request, response) => response.writeHead(404).end(JSON.stringify(error));
      const thrown: unknown = await anyClient(table)
        .ask(key as 'GET /')
        .catch((caught: unknown) => caught);
      expect(JSON.stringify(thrown)).toBe(JSON.stringify(error));
      answer = (_request, response) => response.writeHead(502).end('<html>');
      await expect(anyClient(table).ask(key as 'GET /')).rejects.toThrow(/502/);
    }
  });
});

test('a client of a control socket names the process, the request and the socket', async () => {
  answer = (_request, response) => response.end('{"role":"agent"}');
  await expect(new ControlClient('host0', sock).ask('GET /v1/status')).rejects.toMatchObject({
    code: 'MESH_INTERNAL',
    object: sock,
    message: expect.stringMatching(
      /^host0's daemon sent an answer to GET \/v1\/status that cannot be read: it does not fit .* role$/,
    ),
  });
});

test('events that are none end their stream with an error', async () => {
  answer = (_request, response) => response.end('event: event\ndata: {"seq":"x"}\n\n');
  const stream = new ControlClient('agent', sock).events('GET /v1/events');
  await expect(stream.next()).rejects.toThrow(/GET \/v1\/events that cannot be read: it does not fit its form at seq/);
});

test('a line that does not fit is told, and the next one is read', async () => {
  const line = { format: 1, kept: false, digests: {}, objects: [], ports: [], orphans: [] };
  answer = (_request, response) => response.end(`x\n${JSON.stringify({ ...line, later: 1 })}\n`);
  const client = new RouteClient<typeof CHANNEL_ROUTES>(() => CHANNEL_ROUTES, {
    send: (call) => callByHttp1({ socketPath: sock }, call, 5_000),
    explain: (error) => MeshError.from(error),
    broken: (route, why) => new MeshError('MESH_INTERNAL', `${route}: ${why}`),
  });
  const readings: unknown[] = [];
  for await (const reading of client.lines('GET /status')) readings.push(reading);
  expect(readings).toEqual([{ fault: 'is no JSON' }, { document: line }]);
});

test('a field of a later version stays in what --json prints, and is no fault', async () => {
  answer = (_request, response) => response.end('{"steps":[],"later":{"a":1}}');
  expect(await clientOf('agent', { agentSock: sock } as never).ask('GET /v1/plan')).toEqual({
    steps: [],
    later: { a: 1 },
  });
});
