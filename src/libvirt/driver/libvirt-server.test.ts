/** The sockets of host0 for libvirt's programs, beside another daemon that has one of them. */
import { existsSync, statSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { MemoryVirtualNetworks } from '../../../test/kit/memory-virtual-networks.ts';
import { systemClock } from '../../model/clock.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import { LibvirtServer } from './libvirt-server.ts';

async function directoryMade(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'sockets-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  return directory;
}

function opened(directory: string): Promise<LibvirtServer> {
  return LibvirtServer.open({
    networks: new MemoryVirtualNetworks(),
    clock: systemClock,
    journal: new Journal(systemClock, 'host0', 'host0'),
    paths: [join(directory, 'ours/sock')],
    shared: [join(directory, 'theirs/sock')],
    kept: { health: () => [] },
  });
}

/** Another daemon at a path. */
async function daemonAt(path: string): Promise<void> {
  const daemon = createServer((socket) => socket.end());
  await new Promise<void>((done) => daemon.listen(path, done));
  onTestFinished(() => void daemon.close());
}

function answers(path: string): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(path, () => {
      socket.destroy();
      done(true);
    });
    socket.on('error', () => done(false));
  });
}

test('a directory of libvirt that host0 makes is entered by everybody, one of ours is not', async () => {
  const directory = await directoryMade();
  // As host0's own at its start.
  const umask = process.umask(0o027);
  onTestFinished(() => void process.umask(umask));
  const server = await opened(directory);
  expect(statSync(join(directory, 'theirs')).mode % 0o1000).toBe(0o755);
  expect(statSync(join(directory, 'ours')).mode % 0o1000).toBe(0o750);
  server.close();
  expect(existsSync(join(directory, 'theirs/sock'))).toBe(false);
});

test('where another daemon has a socket of libvirt, host0 says so, runs on, and leaves the socket at its end', async () => {
  const directory = await directoryMade();
  const path = join(directory, 'theirs/sock');
  await mkdir(join(directory, 'theirs'));
  await daemonAt(path);
  const server = await opened(directory);
  expect(server.health()).toMatchObject([{ object: path, remedy: expect.stringContaining('virtnetworkd.socket') }]);
  expect(await answers(join(directory, 'ours/sock'))).toBe(true);
  server.close();
  expect(await answers(path)).toBe(true);
});

test('a socket that another daemon has put in the place of ours is left at the end', async () => {
  const directory = await directoryMade();
  const path = join(directory, 'theirs/sock');
  const server = await opened(directory);
  await rm(path);
  await daemonAt(path);
  server.close();
  expect(await answers(path)).toBe(true);
});
