/** Carries out the orders of segment-asker.ts in the namespace of a stranger's machine. */
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from '../../../src/protocol/http/http.ts';
import type { Answered, Order } from './segment-asker.ts';

const SILENCE_MS = 10_000;

function ask(host0: string, address: string, path: string): Promise<Omit<Answered, 'id'>> {
  const startMs = performance.now();
  return new Promise((resolve) => {
    const end = (status: number, body: string, retryAfterSec = 0) =>
      resolve({ status, body, retryAfterSec, ms: performance.now() - startMs });
    const asked = request({ host: host0, port: 80, path, localAddress: address, agent: false });
    asked.setTimeout(SILENCE_MS, () => asked.destroy());
    asked.on('error', () => end(0, ''));
    asked.on('response', (response) => {
      let body = '';
      response.setEncoding('latin1');
      response.on('data', (part: string) => {
        body += part;
      });
      response.on('error', () => end(0, ''));
      response.on('end', () => end(response.statusCode ?? 0, body, Number(response.headers['retry-after'] ?? 0)));
    });
    asked.end();
  });
}

/** Keeps a connection without a request; a new one follows when it is closed. */
function hold(host0: string, address: string): void {
  const socket = connect({ host: host0, port: 80, localAddress: address });
  socket.on('error', () => {});
  socket.on('close', () => setTimeout(() => hold(host0, address), 100));
}

async function carryOut(order: Order): Promise<void> {
  switch (order.kind) {
    case 'ask':
      process.send?.({ id: order.id, ...(await ask(order.host0, order.address, order.path)) });
      break;
    case 'loop':
      for (;;) {
        await Promise.all(order.asks.map(({ address, path }) => ask(order.host0, address, path)));
        await sleep(order.everyMs);
      }
    case 'hold':
      for (const address of order.addresses)
        for (let count = 0; count < order.each; count++) hold(order.host0, address);
      break;
  }
}

process.on('message', (order) => void carryOut(order as Order));
process.on('disconnect', () => process.exit());
