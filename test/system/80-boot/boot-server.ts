/** A boot server of the test: takes the stages that a node reports, and serves overlays and secrets. */
import { createHash } from 'node:crypto';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { inNetns } from '../../../src/kernel/netns.ts';
import { createServer } from '../../../src/protocol/http/http.ts';

/** A stage that a node has reported. */
export interface Stage {
  readonly attempt: string;
  readonly stage: string;
  readonly detail?: string;
}

/** A running boot server. */
export class BootServer {
  readonly stages: Stage[] = [];
  /** The paths that were asked for, without those of stages. */
  readonly asked: string[] = [];
  readonly #files = new Map<string, Buffer[]>();
  readonly #server: Server;

  /** Listens on port 80 of the whole namespace. */
  constructor(netns: string) {
    this.#server = inNetns(netns, () =>
      createServer((request, response) => this.#answer(request, response)).listen(80),
    );
  }

  /** Serves each of the contents once, and the last one from then on. */
  serve(path: string, ...contents: readonly Buffer[]): void {
    this.#files.set(path, [...contents]);
  }

  /** @returns the path, which contains the hash of the last of the contents */
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
