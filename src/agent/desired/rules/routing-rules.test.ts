/** On a real kernel: what leaves and enters a network that a node routes, with bridged packets in the rules of IP and without. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { runToEnd } from '../../../../test/kit/command.ts';
import { inside, ip, twoHosts } from '../../../../test/kit/namespaces.ts';
import { board, networkOfType } from '../../../../test/kit/networks.ts';
import { PlannedNode } from '../../../../test/kit/planned-node.ts';
import { inNetns, type TemporaryNetns, temporaryNetns } from '../../../kernel/netns.ts';
import { writeSysctl } from '../../../kernel/sysctl.ts';
import { parseIpv4, parseIpv4Cidr } from '../../../model/address/ipv4.ts';
import { ipv6Subnet, parseIpv6 } from '../../../model/address/ipv6.ts';
import type { Network } from '../../../model/network/network.ts';
import type { Routing } from '../../../model/network/routing.ts';
import type { NetworkAttachment } from '../assignment.ts';

const SET_UP_DEADLINE_MS = 30_000;
const NUMBER = 0xa01;
const GIVEN = [
  { address: parseIpv4('10.7.0.1'), length: 24 },
  { address: parseIpv6('fd07::1'), length: 64 },
];
const [HOST, OUTSIDE] = ['10.9.0.1', '10.9.0.2'] as const;

let hosts: ReturnType<typeof twoHosts>;
let guests: readonly TemporaryNetns[];
let node: PlannedNode;
/** Further networks of the node. */
let others: readonly NetworkAttachment[];

/** The guests are 10.7.0.11 and 10.7.0.12, fd07::11 and fd07::12. */
beforeEach(async () => {
  hosts = twoHosts();
  others = [];
  guests = [temporaryNetns(), temporaryNetns()];
  for (const [at, { path }] of guests.entries()) {
    const number = 11 + at;
    ip(hosts.here, `link add tap${at} type veth peer name eth0 netns ${path}`, `link set tap${at} up`);
    ip(
      path,
      'link set lo up',
      'link set eth0 up',
      `address add 10.7.0.${number}/24 dev eth0`,
      `address add fd07::${number}/64 dev eth0 nodad`,
    );
  }
  node = await PlannedNode.open(hosts.here, board(1), HOST);
}, SET_UP_DEADLINE_MS);

afterEach(async () => {
  await node[Symbol.asyncDispose]();
  for (const guest of guests) guest.close();
  hosts.close();
});

function network(routing: Partial<Routing>, more: Partial<Network> = {}): Network {
  return {
    ...networkOfType(NUMBER, { kind: 'bridge' }, undefined, 1500),
    hostAddress: { kind: 'given' },
    subnets: [
      { cidr: parseIpv4Cidr('10.7.0.0/24'), hostAddress: parseIpv4('10.7.0.1') },
      { cidr: ipv6Subnet(parseIpv6('fd07::'), 64), hostAddress: parseIpv6('fd07::1') },
    ],
    routing: { mode: 'nat', via: [], rules: [], ...routing },
    ...more,
  };
}

async function take(routing: Partial<Routing>, more: Partial<Network> = {}): Promise<void> {
  const attachment = { network: network(routing, more), peers: { kind: 'none' }, hostAddresses: GIVEN } as const;
  await node.take([attachment, ...others], ['tap0', 'tap1']);
  for (const { path } of guests) {
    ip(path, 'route replace default via 10.7.0.1', 'route replace default via fd07::1');
  }
}

/** Has frames between ports of a bridge pass the rules of IP, or not. */
function callRules(value: '0' | '1'): void {
  inNetns(hosts.here, () => {
    for (const family of ['iptables', 'ip6tables']) writeSysctl(['net', 'bridge', `bridge-nf-call-${family}`], value);
  });
}

function outsideKnowsTheWay(): void {
  ip(hosts.there, 'route replace 10.7.0.0/24 via 10.9.0.1', 'route replace fd07::/64 via fd09::1');
}

