/** Listeners that are reachable through one device only. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { carriesPackets, ip, twoHosts } from '../../../test/kit/namespaces.ts';
import { parseIpv6 } from '../../model/address/ipv6.ts';
import { type TemporaryNetns, temporaryNetns } from '../netns.ts';
import { boundListener } from './listener.ts';

const address = parseIpv6('fd42::1');
const port = 8000;
let hosts: ReturnType<typeof twoHosts>;
let guest: TemporaryNetns;
let server: Server;

/** Connects from a host, with a child process in its namespace: the answer, or the name of the error. */
async function connect(netns: string): Promise<string> {
  const script = `
    const socket = require('node:net').connect(${port}, '${address}');
    socket.setTimeout(5000, () => socket.destroy(new Error('timeout')));
    socket.on('error', (error) => { console.log(error.code ?? error.message); });
    socket.on('connect', () => { socket.write('GET / HTTP/1.0\\r\\n\\r\\n'); });
    socket.on('data', (data) => { console.log(String(data).split('\\r\\n\\r\\n')[1]); socket.destroy(); });`;
  const child = spawn('nsenter', [`--net=${netns}`, process.execPath, '-e', script]);
  const [output] = await Promise.all([text(child.stdout), once(child, 'close')]);
  return output.trim();
}

function listening(fd: number): Promise<unknown> {
  server.listen({ fd });
  return once(server, 'listening');
}

beforeEach(async () => {
  hosts = twoHosts();
  guest = temporaryNetns();
  // The link between the hosts is the underlay; `guest` is a member of the mesh.
  ip(
    hosts.here,
    'link add br456 type bridge',
    `address add ${address}/64 dev br456 nodad`,
    'link set br456 up',
    `link add port0 master br456 type veth peer name guest0 netns ${guest.path}`,
    'link set port0 up',
  );
  ip(guest.path, 'link set guest0 up', 'address add fd42::9/64 dev guest0 nodad');
  carriesPackets(guest.path, 'guest0');
  carriesPackets(hosts.here, 'br456');
  server = createServer((_, response) => response.end('members\n'));
});

afterEach(() => {
  server.close();
  guest.close();
  hosts.close();
});

test('answers on its device, and refuses connections that come through another one', async () => {
  await listening(boundListener({ address, port, device: 'br456', netns: hosts.here }));
  ip(hosts.there, `route add ${address}/128 via fe80::1 dev eth0`);
  expect(await connect(guest.path)).toBe('members');
  expect(await connect(hosts.there)).toBe('ECONNREFUSED');
});

test('can be opened before the device has the address, and again directly after a close', async () => {
  const first = boundListener({ address: parseIpv6('fd42::77'), port, device: 'br456', netns: hosts.here });
  closeSync(first);
  await listening(boundListener({ address: parseIpv6('fd42::77'), port, device: 'br456', netns: hosts.here }));
  expect(server.address()).toMatchObject({ address: 'fd42::77', port });
});

test('a second listener at the same address, and an absent device, are refused', async () => {
  await listening(boundListener({ address, port, device: 'br456', netns: hosts.here }));
  expect(() => boundListener({ address, port, device: 'br456', netns: hosts.here })).toThrow(/EADDRINUSE/);
  expect(() => boundListener({ address, port, device: 'br457', netns: hosts.here })).toThrow(/br457: ENODEV/);
});
