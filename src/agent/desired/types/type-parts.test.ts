/**
 * On real kernels, for each type of network and each kind of peers: two nodes plan for themselves, guests behind them reach
 * each other, and what goes leaves nothing behind.
 */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { forge } from '../../../../test/kit/forgery.ts';
import { carriesPackets, inside, ip } from '../../../../test/kit/namespaces.ts';
import { networkOfType, vxlanType } from '../../../../test/kit/networks.ts';
import { assignedPair, PlannedPair, UNDERLAY_V4, UNDERLAY_V6 } from '../../../../test/kit/planned-pair.ts';
import { parseIpv4 } from '../../../model/address/ipv4.ts';
import { parseIpv6 } from '../../../model/address/ipv6.ts';
import { parseMac } from '../../../model/address/mac.ts';
import type { Network } from '../../../model/network/network.ts';
import type { AttachmentPeers } from '../../../protocol/documents/node-assignment.ts';
import type { NetworkAttachment } from '../assignment.ts';

const DEADLINE_MS = 30_000;
/** Four namespaces and two kernels take half a second on a quiet machine. */
const SET_UP_DEADLINE_MS = 30_000;
const NUMBER = 0xff01;

let pair: PlannedPair;
let hosts: PlannedPair['hosts'];
let guests: PlannedPair['guests'];
let nodes: PlannedPair['nodes'];

beforeEach(async () => {
  pair = await PlannedPair.open();
  ({ hosts, guests, nodes } = pair);
  // What is not the agent's stays.
  for (const host of [hosts.here, hosts.there]) {
    ip(
      host,
      'link add virbr0 address 06:00:00:00:00:99 type bridge',
      'link add vxlan9 type vxlan id 9 dstport 8472 local 10.9.0.77',
    );
  }
}, SET_UP_DEADLINE_MS);

afterEach(async () => {
  await pair[Symbol.asyncDispose]();
});

/** The names of all links of a host. */
function linksOf(host: string): string[] {
  const links = JSON.parse(inside(host, 'ip', '-j', 'link')) as { ifname: string }[];
  return links.map(({ ifname }) => ifname).sort();
}

const UNTOUCHED = ['eth0', 'lo', 'tap0', 'virbr0', 'vxlan9'];

async function takeNone(): Promise<void> {
  await pair.take(() => [], []);
  for (const host of [hosts.here, hosts.there]) {
    await vi.waitFor(() => expect(linksOf(host)).toEqual(UNTOUCHED), { timeout: DEADLINE_MS, interval: 50 });
    expect(inside(host, 'nft', 'list', 'ruleset')).toBe('');
  }
}

const TOLD: AttachmentPeers = { kind: 'multicast' };

test.each([
  ['assigned over IPv4', assignedPair(networkOfType(NUMBER, vxlanType(NUMBER), { kind: 'assigned' }), UNDERLAY_V4)],
  [
    'assigned over IPv6',
    assignedPair(networkOfType(NUMBER, vxlanType(NUMBER, { underlay: 'ipv6' }), { kind: 'assigned' }), UNDERLAY_V6),
  ],
  [
    'assigned on another UDP port',
    assignedPair(networkOfType(NUMBER, vxlanType(NUMBER, { udpPort: 8472 }), { kind: 'assigned' }), UNDERLAY_V4),
  ],
  ['explicit', () => [{ network: explicit(...UNDERLAY_V4), peers: { kind: 'explicit' } }]],
  ['multicast over IPv6', () => [{ network: multicast('ff05::ff01', 'ipv6'), peers: TOLD }]],
  ['multicast over IPv4', () => [{ network: multicast('239.0.255.1', 'ipv4'), peers: TOLD }]],
] as [
  string,
  (at: number) => NetworkAttachment[],
][])('guests of a network reach each other: %s', async (_, attachments) => {
  await pair.take(attachments);
  await pair.guestsReachEachOther();
  await takeNone();
});

/** @param vteps the addresses of all nodes, as the network lists them */
function explicit(...vteps: readonly string[]): Network {
  const listed = vteps.map((address) => ({ address: parseIpv4(address) }));
  return networkOfType(NUMBER, vxlanType(NUMBER), { kind: 'explicit', vteps: listed });
}