function at(place: 'host' | 'outside' | 'guest' | 'other'): string {
  return { host: hosts.here, outside: hosts.there, guest: guests[0]?.path, other: guests[1]?.path }[place] ?? '';
}

/** Whether one of the pings of two seconds is answered: a neighbour that did not answer before is asked for again. */
function pings(from: Parameters<typeof at>[0], address: string): boolean {
  return runToEnd(['ping', '-n', '-c1', '-w2', '-i0.4', address], { netns: at(from) }).status === 0;
}

/** Serves one line at a port for each caller, until the test ends: the address of the caller. */
function serve(place: Parameters<typeof at>[0], port: number): void {
  const script = `import socketserver,os
class H(socketserver.BaseRequestHandler):
  def handle(s): s.request.sendall(s.client_address[0].replace('::ffff:','').encode())
class S(socketserver.ThreadingTCPServer):
  address_family=10; allow_reuse_address=True
s=S(('::',${port}),H)
if os.fork()==0: s.handle_request(); os._exit(0)
`;
  const rounds = script.replace('s.handle_request()', 's.timeout=20; [s.handle_request() for _ in range(8)]');
  runToEnd(['python3', '-c', rounds], { netns: at(place) });
}

/** Whom a server at that port saw; undefined when no connection came about. */
function caller(from: Parameters<typeof at>[0], address: string, port: number): string | undefined {
  const script = `import socket,sys
try:
  s=socket.create_connection((${JSON.stringify(address)},${port}),1); print(s.recv(99).decode())
except OSError: sys.exit(1)`;
  const { status, stdout } = runToEnd(['python3', '-c', script], { netns: at(from) });
  return status === 0 ? stdout.trim() : undefined;
}

test('guests of a NAT network reach outside behind this node, and nobody outside reaches them', async () => {
  await take({ mode: 'nat' });
  outsideKnowsTheWay();
  serve('outside', 7000);
  expect(caller('guest', OUTSIDE, 7000)).toBe(HOST);
  expect(pings('guest', 'fd09::2')).toBe(true);
  expect(pings('outside', '10.7.0.11')).toBe(false);
  expect(pings('guest', '10.7.0.12')).toBe(true);
  expect(pings('guest', HOST)).toBe(true);
  await take({ mode: 'nat', nat: { ipv6: true, ports: { first: 40_000, last: 40_100 } } });
  serve('outside', 7001);
  expect(caller('guest', 'fd09::2', 7001)).toBe('fd09::1');
  expect(pings('outside', 'fd07::11')).toBe(false);
});

test('the modes routed, open and isolated', async () => {
  await take({ mode: 'routed' });
  outsideKnowsTheWay();
  serve('outside', 7000);
  expect(caller('guest', OUTSIDE, 7000)).toBe('10.7.0.11');
  expect(pings('outside', '10.7.0.11')).toBe(true);
  expect(pings('outside', 'fd07::11')).toBe(true);
  await take({ mode: 'routed', via: ['eth7'] });
  expect(pings('outside', '10.7.0.11')).toBe(false);
  expect(pings('guest', OUTSIDE)).toBe(false);
  await take({ mode: 'open' });
  expect(pings('outside', '10.7.0.11')).toBe(true);
  await take({ mode: 'isolated' });
  expect(pings('outside', '10.7.0.11')).toBe(false);
  expect(pings('guest', OUTSIDE)).toBe(false);
  expect(pings('guest', '10.7.0.12')).toBe(true);
  expect(pings('guest', '10.7.0.1')).toBe(true);
});

