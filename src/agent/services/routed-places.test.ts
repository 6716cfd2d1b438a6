/** NAT44 and routing on a real kernel, on two routers: guests reach outside, outside reaches those that are routed, and one takes over. */
import { createSocket, type Socket } from 'node:dgram';
import { afterEach, expect, test, vi } from 'vitest';
import { runToEnd } from '../../../test/kit/command.ts';
import { inside, ip } from '../../../test/kit/namespaces.ts';
import { PAIR, routerPair } from '../../../test/kit/router-pair.ts';
import { boundDatagrams } from '../../kernel/sockets/listener.ts';
import type { Ipv4, Ipv4Cidr } from '../../model/address/ipv4.ts';
import type { Ipv6, Ipv6Cidr } from '../../model/address/ipv6.ts';
import type { MachineWord } from '../../model/machine.ts';
import { serviceAddresses } from '../../model/network/services/service-addresses.ts';
import type { AssignedDns } from '../../protocol/documents/service/assigned-dhcp.ts';
import type { AssignedNat44, AssignedRoute } from '../../protocol/documents/service/assigned-routing.ts';

const WAIT = { timeout: 25_000, interval: 50 };
const closing: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const GATEWAYS = [{ address: '10.20.0.1' as Ipv4, length: 24 }];
const NAT44: AssignedNat44 = {
  ...{ kind: 'nat44', id: 'nat44', guests: ['10.20.0.0/24' as Ipv4Cidr], gateways: GATEWAYS },
  ...{ device: 'eth0', address: '198.51.100.10' as Ipv4, length: 24, gateway: '198.51.100.1' as Ipv4 },
};
const ROUTE: AssignedRoute = {
  ...{ kind: 'route', id: 'route', guests: ['10.20.0.0/24' as Ipv4Cidr, 'fd64::/64' as Ipv6Cidr], gateways: GATEWAYS },
  device: 'eth0',
  uplinks: [
    { address: '198.51.100.10' as Ipv4, length: 24, gateway: '198.51.100.1' as Ipv4 },
    { address: '2001:db8::10' as Ipv6, length: 64, gateway: '2001:db8::1' as Ipv6 },
  ],
};

const answers = (netns: string, address: string) =>
  runToEnd(['ping', '-n', '-c', '1', '-W', '2', address], { netns }).status === 0;

/** A host outside with the addresses of a next router, and a guest that knows the gateway. */
function site() {
  const pair = routerPair(closing);
  const { outside, guest } = pair;
  ip(
    outside,
    'address add 198.51.100.1/24 dev br0',
    'address add 2001:db8::1/64 dev br0 nodad',
    'address add 203.0.113.1/32 dev lo',
  );
  ip(guest, 'address add 10.20.0.7/24 dev eth0', 'route add default via 10.20.0.1');
  return pair;
}

function socketIn(netns: string, device: string, port: number): Socket {
  const socket = createSocket('udp4');
  socket.bind({ fd: boundDatagrams({ address: '0.0.0.0' as Ipv4, port, device, netns }) });
  closing.push(() => socket.close());
  return socket;
}

/** From where the host outside hears what the guest sends to it, as `ADDRESS PORT`. */
async function seenFrom({ outside, guest }: Pick<ReturnType<typeof site>, 'outside' | 'guest'>): Promise<string> {
  const [sender, listener] = [socketIn(guest, 'eth0', 0), socketIn(outside, 'br0', 9_000)];
  let from = '';
  listener.on('message', (_, { address, port }) => {
    from = `${address} ${port}`;
  });
  await vi.waitFor(() => {
    sender.send('hello', 9_000, '198.51.100.1');
    expect(from).not.toBe('');
  }, WAIT);
  return from;
}

