/**
 * On real kernels: the VXLAN of a network with multicast peers is the one of the seed's line (`ip -6 link add vxlanff01 type vxlan id 65281
 * dstport 4789 group ff05::ff01 dev DEVICE ttl 5`), and a host on which an administrator has typed that line is one of its peers.
 */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { inside, ip } from '../../../../test/kit/namespaces.ts';
import { networkOfType, vxlanType } from '../../../../test/kit/networks.ts';
import { PlannedPair } from '../../../../test/kit/planned-pair.ts';
import { parseIpv6 } from '../../../model/address/ipv6.ts';

/** Four namespaces and two kernels take half a second on a quiet machine. */
const SET_UP_DEADLINE_MS = 30_000;
const DEADLINE_MS = 10_000;
const NUMBER = 0xff01;
const LINE = 'link add vxlanff01 type vxlan id 65281 dstport 4789 group ff05::ff01 dev eth0 ttl 5';
const NETWORK = networkOfType(NUMBER, vxlanType(NUMBER, { underlay: 'ipv6', dev: 'eth0', hopLimit: 5 }), {
  kind: 'multicast',
  group: parseIpv6('ff05::ff01'),
});

let pair: PlannedPair;

beforeEach(async () => {
  pair = await PlannedPair.open();
  await pair.nodes[0]?.take([{ network: NETWORK, peers: { kind: 'multicast' } }], ['tap0']);
}, SET_UP_DEADLINE_MS);

afterEach(async () => {
  await pair[Symbol.asyncDispose]();
});

/** What `ip -d -j` says of the device that is peculiar to a VXLAN. */
function vxlanOn(host: string): Record<string, unknown> {
  const [link] = JSON.parse(inside(host, 'ip', '-d', '-j', 'link', 'show', 'vxlanff01'));
  return { kind: link.linkinfo.info_kind, ...link.linkinfo.info_data };
}

test('`ip -d -j` of our device differs from that of the seed in what we set beyond the line, and in nothing else', () => {
  const { here, there } = pair.hosts;
  ip(there, LINE);
  const [ours, theirs] = [vxlanOn(here), vxlanOn(there)];
  const names = new Set([...Object.keys(ours), ...Object.keys(theirs)]);
  const different = [...names].filter((name) => JSON.stringify(ours[name]) !== JSON.stringify(theirs[name]));
  // The source is one that the peers can answer, fragments are told of, and a flood of made-up addresses is bounded.
  expect(different.toSorted()).toEqual(['df', 'limit', 'local6']);
  expect(theirs).toMatchObject({ kind: 'vxlan', link: 'eth0', id: NUMBER, group6: 'ff05::ff01', port: 4789, ttl: 5 });
});

test('a host on which the line was typed by hand exchanges frames with ours, both ways', async () => {
  const { here, there } = pair.hosts;
  ip(there, LINE, 'address add 2a0a:e5c0:5::2/48 dev vxlanff01 nodad', 'link set vxlanff01 up');
  ip(here, 'address add 2a0a:e5c0:5::1/48 dev brff01 nodad');
  const reaches = (from: string, to: string) =>
    vi.waitFor(() => inside(from, 'ping', '-c1', '-W1', to), { timeout: DEADLINE_MS, interval: 50 });
  await reaches(there, '2a0a:e5c0:5::1');
  await reaches(here, '2a0a:e5c0:5::2');
  // A guest behind our bridge is reached, too.
  ip(there, 'address add fd07::99/64 dev vxlanff01 nodad');
  await reaches(there, 'fd07::1');
});