test.each(['0', '1'] as const)('port forwards and the rules of a network, with bridge-nf-call at %s', async (value) => {
  const routing: Partial<Routing> = {
    mode: 'nat',
    policy: { in: 'drop', out: 'accept' },
    rules: [
      {
        direction: 'in',
        match: { ports: { first: 123, last: 123 } },
        verdict: 'accept',
        forwardTo: { guest: 'foobar', port: 321 },
      },
      { direction: 'out', match: { ports: { first: 25, last: 25 } }, verdict: 'drop' },
    ],
  };
  await take(routing);
  callRules(value);
  outsideKnowsTheWay();
  for (const port of [321, 322]) serve('guest', port);
  for (const port of [25, 26]) serve('outside', port);
  // There is no guest of this name yet.
  expect(caller('outside', HOST, 123)).toBeUndefined();
  await node.name(new Map([[network({}).id, new Map([['foobar', [parseIpv4('10.7.0.11')]]])]]));
  expect(caller('outside', HOST, 123)).toBe(OUTSIDE);
  expect(caller('host', HOST, 123)).toBe(HOST);
  expect(caller('other', HOST, 123)).toBe('10.7.0.1');
  // A guest that calls itself: a bridge sends no frame back by the port on which it came, where it looks into frames.
  if (value === '0') expect(caller('guest', HOST, 123)).toBe('10.7.0.1');
  expect(caller('outside', '10.7.0.11', 321)).toBeUndefined();
  expect(caller('outside', '10.7.0.11', 322)).toBeUndefined();
  expect(caller('outside', HOST, 124)).toBeUndefined();
  expect(caller('guest', OUTSIDE, 26)).toBe(HOST);
  expect(caller('guest', OUTSIDE, 25)).toBeUndefined();
});

/** What a place hears at a UDP port while another place sends there. */
function heard(port: number, from: Parameters<typeof at>[0], to: Parameters<typeof at>[0], address: string): string {
  const listen = `import socket
s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.bind(('0.0.0.0',${port})); s.settimeout(1)
try: print(s.recv(99).decode())
except OSError: print('nothing')`;
  const send = `import socket,time
s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)
for _ in range(5): s.sendto(b'hello',('${address}',${port})); time.sleep(0.1)`;
  const both = 'python3 -c "$1" & nsenter --net="$2" python3 -c "$3"; wait';
  return runToEnd(['sh', '-c', both, 'sh', listen, at(from), send], { netns: at(to) }).stdout.trim();
}

/** A second network, without guests. */
function second(routing: Partial<Routing>): NetworkAttachment {
  const other: Network = {
    ...networkOfType(NUMBER + 1, { kind: 'bridge' }, undefined, 1500),
    hostAddress: { kind: 'given' },
    subnets: [{ cidr: parseIpv4Cidr('10.8.0.0/24'), hostAddress: parseIpv4('10.8.0.1') }],
    routing: { mode: 'nat', via: [], rules: [], ...routing },
  };
  const hostAddresses = [{ address: parseIpv4('10.8.0.1'), length: 24 }];
  return { network: other, peers: { kind: 'none' }, hostAddresses };
}

test.each([
  '0',
  '1',
] as const)('a port forward takes nothing that is for other networks, for others or for a mesh, with bridge-nf-call at %s', async (value) => {
  const forward = (match: Routing['rules'][number]['match'], port?: number): Routing['rules'][number] => ({
    direction: 'in',
    match,
    verdict: 'accept',
    forwardTo: { address: parseIpv4(OUTSIDE), ...(port !== undefined && { port }) },
  });
  const ports = { first: 123, last: 123 };
  const rules = [
    forward({ protocol: 'tcp', ports, to: parseIpv4Cidr('0.0.0.0/0') }, 321),
    forward({ protocol: 'udp', ports: { first: 4000, last: 5000 } }),
  ];
  others = [second({ rules })];
  await take({ mode: 'nat' });
  callRules(value);
  serve('outside', 321);
  serve('host', 123);
  // The port leads on.
  expect(caller('host', HOST, 123)).toBe(HOST);
  expect(heard(4500, 'outside', 'host', HOST)).toBe('nothing');
  // The guest's own gateway answers itself, and so do this node's addresses on the other bridges and on its loopback.
  expect(caller('guest', '10.7.0.1', 123)).toBe('10.7.0.11');
  expect(caller('host', '10.8.0.1', 123)).toBe('10.8.0.1');
  expect(caller('host', '127.0.0.1', 123)).toBe('127.0.0.1');
  // What goes to others goes there.
  expect(caller('host', OUTSIDE, 123)).toBeUndefined();
  expect(caller('guest', OUTSIDE, 123)).toBeUndefined();
  // What members say to this node is for this node.
  expect(heard(4789, 'outside', 'host', HOST)).toBe('hello');
});