function multicast(group: string, underlay: 'ipv4' | 'ipv6', more = {}): Network {
  const address = underlay === 'ipv6' ? parseIpv6(group) : parseIpv4(group);
  const type = vxlanType(NUMBER, { underlay, dev: 'eth0', hopLimit: 5, ...more });
  return networkOfType(NUMBER, type, { kind: 'multicast', group: address });
}

test('a plan has the lines that an administrator would type', async () => {
  await nodes[0]?.take(
    assignedPair(networkOfType(NUMBER, vxlanType(NUMBER, { underlay: 'ipv6' }), { kind: 'assigned' }), UNDERLAY_V6)(0),
    ['tap0'],
  );
  expect(nodes[0]?.lines.filter((line) => !line.startsWith('nft'))).toMatchInlineSnapshot(`
    [
      "ip link add brff01 address 02:80:cd:d8:69:96 mtu 1400 type bridge fdb_max_learned 12288 no_linklocal_learn 1",
      "ip link add vxlanff01 address 02:0b:5b:d5:20:bd mtu 1400 master brff01 type vxlan id 65281 dstport 4789 local fd09::1 learning df inherit maxaddress 16386",
      "ip link set tap0 master brff01",
      "ip address add fe80::c29a:8065:7f47:c5a2/64 dev brff01 nodad",
      "bridge fdb replace 02:81:72:cd:74:7d dev vxlanff01 dst fd09::2 self permanent extern_learn",
      "bridge fdb replace 02:81:72:cd:74:7d dev vxlanff01 master dynamic extern_learn",
      "bridge fdb append 00:00:00:00:00:00 dev vxlanff01 dst fd09::2 self permanent extern_learn",
      "ip neigh replace fe80::1d22:edbb:4e15:d69c lladdr 02:81:72:cd:74:7d dev brff01 nud permanent extern_learn proto 200",
    ]
  `);
  await nodes[0]?.take([{ network: multicast('ff05::ff01', 'ipv6'), peers: TOLD }], ['tap0']);
  expect(nodes[0]?.lines.filter((line) => line.includes('type vxlan'))).toMatchInlineSnapshot(`
    [
      "ip link add vxlanff01 address 02:0b:5b:d5:20:bd mtu 1400 master brff01 type vxlan id 65281 dstport 4789 group ff05::ff01 local fd09::1 dev eth0 ttl 5 learning df inherit maxaddress 16386",
    ]
  `);
});

test('where the underlay has link-local addresses alone, the kernel takes the group of a wider scope', async () => {
  for (const [at, host] of [hosts.here, hosts.there].entries()) {
    ip(host, 'address flush dev eth0', `address add fe80::${at + 1}/64 dev eth0 nodad`);
  }
  for (const host of [hosts.here, hosts.there]) carriesPackets(host, 'eth0');
  await pair.take(() => [{ network: multicast('ff05::ff01', 'ipv6'), peers: TOLD }]);
  expect(linksOf(hosts.here)).toContain('vxlanff01');
  await pair.guestsReachEachOther();
});

test('a network of one node has a bridge, and no way to other nodes', async () => {
  const network = networkOfType(NUMBER, { kind: 'bridge' });
  ip(hosts.here, `link add tap1 type veth peer name eth1 netns ${guests[1]?.path}`, 'link set tap1 up');
  ip(
    guests[1]?.path ?? '',
    'link set eth0 down',
    'address add 192.168.7.2/24 dev eth1',
    'address add fd07::2/64 dev eth1 nodad',
  );
  ip(guests[1]?.path ?? '', 'link set eth1 up');
  await nodes[0]?.take([{ network, peers: { kind: 'none' } }], ['tap0', 'tap1']);
  await pair.guestsReachEachOther();
  expect(linksOf(hosts.here)).toEqual([...UNTOUCHED, 'brff01', 'tap1'].sort());
  await nodes[0]?.take([]);
  expect(linksOf(hosts.here)).toEqual([...UNTOUCHED, 'tap1'].sort());
});

