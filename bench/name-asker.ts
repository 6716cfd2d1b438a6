/** A process beside a daemon that asks the resolver of each network until it answers: `node name-asker.ts ADDRESS …`. */
import { createSocket } from 'node:dgram';

const DNS_PORT = 53;
const EVERY_MS = 20;
const QUESTION = Buffer.from([0x6d, 0x65, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 5, ...Buffer.from('guest'), 0, 0, 1, 0, 1]);

const silent = new Set(process.argv.slice(2));
const socket = createSocket('udp4');
socket.on('message', (_, { address }) => {
  silent.delete(address);
  if (silent.size > 0) return;
  console.log(performance.timeOrigin + performance.now());
  process.exit();
});
// An address that is not there yet is refused.
socket.on('error', () => undefined);
const ask = () => {
  for (const address of silent) socket.send(QUESTION, DNS_PORT, address, () => undefined);
};
ask();
setInterval(ask, EVERY_MS);
