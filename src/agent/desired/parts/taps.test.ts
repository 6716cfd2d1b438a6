/** On real kernels: the taps of guests are made with their network, healed, and removed with it; guests of two nodes meet. */
import { closeSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { inside, ip, twoHosts } from '../../../../test/kit/namespaces.ts';
import { board, networkOfType, vxlanType } from '../../../../test/kit/networks.ts';
import { PlannedNode } from '../../../../test/kit/planned-node.ts';
import { UNDERLAY_V4 } from '../../../../test/kit/planned-pair.ts';
import { makeTap, openTap } from '../../../kernel/tap/tap.ts';
import { parseIpv4 } from '../../../model/address/ipv4.ts';
import { parseIpv6 } from '../../../model/address/ipv6.ts';
import { parseMac } from '../../../model/address/mac.ts';
import type { AssignedPeer } from '../../../protocol/documents/node-assignment.ts';
import type { NetworkAttachment, PortGuest } from '../assignment.ts';

const SET_UP_DEADLINE_MS = 30_000;
const NUMBER = 0xff01;
const network = networkOfType(NUMBER, vxlanType(NUMBER), { kind: 'assigned' });
const MACS = [parseMac('02:00:00:00:10:01'), parseMac('02:00:00:00:10:02')] as const;
const ADDRESSES = [
  [parseIpv4('10.7.0.1'), parseIpv6('fd07::1')],
  [parseIpv4('10.7.0.2'), parseIpv6('fd07::2')],
] as const;

let hosts: ReturnType<typeof twoHosts>;
let nodes: readonly PlannedNode[];

beforeEach(async () => {
  hosts = twoHosts();
  nodes = await Promise.all(
    [hosts.here, hosts.there].map((host, at) => PlannedNode.open(host, board(at + 1), UNDERLAY_V4[at] ?? '')),
  );
}, SET_UP_DEADLINE_MS);

afterEach(async () => {
  for (const node of nodes) await node[Symbol.asyncDispose]();
  hosts.close();
});

function guest(at: 0 | 1, more: Partial<PortGuest> = {}): ReadonlyMap<string, PortGuest> {
  const known = { portId: `100${at + 1}`, mac: MACS[at], tap: true, addresses: ADDRESSES[at], trusted: false };
  return new Map([[`v100${at + 1}`, { ...known, ...more }]]);
}

/** The attachment of a node, of which the other one has its guest. */
function beside(other: 0 | 1): NetworkAttachment[] {
  const neighbours = ADDRESSES[other].map((address) => ({ address, mac: MACS[other] }));
  const underlay = parseIpv4(UNDERLAY_V4[other]);
  const peer: AssignedPeer = {
    machine: board(other + 1),
    name: `node${other}`,
    underlay,
    macs: [MACS[other]],
    neighbours,
  };
  return [{ network, peers: { kind: 'assigned', peers: [peer] } }];
}

function links(host: string) {
  const all = JSON.parse(inside(host, 'ip', '-j', '-d', 'link'));
  return new Map<string, ReturnType<typeof JSON.parse>>(all.map((link: { ifname: string }) => [link.ifname, link]));
}

test('the first port makes network and tap in one plan, and the last one that goes leaves nothing', async () => {
  const [node] = nodes;
  await node?.take(beside(1), ['v1001'], guest(0));
  const lines = node?.lines ?? [];
  const at = (start: string) => lines.findIndex((line) => line.startsWith(start));
  expect([at('ip link add brff01'), at('ip link add vxlanff01'), at('ip tuntap add v1001')]).toEqual(
    [at('ip link add brff01'), at('ip link add vxlanff01'), at('ip tuntap add v1001')].toSorted((a, b) => a - b),
  );
  expect(at('ip tuntap add v1001')).toBeGreaterThan(0);
  const tap = links(hosts.here).get('v1001');
  expect(tap).toMatchObject({
    master: 'brff01',
    mtu: network.mtuBytes,
    address: 'fe:00:00:00:10:01',
    inet6_addr_gen_mode: 'none',
    linkinfo: {
      info_kind: 'tun',
      info_data: { type: 'tap', persist: true },
      info_slave_data: { learning: false, locked: true },
    },
  });
  expect(inside(hosts.here, 'sysctl', '-n', 'net.ipv6.conf.v1001.disable_ipv6')).toBe('1\n');
  expect(inside(hosts.here, 'ip', '-j', 'address', 'show', 'v1001')).not.toMatch(/"local"/);
  expect(inside(hosts.here, 'bridge', 'fdb', 'show', 'dev', 'v1001')).toMatch(/02:00:00:00:10:01 .*extern_learn/);
  // The guest of the other node.
  expect(inside(hosts.here, 'bridge', 'fdb', 'show', 'dev', 'vxlanff01')).toMatch(/02:00:00:00:10:02 dst 10.9.0.2/);
  expect(inside(hosts.here, 'ip', 'neighbour', 'show', 'dev', 'brff01')).toMatch(/10.7.0.2 lladdr 02:00:00:00:10:02/);
  expect(links(hosts.here).get('vxlanff01').linkinfo.info_slave_data.neigh_suppress).toBe(true);

  await node?.take([]);
  await expect.poll(() => [...links(hosts.here).keys()].toSorted()).toEqual(['eth0', 'lo']);
});

test('what another program does to a tap is put right', async () => {
  const [node] = nodes;
  await node?.take(beside(1), ['v1001'], guest(0));
  const before = links(hosts.here).get('v1001').ifindex;
  ip(
    hosts.here,
    'link set v1001 type bridge_slave learning on locked off',
    'link set v1001 mtu 1500',
    'link set v1001 down',
    'link set v1001 name other',
  );
  await node?.settled();
  expect(links(hosts.here).get('v1001')).toMatchObject({
    ifindex: before,
    mtu: network.mtuBytes,
    flags: expect.arrayContaining(['UP']),
  });
  expect(links(hosts.here).get('v1001').linkinfo.info_slave_data).toMatchObject({ learning: false, locked: true });
  inside(hosts.here, 'bridge', 'fdb', 'del', MACS[0], 'dev', 'v1001', 'master');
  ip(hosts.here, 'link set v1001 nomaster');
  await node?.settled();
  expect(inside(hosts.here, 'bridge', 'fdb', 'show', 'dev', 'v1001')).toMatch(/02:00:00:00:10:01 .*extern_learn/);
  ip(hosts.here, 'link delete v1001');
  await node?.settled();
  expect(links(hosts.here).get('v1001')).toMatchObject({ master: 'brff01' });
});

test('a tap that an agent has made before it was killed, and not finished, is finished', async () => {
  const [node] = nodes;
  makeTap('v1001', { netns: hosts.here, mac: parseMac('fe:00:00:00:10:01') });
  const before = links(hosts.here).get('v1001').ifindex;
  await node?.take(beside(1), ['v1001'], guest(0));
  const tap = links(hosts.here).get('v1001');
  expect(tap).toMatchObject({ ifindex: before, master: 'brff01', flags: expect.arrayContaining(['UP']) });
  expect(tap.linkinfo.info_slave_data).toMatchObject({ learning: false, locked: true });
});

test('a bridge that is made anew has its taps again, and their holders keep them', async () => {
  const [node] = nodes;
  await node?.take(beside(1), ['v1001'], guest(0));
  const before = links(hosts.here).get('v1001').ifindex;
  const fd = openTap('v1001', { netns: hosts.here });
  try {
    ip(hosts.here, 'link delete brff01');
    await node?.settled();
    expect(links(hosts.here).get('v1001')).toMatchObject({ ifindex: before, master: 'brff01' });
    expect(links(hosts.here).get('v1001').flags).toContain('LOWER_UP');
  } finally {
    closeSync(fd);
  }
});

test('the bridge learns from a router, and takes frames of all its senders', async () => {
  const [node] = nodes;
  await node?.take(beside(1), ['v1001'], guest(0, { trusted: true }));
  expect(links(hosts.here).get('v1001').linkinfo.info_slave_data).toMatchObject({ learning: true, locked: false });
  await node?.take(beside(1), ['v1001'], guest(0));
  expect(links(hosts.here).get('v1001').linkinfo.info_slave_data).toMatchObject({ learning: false, locked: true });
});

test('a guest that moves is here by its tap, and elsewhere when the tap is gone', async () => {
  const [node] = nodes;
  const moving: NetworkAttachment[] = beside(1).map((attachment) => ({
    ...attachment,
    peers: {
      kind: 'assigned',
      peers: [{ machine: board(2), name: 'node1', underlay: parseIpv4(UNDERLAY_V4[1]), macs: [MACS[0]] }],
    },
  }));
  const entries = () => inside(hosts.here, 'bridge', 'fdb', 'show', 'br', 'brff01');
  await node?.take(moving, ['v1001'], guest(0));
  expect(entries()).toMatch(/02:00:00:00:10:01 dev v1001/);
  expect(entries()).not.toMatch(/02:00:00:00:10:01 dev vxlanff01/);
  await node?.take(moving, []);
  expect(entries()).not.toMatch(/v1001/);
  expect(entries()).toMatch(/02:00:00:00:10:01 dev vxlanff01 dst 10.9.0.2/);
});

test('a device of another program that has the name of a tap stays as it is, and the port waits for its end', async () => {
  const [node] = nodes;
  ip(hosts.here, 'link add v1001 type bridge');
  await expect(node?.take(beside(1), ['v1001'], guest(0), 1_000)).rejects.toThrow(/ip tuntap add v1001/);
  expect(links(hosts.here).get('v1001')).toMatchObject({ linkinfo: { info_kind: 'bridge' } });
  expect(links(hosts.here).get('v1001')).not.toHaveProperty('master');
  ip(hosts.here, 'link delete v1001');
  await node?.settled();
  expect(links(hosts.here).get('v1001')).toMatchObject({ master: 'brff01', linkinfo: { info_kind: 'tun' } });
});
