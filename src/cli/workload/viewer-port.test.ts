/** Who gets through the port of `mesh workload vnc`, with real connections: all users of this machine reach it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { userOfConnection, ViewerPort } from './viewer-port.ts';

const NOBODY = 65_534;
const WITHIN = { timeout: 30_000 };

/** A port that waits for a viewer. @returns the users who were refused, too */
async function waiting() {
  const refused: (number | undefined)[] = [];
  const opened = await ViewerPort.open({ kind: 'port', port: 0 }, (userId) => refused.push(userId));
  const ended = new AbortController();
  onTestFinished(() => {
    ended.abort();
    opened[Symbol.dispose]();
  });
  const port = opened.place.kind === 'port' ? opened.place.port : 0;
  return { port, refused, viewer: opened.viewer(ended.signal) };
}

/** A viewer of this user. @returns the connection */
function viewerFrom(port: number, { host = '127.0.0.1', localAddress }: { host?: string; localAddress?: string }) {
  const socket = connect({ host, port, ...(localAddress !== undefined && { localAddress }) });
  onTestFinished(() => void socket.destroy());
  return socket.on('error', () => socket.destroy()).resume();
}

/** A viewer of another user, who ends when the connection ends. */
async function foreignViewer(host: string, port: number): Promise<void> {
  const script = `exec 3<>/dev/tcp/${host}/${port}; cat <&3`;
  const child = spawn('bash', ['-c', script], { uid: NOBODY, gid: NOBODY, cwd: '/', stdio: 'ignore' });
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child, 'close');
}

test('a viewer from another address of loopback is refused: its user is not known', async () => {
  const { port, refused, viewer } = await waiting();
  const other = viewerFrom(port, { localAddress: '127.0.0.2' });
  await expect.poll(() => other.destroyed, WITHIN).toBe(true);
  expect(refused).toEqual([undefined]);
  // The port still waits for this user.
  const own = viewerFrom(port, {});
  expect((await viewer)?.remotePort).toBe(own.localPort);
});

test.each(['127.0.0.1', '::ffff:127.0.0.1'])('another user at %s is refused, and this user is not', async (host) => {
  const { port, refused, viewer } = await waiting();
  await foreignViewer(host, port);
  expect(refused).toEqual([NOBODY]);
  const own = viewerFrom(port, { host });
  expect((await viewer)?.remotePort).toBe(own.localPort);
  expect(refused).toEqual([NOBODY]);
});

const HEADER = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode';

test('the user of a connection is in the table of the kernel', () => {
  const table = `${HEADER}
   0: 0100007F:170D 0100007F:A001 01 00000000:00000000 00:00000000 00000000     0        0 1 1 0000 20 4 30 10 -1
   1: 0100007F:A001 0100007F:170D 01 00000000:00000000 00:00000000 00000000  1000        0 2 1 0000 20 4 30 10 -1
   2: 0000000000000000FFFF00000100007F:A003 0000000000000000FFFF00000100007F:170D 01 00000000:00000000 00:00000000 00000000  1001        0 3 1 0000 20 4 30 10 -1`;
  expect(userOfConnection(table, 0xa001, 0x170d)).toBe(1000);
  expect(userOfConnection(table, 0xa002, 0x170d)).toBeUndefined();
  expect(userOfConnection(table, 0xa003, 0x170d)).toBe(1001);
});

test.each(['04', '05', '06', '08'])('a connection in the state %s has no user, though root is named', (state) => {
  const table = `${HEADER}
   0: 0100007F:A001 0100007F:170D ${state} 00000000:00000000 03:0000176F 00000000     0        0 0 3 0000`;
  expect(userOfConnection(table, 0xa001, 0x170d)).toBeUndefined();
});
