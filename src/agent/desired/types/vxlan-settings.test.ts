/** On real kernels: the settings of a VXLAN are there, are put right, and change in place where the kernel permits that. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { inside, ip } from '../../../../test/kit/namespaces.ts';
import { networkOfType, vxlanType } from '../../../../test/kit/networks.ts';
import { assignedPair, PlannedPair, UNDERLAY_V4 } from '../../../../test/kit/planned-pair.ts';
import { parseIpv4 } from '../../../model/address/ipv4.ts';
import type { VxlanType } from '../../../model/network/types/vxlan.ts';

const NUMBER = 0xff01;

let pair: PlannedPair;

beforeEach(async () => {
  pair = await PlannedPair.open();
});

afterEach(async () => {
  await pair[Symbol.asyncDispose]();
});

const networkWith = (more: Partial<VxlanType>) => networkOfType(NUMBER, vxlanType(NUMBER, more), { kind: 'assigned' });

function vxlan() {
  const [link] = JSON.parse(inside(pair.hosts.here, 'ip', '-j', '-d', 'link', 'show', 'vxlanff01'));
  const { id, port, ttl, local, learning, link: dev } = { ...link, ...link.linkinfo.info_data };
  return { ifindex: link.ifindex, id, port, ttl, local, learning, dev };
}

test('hop limit and learning are put right, and change in place', async () => {
  await pair.take(assignedPair(networkWith({ hopLimit: 7, learning: false })));
  const before = vxlan();
  expect(before).toMatchObject({ ttl: 7, learning: false });
  ip(pair.hosts.here, 'link set vxlanff01 type vxlan ttl 1 learning');
  await pair.nodes[0]?.settled();
  expect(vxlan()).toEqual(before);
  await pair.guestsReachEachOther();
  await pair.take(assignedPair(networkWith({})));
  expect(vxlan()).toMatchObject({ ifindex: before.ifindex, ttl: 0, learning: true });
});

test('the source of a VXLAN is the one that the network gives, and changes in place', async () => {
  ip(pair.hosts.here, 'address add 10.9.0.11/24 dev eth0');
  const [, there] = UNDERLAY_V4;
  const attachments = assignedPair(networkWith({ local: parseIpv4('10.9.0.11') }), ['10.9.0.11', there]);
  await pair.nodes[0]?.take(attachments(0), ['tap0']);
  await pair.nodes[1]?.take(assignedPair(networkWith({}), ['10.9.0.11', there])(1), ['tap0']);
  const before = vxlan();
  expect(before.local).toBe('10.9.0.11');
  await pair.guestsReachEachOther();
  ip(pair.hosts.here, 'link set vxlanff01 type vxlan local 10.9.0.1');
  await pair.nodes[0]?.settled();
  expect(vxlan()).toEqual(before);
});
