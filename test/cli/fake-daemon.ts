/** A control socket that answers with given documents, and records its requests. */
import { mkdirSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { dirname } from 'node:path';
import { MeshError } from '../../src/model/error.ts';

/**
 * The answer to each `METHOD PATH`: a document, a MeshError, or an array of events, which becomes a stream that ends after them.
 * An array that answers a POST becomes lines.
 * A request without an entry gets the text «what?», which no client understands.
 */
export type Answers = Readonly<Record<string, unknown>>;

/** A request that the daemon got. */
export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly body: string;
}

/** Listens on a socket between `listen` and `close`. */
export class FakeDaemon {
  readonly asked: Asked[] = [];
  readonly #server: Server;

  /** @param answers by method and path, such as `GET /v1/status`; a test may change them later */
  constructor(answers: Answers) {
    this.#server = createServer(async (request, response) => {
      let body = '';
      for await (const chunk of request) body += chunk;
      const { method = '', url: path = '' } = request;
      this.asked.push({ method, path, body });
      const answer = answers[`${method} ${path}`];
      if (answer instanceof MeshError) {
        response.statusCode = answer.httpStatus;
        response.end(JSON.stringify(answer));
      } else if (/^\/v1\/(boots\/)?events|\/follow$/.test(path) && Array.isArray(answer)) {
        response.setHeader('content-type', 'text/event-stream');
        response.end(answer.map((event) => `: still here\n\ndata: ${JSON.stringify(event)}\n\n`).join(''));
      } else if (method === 'POST' && Array.isArray(answer)) {
        response.end(answer.map((line) => `${JSON.stringify(line)}\n`).join(''));
      } else if (answer === undefined) {
        response.end('what?');
      } else {
        response.end(JSON.stringify(answer));
      }
    });
  }

  async listen(sock: string): Promise<void> {
    mkdirSync(dirname(sock), { recursive: true });
    await new Promise<void>((resolve) => this.#server.listen(sock, resolve));
  }

  async close(): Promise<void> {
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
