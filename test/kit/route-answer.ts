/** Asks the server of a table without a socket, and serves a table on a socket. */
import { once } from 'node:events';
import type { OutgoingHttpHeaders } from 'node:http';
import { createServer } from 'node:http';
import { PassThrough, Readable } from 'node:stream';
import { type RouteHandlers, type RouteServer, routeServer } from '../../src/protocol/calls/route-server.ts';
import { type HttpRequest, type HttpResponse, http1Request, http1Response } from '../../src/protocol/http/exchange.ts';
import type { RouteTable } from '../../src/protocol/routes/route.ts';

/** A whole answer. */
export interface RouteAnswer {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  readonly text: string;
}

/** Sends a request: `body` as JSON, a text as it is. Resolves when the answer is whole, or its head for a stream. */
export async function routeAnswer<C>(
  server: RouteServer<C>,
  route: string,
  {
    body,
    headers = {},
    from,
  }: { readonly body?: unknown; readonly headers?: HttpRequest['headers']; readonly from: C },
): Promise<RouteAnswer> {
  const [method = '', url = ''] = route.split(' ');
  const text = typeof body === 'string' || body === undefined ? body : JSON.stringify(body);
  const { promise, resolve } = Promise.withResolvers<RouteAnswer>();
  let isBegun = false;
  const response: HttpResponse = {
    send: (status, sent, answer) => {
      isBegun = true;
      resolve({ status, headers: sent, text: String(answer) });
    },
    begin: (status, sent) => {
      isBegun = true;
      resolve({ status, headers: sent, text: '' });
      return new PassThrough().resume();
    },
    breakOff: () => isBegun,
  };
  const request = { method, url, headers, body: Readable.from(text === undefined ? [] : [Buffer.from(text)]) };
  await Promise.race([server.answer(request, response, from), promise]);
  return promise;
}

/** Serves a table on a Unix socket. @returns the function that ends it */
export async function listenAt<const T extends RouteTable>(
  path: string,
  table: T,
  handlers: RouteHandlers<T>,
): Promise<() => Promise<void>> {
  const routes = routeServer(table, handlers, {
    onFault: (thrown) => {
      throw thrown;
    },
  });
  const server = createServer((request, response) =>
    routes.answer(http1Request(request), http1Response(response), undefined),
  );
  server.listen(path);
  await once(server, 'listening');
  return async () => {
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  };
}
