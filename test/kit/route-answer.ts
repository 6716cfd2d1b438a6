/** Asks the server of a table without a socket. */
import type { OutgoingHttpHeaders } from 'node:http';
import { PassThrough, Readable } from 'node:stream';
import type { RouteServer } from '../../src/protocol/calls/route-server.ts';
import type { HttpRequest, HttpResponse } from '../../src/protocol/http/exchange.ts';

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