test('a VXLAN goes with the underlay device that the network names, and comes back with it', async () => {
  const attachments = () => [{ network: multicast('ff05::ff01', 'ipv6'), peers: TOLD }];
  await pair.take(attachments);
  await pair.guestsReachEachOther();
  ip(hosts.here, 'link delete eth0');
  await pair.take(attachments);
  for (const host of [hosts.here, hosts.there]) {
    expect(linksOf(host)).toContain('brff01');
    expect(linksOf(host)).not.toContain('vxlanff01');
  }
  ip(hosts.here, `link add eth0 type veth peer name eth0 netns ${hosts.there}`);
  for (const [at, host] of [hosts.here, hosts.there].entries()) {
    ip(host, `address add fd09::${at + 1}/64 dev eth0 nodad`, 'link set eth0 up');
  }
  for (const host of [hosts.here, hosts.there]) carriesPackets(host, 'eth0');
  await pair.take(attachments);
  await pair.guestsReachEachOther();
});

test('a network that moves to the other underlay family gets another device, and keeps its bridge', async () => {
  const on = (underlay: 'ipv4' | 'ipv6') =>
    assignedPair(
      networkOfType(NUMBER, vxlanType(NUMBER, { underlay }), { kind: 'assigned' }),
      underlay === 'ipv4' ? UNDERLAY_V4 : UNDERLAY_V6,
    );
  await pair.take(on('ipv4'));
  const indexes = () =>
    ['brff01', 'vxlanff01'].map((name) => JSON.parse(inside(hosts.here, 'ip', '-j', 'link', 'show', name))[0].ifindex);
  const [bridge, vxlan] = indexes();
  await pair.take(on('ipv6'));
  await pair.guestsReachEachOther();
  expect(indexes()[0]).toBe(bridge);
  expect(indexes()[1]).not.toBe(vxlan);
});

test('VXLAN packets are taken from the peers alone, and in a multicast network from the subnets of its link', async () => {
  const isTaken = async (from: string, mac: string) => {
    await forge({
      netns: hosts.there,
      vni: NUMBER,
      from: parseIpv4(from),
      to: parseIpv4('10.9.0.1'),
      mac: parseMac(mac),
    });
    return inside(hosts.here, 'bridge', 'fdb', 'show', 'dev', 'vxlanff01').includes(mac);
  };
  await nodes[0]?.take(assignedPair(networkOfType(NUMBER, vxlanType(NUMBER), { kind: 'assigned' }), UNDERLAY_V4)(0));
  expect(await isTaken('10.9.0.2', '06:00:00:00:00:01')).toBe(true);
  expect(await isTaken('10.9.0.77', '06:00:00:00:00:02')).toBe(false);
  await nodes[0]?.take([{ network: multicast('239.0.255.1', 'ipv4'), peers: TOLD }]);
  expect(await isTaken('10.9.0.77', '06:00:00:00:00:03')).toBe(true);
  expect(await isTaken('10.50.0.7', '06:00:00:00:00:04')).toBe(false);
});

test('a port is plugged into a bridge of another program, which stays as it is, also while it is absent', async () => {
  const network = networkOfType(NUMBER, { kind: 'foreign-bridge', name: 'virbr0' });
  const attachments = [{ network, peers: { kind: 'none' } }] as const;
  const masterOf = () => JSON.parse(inside(hosts.here, 'ip', '-j', 'link', 'show', 'tap0'))[0].master;
  const bridge = () => {
    const [{ ifindex, flags, mtu, group, address, ifalias, inet6_addr_gen_mode: mode }] = JSON.parse(
      inside(hosts.here, 'ip', '-j', '-d', 'link', 'show', 'virbr0'),
    );
    return { ifindex, isUp: flags.includes('UP'), mtu, group, address, ifalias, mode };
  };
  const before = bridge();
  await nodes[0]?.take(attachments, ['tap0']);
  expect(masterOf()).toBe('virbr0');
  expect(nodes[0]?.lines).toContain('ip link set tap0 master virbr0');
  expect(bridge()).toEqual(before);

  ip(hosts.here, 'link delete virbr0');
  await nodes[0]?.take(attachments, ['tap0']);
  expect(masterOf()).toBeUndefined();
  ip(hosts.here, 'link add virbr0 type bridge');
  await nodes[0]?.take(attachments, ['tap0']);
  expect(masterOf()).toBe('virbr0');

  await nodes[0]?.take([]);
  expect(linksOf(hosts.here)).toEqual(UNTOUCHED);
});
