/** Every route of every table refuses what does not fit it, before its handler runs. */
import { describe, expect, test } from 'vitest';
import { type RouteAnswer, routeAnswer } from '../../../test/kit/route-answer.ts';
import { AGENT_ROUTES } from '../routes/agent-routes.ts';
import { CHANNEL_ROUTES, PEER_ROUTES } from '../routes/channel-routes.ts';
import { CONTROL_ROUTES } from '../routes/control-routes.ts';
import { MEMBERSHIP_ROUTES } from '../routes/membership-routes.ts';
import { type ApiRoute, BODY_MAX_BYTES, type RouteTable } from '../routes/route.ts';
import type { Fields, Outline } from '../shapes/form.ts';
import { type RouteServer, routeServer } from './route-server.ts';

const TABLES: readonly (readonly [string, RouteTable])[] = [
  ['control API', CONTROL_ROUTES],
  ['agent', AGENT_ROUTES],
  ['channel', CHANNEL_ROUTES],
  ['membership', MEMBERSHIP_ROUTES],
  ['inside a mesh', PEER_ROUTES],
];

/** Whether a handler ran. */
interface Reached {
  is: boolean;
}

function serverOf(table: RouteTable): { readonly server: RouteServer<undefined>; readonly reached: Reached } {
  const reached: Reached = { is: false };
  const handler = (): never => {
    reached.is = true;
    throw new Error('reached');
  };
  const handlers = Object.fromEntries(Object.keys(table).map((key) => [key, handler]));
  const server = routeServer<RouteTable, undefined>(table, handlers, { onFault: () => {} });
  return { server, reached };
}

/** Texts that fit the usual forms of parameters. */
function wordFor(name: string, outline: Outline): string {
  if (name === 'machine' || name === 'workload') return '10eff964';
  if (name === 'word' || name === 'viewer') return '10eff96410eff964';
  if (name === 'mac') return '52:54:00:12:34:56';
  switch (outline.kind) {
    case 'word':
      return outline.words[0] ?? '';
    case 'whole':
      return String(outline.min);
    case 'literal':
      return String(outline.only);
    default:
      return 'x';
  }
}

function urlOf(
  key: string,
  { path = {}, query = {} }: ApiRoute,
  more: readonly (readonly [string, string])[] = [],
): string {
  const words = (fields: Fields) =>
    Object.entries(fields).map(([name, { outline }]): [string, string] => [name, wordFor(name, outline)]);
  const url = words(path).reduce((known, [name, word]) => known.replace(`{${name}}`, word), key);
  const given = words(query).filter(([name]) => !more.some(([other]) => other === name));
  return `${url}?${new URLSearchParams([...given, ...more.map(([name, word]): [string, string] => [name, word])])}`;
}

describe.each(TABLES)('%s', (_title, table) => {
  const routes = Object.entries<ApiRoute>(table);
  const { server, reached } = serverOf(table);

  async function ask(
    request: string,
    body?: unknown,
  ): Promise<RouteAnswer & { readonly code: unknown; readonly ran: boolean }> {
    reached.is = false;
    const answer = await routeAnswer(server, request, { body, from: undefined });
    const document: Record<string, unknown> = JSON.parse(answer.text);
    if (!reached.is) expect(document).toMatchObject({ code: expect.any(String), message: expect.any(String) });
    return { ...answer, code: document.code, ran: reached.is };
  }

  test.each(
    routes.filter(([, { body }]) => body === undefined),
  )('%s is reached when its parameters fit', async (key, route) => {
    expect((await ask(urlOf(key, route, [['of-a-later-version', '1']]))).ran).toBe(true);
  });

  const withBody = routes.filter(([, { body, bodyIsText }]) => body !== undefined && bodyIsText !== true);
  test.each(
    withBody,
  )('%s refuses a body that is no JSON, of another type, too deep or too large', async (key, route) => {
    const url = urlOf(key, route);
    const depth = 5_000;
    const deep = `{"network":${'['.repeat(depth)}${']'.repeat(depth)},"name":"${'x'.repeat(10_000)}"}`;
    const bodies = ['{', '{"a":1}x', '7', 'null', '"x"', '[]', '[{}]', '\u0000', '{"__proto__":7'];
    for (const body of deep.length < (route.bodyMaxBytes ?? BODY_MAX_BYTES) ? [...bodies, deep] : bodies) {
      const { status, code, ran } = await ask(url, body);
      expect({ body: body.slice(0, 20), status, ran }).toEqual({ body: body.slice(0, 20), status: 400, ran: false });
      expect(code).toBe('MESH_USAGE');
    }
    const large = JSON.stringify({ name: 'x'.repeat(route.bodyMaxBytes ?? BODY_MAX_BYTES) });
    expect(await ask(url, large)).toMatchObject({ status: 413, code: 'MESH_USAGE', ran: false });
  });

  test.each(
    routes.filter(([, { path }]) => path !== undefined),
  )('%s refuses paths that do not fit', async (key, route) => {
    for (const name of Object.keys(route.path ?? {})) {
      for (const word of ['%', '%zz', '%ff', 'x'.repeat(200), encodeURIComponent('\u0000'.repeat(101)), '']) {
        const url = urlOf(key.replace(`{${name}}`, word), route);
        expect(await ask(url)).toMatchObject({ status: word === '' ? expect.toBeOneOf([400, 404]) : 400, ran: false });
      }
    }
  });

  test.each(
    routes.filter(([, { query }]) => query !== undefined),
  )('%s refuses queries that do not fit', async (key, route) => {
    for (const [name, { outline }] of Object.entries(route.query ?? {})) {
      const word = wordFor(name, outline);
      const twice = await ask(
        urlOf(key, route, [
          [name, word],
          [name, word],
        ]),
      );
      expect(twice).toMatchObject({ status: 400, ran: false });
      expect(JSON.parse(twice.text)).toMatchObject({ object: name, rule: 'A parameter is given once.' });
      expect(await ask(urlOf(key, route, [[name, 'x'.repeat(3_000)]]))).toMatchObject({ status: 400, ran: false });
    }
    expect(await ask(urlOf(key, route, [['more', 'x'.repeat(5_000)]]))).toMatchObject({ status: 400, ran: false });
  });

  test('knows no other path, method or spelling', async () => {
    for (const key of Object.keys(table)) {
      const [method = '', path = ''] = key.split(' ');
      for (const other of [
        `${method} ${path}/`,
        `${method} /${path}`,
        `${method} ${path}%20`,
        `TRACE ${path}`,
        `HEAD ${path}`,
      ]) {
        if (server.has({ method: other.split(' ')[0] ?? '', url: other.split(' ')[1] ?? '' })) continue;
        expect(await ask(other)).toMatchObject({ status: 404, code: 'MESH_OBJECT_UNKNOWN', ran: false });
      }
    }
  });
});
