/** On a real kernel: what guests of a routed network do not reach, and what a machine does not forward for the sake of such a network. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { inside, ip } from '../../../../../test/kit/namespaces.ts';
import { HOST, OUTSIDE, RoutedNode, secondNetwork } from '../../../../../test/kit/routed-node.ts';
import { inNetns, type TemporaryNetns, temporaryNetns } from '../../../../kernel/netns.ts';
import { writeSysctl } from '../../../../kernel/sysctl.ts';

const SET_UP_DEADLINE_MS = 30_000;
const BRIDGE_CALLS = ['0', '1'] as const;

let routed: RoutedNode;
/** Another network card of the node leads here: 10.6.0.2 and fd06::2, with the node as router. */
let lan: TemporaryNetns;

beforeEach(async () => {
  routed = await RoutedNode.open();
  lan = temporaryNetns();
  ip(
    routed.at('host'),
    `link add eth1 type veth peer name eth0 netns ${lan.path}`,
    'address add 10.6.0.1/24 dev eth1',
    'address add fd06::1/64 dev eth1 nodad',
    'link set eth1 up',
  );
  ip(
    lan.path,
    'link set lo up',
    'address add 10.6.0.2/24 dev eth0',
    'address add fd06::2/64 dev eth0 nodad',
    'link set eth0 up',
    'route add default via 10.6.0.1',
    'route add default via fd06::1',
  );
  ip(routed.at('outside'), 'route add 10.6.0.0/24 via 10.9.0.1', 'route add fd06::/64 via fd09::1');
}, SET_UP_DEADLINE_MS);

afterEach(async () => {
  await routed[Symbol.asyncDispose]();
  lan.close();
});

function pingsFromLan(address: string): boolean {
  return inside(lan.path, 'sh', '-c', `ping -n -c1 -w2 -i0.4 ${address} >/dev/null 2>&1; echo $?`).trim() === '0';
}

function setting(name: string): string {
  return inside(routed.at('host'), 'sysctl', '-n', name).trim();
}

test.each(
  BRIDGE_CALLS,
)('guests reach the node at the address on their own bridge alone, with bridge-nf-call at %s', async (value) => {
  routed.others = [secondNetwork({})];
  await routed.take({ mode: 'nat' });
  routed.callRules(value);
  routed.serve('host', 7000);
  expect(routed.caller('guest', '10.7.0.1', 7000)).toBe('10.7.0.11');
  expect(routed.pings('guest', 'fd07::1')).toBe(true);
  for (const address of [HOST, '10.8.0.1', '10.6.0.1', 'fd09::1', 'fd06::1'])
    expect(routed.caller('guest', address, 7000), address).toBeUndefined();
  expect(routed.heard(7001, 'guest', 'host', '10.7.0.255')).toBe('hello');
  expect(routed.heard(7001, 'guest', 'host', '10.6.0.255')).toBe('nothing');
  // The node itself reaches guests under any of its addresses.
  expect(routed.pings('host', '10.7.0.11', '-I', HOST)).toBe(true);
  expect(routed.pings('guest', OUTSIDE)).toBe(true);
  await routed.take({ mode: 'routed' });
  expect(routed.caller('guest', HOST, 7000)).toBeUndefined();
  await routed.take({ mode: 'open' });
  expect(routed.caller('guest', HOST, 7000)).toBe('10.7.0.11');
});

test.each([
  'nat',
  'open',
] as const)('guests of the mode %s do not ask host0 for what it gives to machines that boot', async (mode) => {
  const host0 = '10.9.0.254';
  ip(routed.at('outside'), `address add ${host0}/24 dev eth0`);
  await routed.take({ mode });
  routed.outsideKnowsTheWay();
  for (const port of [80, 81]) routed.serve('outside', port);
  expect(routed.caller('guest', host0, 81)).toBeDefined();
  expect(routed.caller('guest', host0, 80)).toBeUndefined();
  expect(routed.caller('host', host0, 80)).toBe(HOST);
  expect(routed.caller('guest', OUTSIDE, 80)).toBeDefined();
  expect(routed.heard(5068, 'guest', 'outside', host0)).toBe('hello');
  for (const port of [67, 69, 4011]) expect(routed.heard(port, 'guest', 'outside', host0), `${port}`).toBe('nothing');
});

test.each(
  BRIDGE_CALLS,
)('a node with a NAT network forwards for the network alone, and not at all after it, with bridge-nf-call at %s', async (value) => {
  expect(pingsFromLan(OUTSIDE)).toBe(false);
  await routed.take({ mode: 'nat' });
  routed.callRules(value);
  expect(routed.pings('guest', OUTSIDE)).toBe(true);
  expect(routed.pings('guest', '10.6.0.2')).toBe(true);
  expect(setting('net.ipv4.conf.eth1.forwarding')).toBe('1');
  expect(setting('net.ipv6.conf.all.forwarding')).toBe('1');
  expect(pingsFromLan(OUTSIDE)).toBe(false);
  expect(pingsFromLan('fd09::2')).toBe(false);
  expect(pingsFromLan('10.6.0.1')).toBe(true);
  await routed.node.take([]);
  for (const name of ['ipv4.conf.eth0', 'ipv4.conf.eth1', 'ipv6.conf.all'])
    expect(setting(`net.${name}.forwarding`), name).toBe('0');
  expect(pingsFromLan(OUTSIDE)).toBe(false);
});

test('the card of a bridge of the administrator forwards between its ports', async () => {
  const host = routed.at('host');
  const [left, right] = routed.guests;
  for (const [at, netns] of [left, right].entries())
    ip(host, `link add port${at} type veth peer name eth1 netns ${netns?.path}`, `link set port${at} up`);
  ip(host, 'link add br0 type bridge', 'link set br0 up', 'address add 10.5.0.1/24 dev br0');
  ip(host, 'link set port0 master br0', 'link set port1 master br0');
  for (const [at, netns] of [left, right].entries())
    ip(netns?.path ?? '', 'link set eth1 up', `address add 10.5.0.${11 + at}/24 dev eth1`);
  await routed.take({ mode: 'nat' });
  routed.callRules('1');
  expect(routed.pings('guest', '10.5.0.12')).toBe(true);
});

test('what the administrator has made a router stays one', async () => {
  inNetns(routed.at('host'), () => {
    for (const device of ['eth0', 'eth1']) writeSysctl(['net', 'ipv4', 'conf', device, 'forwarding'], '1');
    writeSysctl(['net', 'ipv6', 'conf', 'all', 'forwarding'], '1');
  });
  // The agent hears of settings with the next event of their link, or at its next audit.
  ip(routed.at('host'), ...['eth0', 'eth1', 'lo'].map((device) => `link set ${device} alias told`));
  expect(pingsFromLan(OUTSIDE)).toBe(true);
  await routed.take({ mode: 'nat' });
  expect(pingsFromLan(OUTSIDE)).toBe(true);
  expect(pingsFromLan('fd09::2')).toBe(true);
  await routed.node.take([]);
  expect(pingsFromLan(OUTSIDE)).toBe(true);
  expect(pingsFromLan('fd09::2')).toBe(true);
  expect(setting('net.ipv4.conf.eth1.forwarding')).toBe('1');
});
