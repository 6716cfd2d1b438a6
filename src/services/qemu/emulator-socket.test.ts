import { once } from 'node:events';
import { mkdtempSync, readdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { connectEmulator } from './emulator-socket.ts';

async function errorAt(path: string): Promise<string> {
  const [error]: unknown[] = await once(connectEmulator(path), 'error').catch((thrown: unknown) => [thrown]);
  return String(error);
}

test('a socket is connected, a link to one is not, and no descriptor is left', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'socket-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'console.sock');
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    socket.end('hello');
  });
  server.listen(path);
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const before = readdirSync('/proc/self/fd').length;
  const socket = connectEmulator(path);
  const [chunk]: unknown[] = await once(socket, 'data');
  expect(String(chunk)).toBe('hello');
  const end = once(socket, 'close');
  socket.destroy();
  await end;

  renameSync(path, join(directory, 'other.sock'));
  symlinkSync('other.sock', path);
  expect(await errorAt(path)).toContain('is no socket');
  expect(await errorAt(join(directory, 'none.sock'))).toContain('ENOENT');
  expect(connections).toBe(1);
  await expect.poll(() => readdirSync('/proc/self/fd').length).toBe(before);
});
