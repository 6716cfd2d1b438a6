/** Connections through the loopback device. */
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { parseIpv6 } from '../../model/address/ipv6.ts';
import { boundConnection } from './connection.ts';

const address = parseIpv6('::1');

async function echoPort(): Promise<number> {
  const server = createServer((socket) => socket.pipe(socket)).listen(0, address);
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

test('a connection goes through its device and carries bytes', async () => {
  const socket = boundConnection({ address, port: await echoPort(), device: 'lo' });
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  socket.write('hello');
  expect(String((await once(socket, 'data'))[0])).toBe('hello');
});

test('a port where nobody listens is told', async () => {
  const socket = boundConnection({ address, port: 1, device: 'lo' });
  expect(await once(socket, 'error')).toEqual([expect.objectContaining({ code: 'ECONNREFUSED' })]);
});

test('a device that is not there is refused', () => {
  expect(() => boundConnection({ address, port: 1, device: 'no-such-dev' })).toThrow(/ENODEV/);
});
