/** On real kernels: a node reaches VTEPs that listen at other UDP ports than its own, which know nothing of Meshwork. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { inside, ip, twoHosts } from '../../../../test/kit/namespaces.ts';
import { board, networkOfType, vxlanType } from '../../../../test/kit/networks.ts';
import { PlannedNode } from '../../../../test/kit/planned-node.ts';
import { type TemporaryNetns, temporaryNetns } from '../../../kernel/netns.ts';
import { parseIpv4 } from '../../../model/address/ipv4.ts';
import { parseIpv6 } from '../../../model/address/ipv6.ts';
import type { Network } from '../../../model/network/network.ts';
import { NetworkShape } from '../../../model/network/network-shape.ts';
import type { UnderlayFamily } from '../../../model/network/types/vxlan.ts';

const DEADLINE_MS = 30_000;
const NUMBER = 0xff01;
const PORT = 8472;

let hosts: ReturnType<typeof twoHosts>;
let guest: TemporaryNetns;
let node: PlannedNode;

beforeEach(async () => {
  hosts = twoHosts();
  guest = temporaryNetns();
  ip(hosts.here, `link add tap0 type veth peer name eth0 netns ${guest.path}`, 'link set tap0 up');
  ip(guest.path, 'link set eth0 mtu 1400', 'address add 192.168.7.1/24 dev eth0', 'link set eth0 up');
  node = await PlannedNode.open(hosts.here, board(1), '10.9.0.1');
});

afterEach(async () => {
  await node[Symbol.asyncDispose]();
  guest.close();
  hosts.close();
});

/** @param vteps addresses, each with a port or none */
function explicit(underlay: UnderlayFamily, vteps: readonly (readonly [address: string, port?: number])[]): Network {
  const parse = (text: string) => (text.includes(':') ? parseIpv6(text) : parseIpv4(text));
  const listed = vteps.map(([address, port]) => ({ address: parse(address), ...(port !== undefined && { port }) }));
  const type = vxlanType(NUMBER, { underlay, learning: false });
  return networkOfType(NUMBER, type, { kind: 'explicit', vteps: listed });
}

/** A VXLAN on the other host, as an administrator makes it, with an address of its own. */
function foreignVtep(name: string, port: number, local: string, remote: string, address: string): void {
  ip(
    hosts.there,
    `link add ${name} type vxlan id ${NUMBER} dstport ${port} local ${local} nolearning`,
    `address add ${address}/24 dev ${name}`,
    `link set ${name} mtu 1400 up`,
  );
  inside(hosts.there, 'bridge', 'fdb', 'append', '00:00:00:00:00:00', 'dev', name, 'dst', remote, 'port', '4789');
}

async function guestReaches(address: string): Promise<void> {
  await vi.waitFor(() => inside(guest.path, 'ping', '-c1', '-W1', address), { timeout: DEADLINE_MS, interval: 50 });
}

const floods = () =>
  inside(hosts.here, 'bridge', 'fdb', 'show', 'dev', 'vxlanff01')
    .split('\n')
    .filter((line) => line.startsWith('00:00:00:00:00:00'))
    .map((line) => line.trim());

test.each([
  ['ipv4', '10.9.0.1', '10.9.0.2'],
  ['ipv6', 'fd09::1', 'fd09::2'],
] as const)('VTEPs at other UDP ports are reached, over %s', async (underlay, here, there) => {
  foreignVtep('switch0', PORT, there, here, '192.168.7.2');
  const network = explicit(underlay, [[here], [there, PORT]]);
  await node.take([{ network, peers: { kind: 'explicit' } }], ['tap0']);
  await guestReaches('192.168.7.2');
  expect(node.lines).toContain(
    `bridge fdb append 00:00:00:00:00:00 dev vxlanff01 dst ${there} port ${PORT} self permanent extern_learn`,
  );
});

test('a VTEP that moves to another port is followed in place, and one at two ports has two entries', async () => {
  foreignVtep('switch0', PORT, '10.9.0.2', '10.9.0.1', '192.168.7.2');
  foreignVtep('switch1', PORT + 1, '10.9.0.2', '10.9.0.1', '192.168.7.3');
  const indexOf = () => JSON.parse(inside(hosts.here, 'ip', '-j', 'link', 'show', 'vxlanff01'))[0].ifindex;
  const take = (...vteps: (readonly [string, number?])[]) =>
    node.take([{ network: explicit('ipv4', vteps), peers: { kind: 'explicit' } }], ['tap0']);
  await take(['10.9.0.2', PORT]);
  await guestReaches('192.168.7.2');
  const index = indexOf();
  await take(['10.9.0.2', PORT + 1]);
  await guestReaches('192.168.7.3');
  expect(floods()).toEqual([`00:00:00:00:00:00 dst 10.9.0.2 port ${PORT + 1} self extern_learn permanent`]);
  await take(['10.9.0.2', PORT], ['10.9.0.2', PORT + 1], ['10.9.0.2']);
  expect(floods()).toHaveLength(3);
  expect(indexOf()).toBe(index);

  // Another program removes an entry: it comes back.
  inside(
    hosts.here,
    'bridge',
    'fdb',
    'del',
    '00:00:00:00:00:00',
    'dev',
    'vxlanff01',
    'dst',
    '10.9.0.2',
    'port',
    `${PORT}`,
  );
  await take(['10.9.0.2', PORT]);
  expect(floods()).toEqual([`00:00:00:00:00:00 dst 10.9.0.2 port ${PORT} self extern_learn permanent`]);
});

test('a document lists each VTEP once, and a VXLAN that learns has no VTEP at another port', () => {
  const read = (network: Network) => () => NetworkShape.read(network, true);
  expect(read(explicit('ipv4', [['10.9.0.2'], ['10.9.0.2', PORT]]))).not.toThrow();
  expect(read(explicit('ipv4', [['10.9.0.2'], ['10.9.0.2', 4789]]))).toThrow();
  const odd = explicit('ipv4', [['10.9.0.2', PORT]]);
  expect(read({ ...odd, type: vxlanType(NUMBER) })).toThrow();
});
