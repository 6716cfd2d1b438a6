/** The prefixes that a real kernel uses outside of the meshes. */
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { inside } from '../../test/kit/namespaces.ts';
import { manage } from '../../test/kit/networks.ts';
import { type TemporaryNetns, temporaryNetns } from './netns.ts';
import { Rtnl } from './rtnl/rtnl.ts';
import { underlayPrefixes } from './underlay-prefixes.ts';

let netns: TemporaryNetns;

beforeEach(() => {
  netns = temporaryNetns();
  onTestFinished(() => netns.close());
  ip('link set lo up');
  for (const link of ['eth0', 'br456', 'br457']) {
    ip(`link add ${link} type bridge`);
    ip(`link set ${link} up`);
  }
  ip('link set br457 alias meshwork:bridge:mesh-457');
});

function ip(line: string): void {
  inside(netns.path, 'ip', ...line.split(' '));
}

/** What is found on the links that are not made by this test's kernel alone. */
async function found(): Promise<string[]> {
  const rtnl = await Rtnl.open({ netns: netns.path });
  onTestFinished(() => rtnl.close());
  const [links, addresses, routes] = await Promise.all([rtnl.links(), rtnl.addresses(), rtnl.routes()]);
  return underlayPrefixes({ links, addresses, routes }, [manage]).map(({ prefix, device }) => `${prefix} ${device}`);
}

test.each([
  ['address add fd42:1::5/64 dev eth0 nodad', ['fd42:1::/64 eth0', 'fd42:1::5/128 eth0']],
  ['address add fd42:1::5/64 dev eth0 nodad noprefixroute', ['fd42:1::5/128 eth0']],
  ['address add fd42:1::5/48 dev eth0 nodad', ['fd42:1::5/128 eth0']],
  ['-6 route add fd42:1:0:0:8000::/80 dev eth0', ['fd42:1:0:0:8000::/80 eth0']],
  ['-6 route add fc00::/7 dev eth0', []],
  ['-6 route add default dev eth0', []],
  ['-6 route add unreachable fd42:1::/64', []],
  ['-6 route add unreachable fd42:1:0:0:8000::/80', ['fd42:1:0:0:8000::/80 lo']],
  ['address add fd42:1::9/128 dev lo', ['fd42:1::9/128 lo']],
  ['address add fd42:1::5/64 dev br456 nodad', []],
  ['address add fd42:1::5/64 dev br457 nodad', []],
])('ip %s', async (line, expected) => {
  ip(line);
  expect(await found()).toEqual(expected);
});
