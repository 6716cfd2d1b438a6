/**
 * `boot-http-clients.ts HOST PORT PATH COUNT SECONDS`: COUNT clients fetch a file again and again, read it in large pieces
 * and discard it. They use as little processor time as possible, since they share the processors with the server. Prints
 * bytes per second.
 */
import { connect } from 'node:net';

const [host = '', port = '', path = '', count = '', seconds = ''] = process.argv.slice(2);
const WARM_UP_MS = 500;
const REQUEST = `GET ${path} HTTP/1.1\r\nhost: ${host}\r\n\r\n`;
const END_OF_HEAD = '\r\n\r\n';
const buffer = Buffer.alloc(1024 * 1024);
let read = 0;

function client(): void {
  let left = 0;
  const socket = connect({
    host,
    port: Number(port),
    onread: {
      buffer,
      callback: (bytes) => {
        read += bytes;
        if (left === 0) {
          // The headers arrive in one piece with the first bytes of the file.
          const head = buffer.subarray(0, Math.min(bytes, 4096)).toString('latin1');
          const [, length = ''] = /^content-length: (\d+)/im.exec(head) ?? [];
          if (!head.startsWith('HTTP/1.1 200 ') || length === '') throw new Error(`no file: ${head}`);
          left = Number(length) + head.indexOf(END_OF_HEAD) + END_OF_HEAD.length;
        }
        left -= bytes;
        if (left === 0) socket.write(REQUEST);
        return true;
      },
    },
  });
  socket.write(REQUEST);
}

for (let number = 0; number < Number(count); number++) client();
setTimeout(() => {
  read = 0;
  const startMs = performance.now();
  setTimeout(() => {
    process.stdout.write(`${(read / (performance.now() - startMs)) * 1000}\n`);
    process.exit();
  }, Number(seconds) * 1000);
}, WARM_UP_MS);
