/** Echoes between two hosts with real kernels. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { inside, ip, twoHosts } from '../../../test/kit/namespaces.ts';
import { parseIpv4 } from '../../model/address/ipv4.ts';
import { parseIpv6 } from '../../model/address/ipv6.ts';
import { EchoSocket, type EchoSocketOptions, PacketTooBig } from './echo.ts';

const PEER6 = parseIpv6('fd09::2');
const PEER4 = parseIpv4('10.9.0.2');
const LONG_MS = 5_000;

let hosts: ReturnType<typeof twoHosts>;
let sockets: EchoSocket[];

function open(options: EchoSocketOptions = {}): EchoSocket {
  const socket = EchoSocket.open({ netns: hosts.here, ...options });
  sockets.push(socket);
  return socket;
}

beforeEach(() => {
  hosts = twoHosts();
  sockets = [];
});

afterEach(() => {
  for (const socket of sockets) socket.close();
  hosts.close();
});

test('both families answer, also from a given source and device', async () => {
  const plain = open();
  expect(await plain.echo(PEER6, { timeoutMs: LONG_MS })).toBeGreaterThan(0);
  expect(await plain.echo(PEER4, { timeoutMs: LONG_MS, payloadBytes: 0 })).toBeGreaterThan(0);
  const bound = open({ device: 'eth0', source: parseIpv6('fd09::1') });
  expect(await bound.echo(PEER6, { timeoutMs: LONG_MS })).toBeGreaterThan(0);
  await expect(bound.echo(PEER4, { timeoutMs: LONG_MS })).rejects.toMatchObject({ code: 'MESH_KERNEL_REFUSED' });
  expect(await bound.echo(parseIpv6('fe80::2'), { timeoutMs: LONG_MS })).toBeGreaterThan(0);
});

test('hundreds of concurrent echoes from several sockets are told apart', async () => {
  const there = open({ netns: hosts.there });
  const flights = [open(), open(), there].flatMap((socket) => {
    const peer = socket === there ? parseIpv6('fd09::1') : PEER6;
    return Array.from({ length: 200 }, (_, i) => socket.echo(peer, { timeoutMs: LONG_MS, payloadBytes: i }));
  });
  expect((await Promise.all(flights)).filter((rtt) => rtt === undefined)).toEqual([]);
});

test('no answer gives undefined; an echo that cannot be sent is an error', async () => {
  const socket = open();
  expect(await socket.echo(parseIpv6('fd09::99'), { timeoutMs: 20 })).toBeUndefined();
  await expect(socket.echo(parseIpv6('fd77::1'), { timeoutMs: LONG_MS })).rejects.toMatchObject({
    code: 'MESH_KERNEL_REFUSED',
    message: 'ping fd77::1: ENETUNREACH',
  });
});

test('closing resolves echoes under way as unanswered', async () => {
  const socket = open();
  const flight = socket.echo(parseIpv6('fd09::99'), { timeoutMs: LONG_MS });
  socket.close();
  expect(await flight).toBeUndefined();
});

test("an echo of the device's MTU comes back; one byte more is refused with the MTU", async () => {
  for (const netns of [hosts.here, hosts.there]) ip(netns, 'link set eth0 mtu 1380');
  const socket = open();
  const options = { timeoutMs: LONG_MS, dontFragment: true };
  expect(await socket.echo(PEER6, { ...options, payloadBytes: 1380 - 48 })).toBeGreaterThan(0);
  expect(await socket.echo(PEER4, { ...options, payloadBytes: 1380 - 28 })).toBeGreaterThan(0);
  for (const [peer, overhead] of [
    [PEER6, 48],
    [PEER4, 28],
  ] as const) {
    const error: unknown = await socket.echo(peer, { ...options, payloadBytes: 1381 - overhead }).catch((e) => e);
    expect(error).toBeInstanceOf(PacketTooBig);
    expect(error).toMatchObject({ mtuBytes: 1380, code: 'MESH_PACKET_TOO_BIG' });
  }
  expect(await socket.echo(PEER6, { timeoutMs: LONG_MS, payloadBytes: 4000 })).toBeGreaterThan(0);
});

test('a router reports a narrow link further on, for the first and the second echo', async () => {
  // The peer routes to its own bridge, whose MTU is 1300 bytes.
  ip(
    hosts.there,
    'link add narrow mtu 1300 type bridge',
    'link set narrow up addrgenmode none',
    'address add fd0a::1/64 dev narrow nodad',
    'address add 10.10.0.1/24 dev narrow',
    'neigh add fd0a::2 lladdr 02:00:00:00:00:02 dev narrow',
    'neigh add 10.10.0.2 lladdr 02:00:00:00:00:02 dev narrow',
  );
  inside(
    hosts.there,
    'sh',
    '-c',
    'echo 1 > /proc/sys/net/ipv6/conf/all/forwarding; echo 1 > /proc/sys/net/ipv4/ip_forward',
  );
  ip(hosts.here, 'route add fd0a::/64 via fd09::2', 'route add 10.10.0.0/24 via 10.9.0.2');
  const socket = open();
  const options = { timeoutMs: LONG_MS, payloadBytes: 1400, dontFragment: true };
  for (const peer of [parseIpv6('fd0a::2'), parseIpv4('10.10.0.2')]) {
    await expect(socket.echo(peer, options)).rejects.toMatchObject({ mtuBytes: 1300 });
    await expect(socket.echo(peer, options)).rejects.toMatchObject({ mtuBytes: 1300 });
  }
});
