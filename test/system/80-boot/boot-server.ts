/** What a node asks host0 for while it boots, answered by the test: stages, overlay, secrets. */
import { createHash } from 'node:crypto';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { inNetns } from '../../../src/kernel/netns.ts';
import { createServer } from '../../../src/protocol/http/http.ts';

export interface Stage {
  readonly attempt: string;
  readonly stage: string;
  readonly detail?: string;
}

export class BootServer {
  readonly stages: Stage[] = [];
  /** Paths that were asked for, stages left out. */
  readonly asked: string[] = [];
  readonly #files = new Map<string, Buffer[]>();
  readonly #server: Server;

  /** Listens on port 80 of the whole namespace. */
  constructor(netns: string) {
    this.#server = inNetns(netns, () =>
      createServer((request, response) => this.#answer(request, response)).listen(80),
    );
  }

  /** Serves each of the contents once, the last one for good. */
  serve(path: string, ...contents: readonly Buffer[]): void {
    this.#files.set(path, [...contents]);
  }

  /** @returns the path, which carries the hash of what is last */
  serveOverlay(machine: string, ...contents: readonly [...Buffer[], Buffer]): string {
    const hash = createHash('sha256')
      .update(contents.at(-1) ?? '')
      .digest('hex');
    const path = `/overlay/${machine}/${hash}.apkovl.tar.gz`;
    this.serve(path, ...contents);
    return path;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://host0');
    const [, attempt, stage] = /^\/stage\/([0-9a-f]+)\/(\w+)$/.exec(pathname) ?? [];
    if (attempt !== undefined && stage !== undefined) {
      const detail = searchParams.get('detail');
      this.stages.push({ attempt, stage, ...(detail !== null && { detail }) });
      response.end();
      return;
    }
    this.asked.push(pathname);
    const contents = this.#files.get(pathname) ?? [];
    const content = contents.length > 1 ? contents.shift() : contents[0];
    if (content === undefined) response.writeHead(404).end();
    else response.writeHead(200, { 'Content-Length': content.length }).end(content);
  }
}