test('a port forward leads in by any device, though a network names the devices that lead out', async () => {
  await take({
    mode: 'nat',
    via: ['eth7'],
    rules: [
      {
        direction: 'in',
        match: { ports: { first: 123, last: 123 } },
        verdict: 'accept',
        forwardTo: { address: parseIpv4('10.7.0.11'), port: 321 },
      },
      { direction: 'in', match: {}, verdict: 'accept' },
    ],
  });
  outsideKnowsTheWay();
  // As on a machine whose administrator made it a router.
  inNetns(hosts.here, () => writeSysctl(['net', 'ipv4', 'conf', 'eth0', 'forwarding'], '1'));
  for (const port of [321, 322]) serve('guest', port);
  expect(caller('outside', HOST, 123)).toBe(OUTSIDE);
  expect(caller('outside', '10.7.0.11', 322)).toBeUndefined();
});

test('a guest does not speak as a member, nor with an address of others', async () => {
  await take({ mode: 'nat' });
  expect(heard(5000, 'guest', 'outside', OUTSIDE)).toBe('hello');
  expect(heard(4789, 'guest', 'outside', OUTSIDE)).toBe('nothing');
  ip(at('guest'), 'address add 10.8.0.1/32 dev eth0');
  expect(runToEnd(['ping', '-n', '-c1', '-W1', '-I', '10.8.0.1', OUTSIDE], { netns: at('guest') }).status).not.toBe(0);
});

test('static routes lead through a guest, and one that the kernel refuses leaves the network as it is', async () => {
  const routes = [
    { cidr: parseIpv4Cidr('10.77.0.0/16'), via: parseIpv4('10.7.0.12'), metric: 7 },
    { cidr: ipv6Subnet(parseIpv6('fd77::'), 48), via: parseIpv6('fd07::12') },
  ];
  await take({ mode: 'isolated' }, { routes });
  expect(inside(hosts.here, 'ip', 'route', 'show', 'dev', 'bra01')).toContain(
    '10.77.0.0/16 via 10.7.0.12 proto 200 metric 7',
  );
  expect(inside(hosts.here, 'ip', '-6', 'route', 'show', 'dev', 'bra01')).toContain('fd77::/48 via fd07::12 proto 200');
  await take({ mode: 'isolated' }, { routes: routes.slice(1) });
  expect(inside(hosts.here, 'ip', 'route', 'show', 'dev', 'bra01')).not.toContain('10.77');
  await take({ mode: 'isolated' });
  expect(inside(hosts.here, 'ip', '-6', 'route', 'show', 'dev', 'bra01')).not.toContain('fd77');
});

test('guests of one node are kept apart, and reach the node', async () => {
  await take({ mode: 'nat' }, { guests: { isolation: true, portGroups: [] } });
  expect(pings('guest', '10.7.0.1')).toBe(true);
  expect(pings('guest', '10.7.0.12')).toBe(false);
  ip(hosts.here, 'link set tap0 type bridge_slave isolated off');
  await node.settled();
  expect(pings('guest', '10.7.0.12')).toBe(false);
  await take(
    { mode: 'nat' },
    { guests: { isolation: true, portGroups: [{ name: 'x', isDefault: true, isolation: false }] } },
  );
  // The guest asks once a second for the other's Ethernet address.
  await vi.waitFor(() => expect(pings('guest', '10.7.0.12')).toBe(true), SET_UP_DEADLINE_MS);
  await take({ mode: 'nat' }, { guests: { portGroups: [{ name: 'x', isDefault: true, isolation: true }] } });
  expect(pings('guest', '10.7.0.12')).toBe(false);
});
