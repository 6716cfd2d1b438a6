/** On a real kernel: what leaves and enters a network that a node routes, with bridged packets in the rules of IP and without. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { runToEnd } from '../../../../../test/kit/command.ts';
import { inside, ip } from '../../../../../test/kit/namespaces.ts';
import { GIVEN, HOST, OUTSIDE, RoutedNode, routedNetwork, secondNetwork } from '../../../../../test/kit/routed-node.ts';
import { inNetns } from '../../../../kernel/netns.ts';
import { writeSysctl } from '../../../../kernel/sysctl.ts';
import { parseIpv4, parseIpv4Cidr } from '../../../../model/address/ipv4.ts';
import { ipv6Subnet, parseIpv6 } from '../../../../model/address/ipv6.ts';
import type { Routing } from '../../../../model/network/routing.ts';

const SET_UP_DEADLINE_MS = 30_000;

let routed: RoutedNode;

beforeEach(async () => {
  routed = await RoutedNode.open();
}, SET_UP_DEADLINE_MS);

afterEach(() => routed[Symbol.asyncDispose]());

test('guests of a NAT network reach outside behind this node, and nobody outside reaches them', async () => {
  await routed.take({ mode: 'nat' });
  routed.outsideKnowsTheWay();
  routed.serve('outside', 7000);
  expect(routed.caller('guest', OUTSIDE, 7000)).toBe(HOST);
  expect(routed.pings('guest', 'fd09::2')).toBe(true);
  expect(routed.pings('outside', '10.7.0.11')).toBe(false);
  expect(routed.pings('guest', '10.7.0.12')).toBe(true);
  await routed.take({ mode: 'nat', nat: { ipv6: true, ports: { first: 40_000, last: 40_100 } } });
  routed.serve('outside', 7001);
  expect(routed.caller('guest', 'fd09::2', 7001)).toBe('fd09::1');
  expect(routed.pings('outside', 'fd07::11')).toBe(false);
});

test('the modes routed, open and isolated', async () => {
  await routed.take({ mode: 'routed' });
  routed.outsideKnowsTheWay();
  routed.serve('outside', 7000);
  expect(routed.caller('guest', OUTSIDE, 7000)).toBe('10.7.0.11');
  expect(routed.pings('outside', '10.7.0.11')).toBe(true);
  expect(routed.pings('outside', 'fd07::11')).toBe(true);
  await routed.take({ mode: 'routed', via: ['eth7'] });
  expect(routed.pings('outside', '10.7.0.11')).toBe(false);
  expect(routed.pings('guest', OUTSIDE)).toBe(false);
  await routed.take({ mode: 'open' });
  expect(routed.pings('outside', '10.7.0.11')).toBe(true);
  await routed.take({ mode: 'isolated' });
  expect(routed.pings('outside', '10.7.0.11')).toBe(false);
  expect(routed.pings('guest', OUTSIDE)).toBe(false);
  expect(routed.pings('guest', '10.7.0.12')).toBe(true);
  expect(routed.pings('guest', '10.7.0.1')).toBe(true);
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
  await routed.take(routing);
  routed.callRules(value);
  routed.outsideKnowsTheWay();
  for (const port of [321, 322]) routed.serve('guest', port);
  for (const port of [25, 26]) routed.serve('outside', port);
  // There is no guest of this name yet.
  expect(routed.caller('outside', HOST, 123)).toBeUndefined();
  await routed.node.name(new Map([[routedNetwork({}).id, new Map([['foobar', [parseIpv4('10.7.0.11')]]])]]));
  expect(routed.caller('outside', HOST, 123)).toBe(OUTSIDE);
  expect(routed.caller('host', HOST, 123)).toBe(HOST);
  expect(routed.caller('other', HOST, 123)).toBe('10.7.0.1');
  // A guest that calls itself: a bridge sends no frame back by the port on which it came, where it looks into frames.
  if (value === '0') expect(routed.caller('guest', HOST, 123)).toBe('10.7.0.1');
  expect(routed.caller('outside', '10.7.0.11', 321)).toBeUndefined();
  expect(routed.caller('outside', '10.7.0.11', 322)).toBeUndefined();
  expect(routed.caller('outside', HOST, 124)).toBeUndefined();
  expect(routed.caller('guest', OUTSIDE, 26)).toBe(HOST);
  expect(routed.caller('guest', OUTSIDE, 25)).toBeUndefined();
});

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
  routed.others = [secondNetwork({ rules })];
  await routed.take({ mode: 'nat' });
  routed.callRules(value);
  routed.serve('outside', 321);
  routed.serve('host', 123);
  // The port leads on.
  expect(routed.caller('host', HOST, 123)).toBe(HOST);
  expect(routed.heard(4500, 'outside', 'host', HOST)).toBe('nothing');
  // The guest's own gateway answers itself, and so do this node's addresses on the other bridges and on its loopback.
  expect(routed.caller('guest', '10.7.0.1', 123)).toBe('10.7.0.11');
  expect(routed.caller('host', '10.8.0.1', 123)).toBe('10.8.0.1');
  expect(routed.caller('host', '127.0.0.1', 123)).toBe('127.0.0.1');
  // What goes to others goes there.
  expect(routed.caller('host', OUTSIDE, 123)).toBeUndefined();
  expect(routed.caller('guest', OUTSIDE, 123)).toBeUndefined();
  // What members say to this node is for this node.
  expect(routed.heard(4789, 'outside', 'host', HOST)).toBe('hello');
});

test('a port forward leads in by any device, though a network names the devices that lead out', async () => {
  await routed.take({
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
  routed.outsideKnowsTheWay();
  // As on a machine whose administrator made it a router.
  inNetns(routed.hosts.here, () => writeSysctl(['net', 'ipv4', 'conf', 'eth0', 'forwarding'], '1'));
  for (const port of [321, 322]) routed.serve('guest', port);
  expect(routed.caller('outside', HOST, 123)).toBe(OUTSIDE);
  expect(routed.caller('outside', '10.7.0.11', 322)).toBeUndefined();
});

test('a guest does not speak as a member, nor with an address of others', async () => {
  await routed.take({ mode: 'nat' });
  expect(routed.heard(5000, 'guest', 'outside', OUTSIDE)).toBe('hello');
  expect(routed.heard(4789, 'guest', 'outside', OUTSIDE)).toBe('nothing');
  ip(routed.at('guest'), 'address add 10.8.0.1/32 dev eth0');
  expect(
    runToEnd(['ping', '-n', '-c1', '-W1', '-I', '10.8.0.1', OUTSIDE], { netns: routed.at('guest') }).status,
  ).not.toBe(0);
});

test('static routes lead through a guest, and one that the kernel refuses leaves the network as it is', async () => {
  const routes = [
    { cidr: parseIpv4Cidr('10.77.0.0/16'), via: parseIpv4('10.7.0.12'), metric: 7 },
    { cidr: ipv6Subnet(parseIpv6('fd77::'), 48), via: parseIpv6('fd07::12') },
  ];
  await routed.take({ mode: 'isolated' }, { routes });
  expect(inside(routed.hosts.here, 'ip', 'route', 'show', 'dev', 'bra01')).toContain(
    '10.77.0.0/16 via 10.7.0.12 proto 200 metric 7',
  );
  expect(inside(routed.hosts.here, 'ip', '-6', 'route', 'show', 'dev', 'bra01')).toContain(
    'fd77::/48 via fd07::12 proto 200',
  );
  await routed.take({ mode: 'isolated' }, { routes: routes.slice(1) });
  expect(inside(routed.hosts.here, 'ip', 'route', 'show', 'dev', 'bra01')).not.toContain('10.77');
  await routed.take({ mode: 'isolated' });
  expect(inside(routed.hosts.here, 'ip', '-6', 'route', 'show', 'dev', 'bra01')).not.toContain('fd77');
});

test('a static route comes as soon as the route of another program has gone', async () => {
  const foreign = 'blackhole 10.77.0.0/16';
  ip(routed.at('host'), `route add ${foreign}`);
  const routes = [{ cidr: parseIpv4Cidr('10.77.0.0/16'), via: parseIpv4('10.7.0.12') }];
  const network = routedNetwork({ mode: 'isolated' }, { routes });
  const attachment = { network, peers: { kind: 'none' }, hostAddresses: GIVEN } as const;
  await expect(routed.node.take([attachment], ['tap0'], new Map(), 2_000)).rejects.toThrow('10.77.0.0/16');
  expect(inside(routed.at('host'), 'ip', 'route', 'show', '10.77.0.0/16')).toContain('blackhole');
  // The node does not try again by itself for ten minutes.
  ip(routed.at('host'), `route delete ${foreign}`);
  await routed.node.settled();
  expect(inside(routed.at('host'), 'ip', 'route', 'show', '10.77.0.0/16')).toContain('via 10.7.0.12');
});

test('guests of one node are kept apart, and reach the node', async () => {
  await routed.take({ mode: 'nat' }, { guests: { isolation: true, portGroups: [] } });
  expect(routed.pings('guest', '10.7.0.1')).toBe(true);
  expect(routed.pings('guest', '10.7.0.12')).toBe(false);
  ip(routed.hosts.here, 'link set tap0 type bridge_slave isolated off');
  await routed.node.settled();
  expect(routed.pings('guest', '10.7.0.12')).toBe(false);
  await routed.take(
    { mode: 'nat' },
    { guests: { isolation: true, portGroups: [{ name: 'x', isDefault: true, isolation: false }] } },
  );
  // The guest asks once a second for the other's Ethernet address.
  await vi.waitFor(() => expect(routed.pings('guest', '10.7.0.12')).toBe(true), SET_UP_DEADLINE_MS);
  await routed.take({ mode: 'nat' }, { guests: { portGroups: [{ name: 'x', isDefault: true, isolation: true }] } });
  expect(routed.pings('guest', '10.7.0.12')).toBe(false);
});
