/** A process that listens where another one should, and answers each request with whatever a test gives it. */
import { createServer, type Server, type Socket } from 'node:net';
import { boundListener } from '../../../src/kernel/sockets/listener.ts';
import type { Ipv6 } from '../../../src/model/address/ipv6.ts';

/** The bytes of an answer, and what comes after them. */
export interface Lie {
  readonly bytes: string;
  /** `end`: the connection is closed. `silence`: it stays open. `flood`: the last bytes are repeated, up to FLOOD_MAX_BYTES. */
  readonly after: 'end' | 'silence' | 'flood';
}

/** Where the liar listens. */
export interface LiarPlace {
  readonly netns: string;
  readonly device: string;
  readonly address: Ipv6;
  readonly port: number;
}

/** Far more than any reader takes; the sender's own memory is not the matter of the test. */
const FLOOD_MAX_BYTES = 32 * 1024 * 1024;

/** Answers until it is disposed of. */
export class Liar implements Disposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Number of requests that got a lie. */
  lies = 0;

  /** @param lie the answer to `GET /events` and the like */
  constructor(place: LiarPlace, lie: (request: string) => Lie) {
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => this.#sockets.delete(socket));
      let head = '';
      socket.setEncoding('latin1').on('data', (chunk: string) => {
        if (head.includes('\r\n')) return;
        head += chunk;
        if (!head.includes('\r\n')) return;
        this.lies++;
        answer(socket, lie(head.slice(0, head.indexOf(' HTTP/'))));
      });
    });
    this.#server.listen({ fd: boundListener(place) });
  }

  [Symbol.dispose](): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

function answer(socket: Socket, { bytes, after }: Lie): void {
  if (after === 'end') {
    socket.end(bytes);
    return;
  }
  socket.write(bytes);
  if (after === 'flood') flood(socket, bytes.slice(-64 * 1024));
}

function flood(socket: Socket, bytes: string): void {
  if (socket.destroyed || socket.bytesWritten > FLOOD_MAX_BYTES) {
    socket.destroy();
    return;
  }
  if (socket.write(bytes)) setImmediate(() => flood(socket, bytes));
  else socket.once('drain', () => flood(socket, bytes));
}

/** An HTTP answer with a body. */
export function http(body: string, { status = '200 OK', type = 'application/json' } = {}): string {
  return `HTTP/1.1 ${status}\r\ncontent-type: ${type}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

/** An event stream without an end. */
export function stream(...messages: readonly { readonly event: string; readonly data: string }[]): string {
  const head = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n';
  return head + messages.map(({ event, data }) => `event: ${event}\ndata: ${data}\n\n`).join('');
}

/** Answers that are no HTTP, or no whole HTTP. */
export const BROKEN: readonly Lie[] = [
  { bytes: 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nhello', after: 'end' },
  { bytes: 'HTTP/1.1 302 Found\r\nLocation: http://[::1]:8000/\r\nContent-Length: 0\r\n\r\n', after: 'end' },
  { bytes: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n{"accep', after: 'end' },
  { bytes: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n', after: 'end' },
  { bytes: 'HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n{', after: 'end' },
  { bytes: 'HTTP/1.1 204 No Content\r\n\r\nmore', after: 'end' },
  { bytes: 'HTTP/1.1 100 Continue\r\n\r\n', after: 'flood' },
  { bytes: `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(100_000)}`, after: 'flood' },
  { bytes: 'HTTP/1.1 200 OK\r\n\r\n[', after: 'flood' },
  { bytes: 'SSH-2.0-x\r\n', after: 'end' },
  { bytes: '', after: 'end' },
];
