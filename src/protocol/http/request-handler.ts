/** The wrapper around every request handler of a raw HTTP server: no request ends the process. */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { MeshError } from '../../model/error.ts';
import { http1Response, sendError } from './exchange.ts';
import { type ListenAddress, mustBeOwnRequest } from './own-request.ts';

/** Answers a request, at once or later. What it throws, or rejects with, becomes the answer. */
export type RequestHandler = (request: IncomingMessage, response: ServerResponse) => unknown;

/** The wrapper's part of a server. */
export interface RequestHandlerInput {
  readonly handler: RequestHandler;
  /** Where the server listens; absent for a Unix socket. */
  readonly listener?: ListenAddress;
  /** Called with what the handler threw and is no MeshError: a fault of Meshwork. */
  readonly onFault: (thrown: unknown) => void;
}

/** A listener for `request` events. It refuses requests from web pages, and answers what the handler throws. */
export function requestListener({ handler, listener, onFault }: RequestHandlerInput): RequestListener {
  return (request, response) => {
    // An error of the response, such as a write after its end, would otherwise be an uncaught exception.
    response.on('error', () => response.destroy());
    const failed = (thrown: unknown): void => {
      if (!(thrown instanceof MeshError)) onFault(thrown);
      sendError(http1Response(response), MeshError.from(thrown));
    };
    try {
      mustBeOwnRequest(request.headers, listener);
      const answer = handler(request, response);
      if (answer instanceof Promise) answer.catch(failed);
    } catch (thrown) {
      failed(thrown);
    }
  };
}
