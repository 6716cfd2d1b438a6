/** A server that answers a mirror as a test says, for what a real etcd does only after days, or never. */
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { onTestFinished } from 'vitest';
import type { EtcdEndpoint } from '../../src/model/etcd-endpoint.ts';

const base64 = (text: string) => Buffer.from(text, 'utf8').toString('base64');

/** The present entries at one revision. */
export interface FakeState {
  readonly revision: number;
  readonly entries: Readonly<Record<string, string>>;
}

/** A server on loopback that ends with the test. */
export class FakeEtcd {
  /** What is read. */
  state: FakeState = { revision: 1, entries: {} };
  /** How often everything was read. */
  reads = 0;
  /** From which revision each watch began. */
  readonly begun: number[] = [];
  readonly #server = createServer();
  #watch: ServerResponse | undefined;

  static async start(): Promise<FakeEtcd> {
    const fake = new FakeEtcd();
    fake.#server.on('request', async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(Buffer.from(chunk));
      if (request.url === '/v3/watch') fake.#follow(Buffer.concat(chunks).toString(), response);
      else fake.#read(response);
    });
    fake.#server.listen(0, '127.0.0.1');
    await once(fake.#server, 'listening');
    onTestFinished(() => {
      fake.#server.closeAllConnections();
      fake.#server.close();
    });
    return fake;
  }

  get endpoint(): EtcdEndpoint {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the server does not listen');
    return { host: '127.0.0.1', port: address.port };
  }

  /** Sends a line to the watch. */
  say(line: string): void {
    this.#watch?.write(`${line}\n`);
  }

  /** Tells the watch of a change. */
  tell(key: string, value: string, revision: number): void {
    const kv = { ...keyValue(key, value, revision) };
    this.say(JSON.stringify({ result: { header: { revision: String(revision) }, events: [{ kv }] } }));
  }

  #read(response: ServerResponse): void {
    this.reads++;
    const { revision, entries } = this.state;
    const kvs = Object.entries(entries).map(([key, value]) => keyValue(key, value, revision));
    response.end(JSON.stringify({ header: { revision: String(revision) }, kvs }));
  }

  #follow(body: string, response: ServerResponse): void {
    this.#watch = response;
    response.writeHead(200);
    this.begun.push(Number(/"start_revision":"(\d+)"/.exec(body)?.[1]));
    this.say('{"result":{"header":{"revision":"1"},"created":true}}');
  }
}

function keyValue(key: string, value: string, revision: number): object {
  const text = String(revision);
  return { key: base64(key), value: base64(value), create_revision: text, mod_revision: text };
}
