/**
 * Takes connections of one endpoint from many addresses, and opens each again that is closed. Started with a JSON text of
 * `FloodOrder`; writes its counts as a line of JSON again and again.
 */
import { connect } from 'node:net';
import type { FloodCount, FloodOrder } from './flood.ts';

const AGAIN_MS = 100;
const TELL_MS = 200;

const order = JSON.parse(process.argv[2] ?? '{}') as FloodOrder;
const count = { open: 0, streams: 0, refused: 0, closed: 0 };

/** Every second connection asks for a stream; the others say nothing. */
function take(localAddress: string, asks: boolean): void {
  const { host, port } = order;
  const socket = connect({ host, port, localAddress });
  let opened = false;
  socket.on('connect', () => {
    opened = true;
    count.open++;
    if (asks) socket.write(`GET /events HTTP/1.1\r\nHost: [${host}]:${port}\r\n\r\n`);
  });
  socket.on('data', (data) => {
    const text = data.toString();
    if (text.startsWith('HTTP/1.1 200')) count.streams++;
    else if (text.startsWith('HTTP/1.1 403')) count.refused++;
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    if (opened) count.open--;
    if (opened) count.closed++;
    setTimeout(() => take(localAddress, asks), AGAIN_MS);
  });
}

for (const address of order.addresses) for (let each = 0; each < order.each; each++) take(address, each % 2 === 0);
setInterval(() => {
  const told: FloodCount = count;
  process.stdout.write(`${JSON.stringify(told)}\n`);
}, TELL_MS);
