/** A control socket that answers set documents, and remembers what it was asked. */
import { mkdirSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { dirname } from 'node:path';
import { MeshError } from '../../src/model/error.ts';

/** What a path answers: a document, a MeshError, or events (a stream that ends after them); anything else is answered «what?». */
export type Answers = Readonly<Record<string, unknown>>;

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly body: string;
}

export class FakeDaemon {
  readonly asked: Asked[] = [];
  readonly #server: Server;

  /** @param answers by method and path, `GET /v1/status` */
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
      } else if (/^\/v1\/(boots\/)?events/.test(path) && Array.isArray(answer)) {
        response.setHeader('content-type', 'text/event-stream');
        response.end(answer.map((event) => `: still here\n\ndata: ${JSON.stringify(event)}\n\n`).join(''));
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