test('guests reach outside behind the address of the active router, are not reached, and go on through the other one', async () => {
  const { outside, guest, routers, network } = site();
  const turnTo = async (active: MachineWord, on: typeof routers | readonly (typeof routers)[number][]) => {
    for (const router of on) {
      const service = { ...NAT44, id: active, active };
      await router.serve([service]);
      expect(router.servers.stateOf(network, service)).toEqual({ state: 'ready' });
    }
  };
  await turnTo(PAIR[0], routers);
  await vi.waitFor(() => expect(answers(guest, '203.0.113.1')).toBe(true), WAIT);
  expect(await seenFrom({ outside, guest })).toMatch(/^198\.51\.100\.10 /);
  // Somebody outside who routes the subnet here does not reach a guest.
  ip(outside, 'route add 10.20.0.0/24 via 198.51.100.10');
  expect(answers(outside, '198.51.100.10')).toBe(true);
  expect(answers(outside, '10.20.0.7')).toBe(false);
  // A guest under an address that is not of its network goes nowhere.
  ip(guest, 'address add 10.99.0.7/32 dev eth0');
  expect(
    runToEnd(['ping', '-n', '-c', '1', '-W', '1', '-I', '10.99.0.7', '203.0.113.1'], { netns: guest }).status,
  ).toBe(1);
  // The first one loses power outside, and gives the gateway up a moment later than the other one takes it.
  const [first, second] = routers;
  ip(first.home, 'link set eth0 down');
  await turnTo(PAIR[1], [second]);
  await turnTo(PAIR[1], [first]);
  await vi.waitFor(() => expect(answers(guest, '203.0.113.1')).toBe(true), WAIT);
  expect(inside(guest, 'ip', 'neigh', 'show', '10.20.0.1')).toContain(serviceAddresses(network, PAIR[1]).mac);
});

test('guests share a row of addresses and of ports', async () => {
  const { outside, guest, routers } = site();
  const [router] = routers;
  const range = { first: '198.51.100.11' as Ipv4, last: '198.51.100.13' as Ipv4 };
  const ports = { first: 40_000, last: 40_009 };
  await router.serve([{ ...NAT44, active: PAIR[0], range, ports }]);
  expect(await seenFrom({ outside, guest })).toMatch(/^198\.51\.100\.1[123] 4000\d$/);
  expect(answers(guest, '203.0.113.1')).toBe(true);
});

test('outside reaches guests that are routed, of both families, through a reserve as well', async () => {
  const { outside, guest, routers, network } = site();
  ip(outside, 'route add 10.20.0.0/24 via 198.51.100.10', 'route add fd64::/64 via 2001:db8::10');
  // The guest's router over IPv6 is the reserve.
  const { linkLocal } = serviceAddresses(network, PAIR[1]);
  ip(guest, 'address add fd64::7/64 dev eth0 nodad', `route add default via ${linkLocal} dev eth0`);
  for (const router of routers) await router.serve([{ ...ROUTE, active: PAIR[0] }]);
  for (const [from, to] of [
    [guest, '203.0.113.1'],
    [guest, '2001:db8::1'],
    [outside, '10.20.0.7'],
    [outside, 'fd64::7'],
  ] as const)
    await vi.waitFor(() => expect(answers(from, to), to).toBe(true), WAIT);
  expect(await seenFrom({ outside, guest })).toMatch(/^10\.20\.0\.7 /);
});

test('outside pings the servers of a reserve, and reaches nothing else of them', async () => {
  const { outside, guest, routers } = site();
  ip(outside, 'route add fd64::/64 via 2001:db8::10');
  ip(guest, 'address add fd64::7/64 dev eth0 nodad');
  const servers = PAIR.map((machine, index) => ({ machine, address: `fd64::5${index}` as Ipv6 }));
  const dns: AssignedDns = {
    ...{ kind: 'dns', id: 'dns', hosts: [], srv: [], txt: [], forwarders: [], localOnly: true },
    ...{ servers, prefix: 'fd64::/64' as Ipv6Cidr },
  };
  for (const router of routers) await router.serve([{ ...ROUTE, active: PAIR[0] }, dns]);
  for (const from of [guest, outside]) await vi.waitFor(() => expect(answers(from, 'fd64::51')).toBe(true), WAIT);
  // Nobody listens: the node says so to a guest, and outside hears nothing.
  const asked = (netns: string, waitSec: string) =>
    runToEnd(['timeout', waitSec, 'bash', '-c', 'echo > /dev/tcp/fd64::51/53'], { netns }).status;
  expect(asked(guest, '20')).toBe(1);
  expect(asked(outside, '1')).toBe(124);
});
