/** Changes that another program makes in a host's kernel are repaired within about a second. */
import { beforeAll, describe, expect, test } from 'vitest';
import { netnsPath } from '../../../src/kernel/netns.ts';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import { LONG } from '../../kit/long.ts';
import { noDrift } from '../drift.ts';
import { forAllTests } from '../for-all-tests.ts';
import { Guest } from '../guest.ts';
import { becomesAgain, kernelPicture } from '../kernel-picture.ts';
import { Pings } from '../pings.ts';
import { allReachable } from '../reach.ts';

const shared = forAllTests();
let lab: Lab;
const guests = new Map<string, Guest>();

beforeAll(async () => {
  lab = shared.use(await Lab.up({ name: `outsiders-${process.pid}`, nodes: 2, segments: 2 }));
  for (const [index, host] of [lab.host('host0'), lab.host('node1')].entries()) {
    const put = shared.use(Guest.behind(host, 'put0', `fd42:2345:1234:9abc:9::${index}1`));
    const plugged = shared.use(Guest.behind(host, 'plugged0', `fd42:2345:1234:9abc:9::${index}2`));
    guests.set(`${host.name} put`, put).set(`${host.name} plugged`, plugged);
    await run(host, 'ip link set put0 master br456');
    await run(host, 'mesh port plug manage plugged0');
  }
});

function guestOf(host: string, how: string): Guest {
  const guest = guests.get(`${host} ${how}`);
  if (guest === undefined) throw new TypeError(`no guest ${how} on ${host}`);
  return guest;
}

async function run(host: LabHost, script: string): Promise<void> {
  const { code, stderr } = await lab.exec(host, ['sh', '-c', `set -e; ${script}`]);
  // The agent repairs while `ip neighbour flush` dumps the table.
  const said = stderr.replace('Dump was interrupted and may be inconsistent.\n', '');
  expect([code, said]).toEqual([0, '']);
}

/** Fills in the variables of the scripts below: they harm the entries of node2. */
function inWords(script: string): string {
  const { mac, ipv4, ipv6 } = lab.host('node2').member;
  return script.replaceAll('$MAC', mac).replaceAll('$IPV4', ipv4).replaceAll('$IPV6', ipv6);
}

const HARMS: [what: string, script: string][] = [
  ['vxlan456 deleted', 'ip link delete vxlan456'],
  ['br456 deleted', 'ip link delete br456'],
  ['both deleted', 'ip link delete vxlan456; ip link delete br456'],
  ['the MTU of vxlan456 changed', 'ip link set vxlan456 mtu 1300'],
  ['the MTU of br456 changed', 'ip link set br456 mtu 1300'],
  ['the address of br456 changed', 'ip link set br456 address 02:00:00:00:00:99'],
  ['br456 set down', 'ip link set br456 down'],
  ['vxlan456 set down', 'ip link set vxlan456 down'],
  ['vxlan456 taken off br456', 'ip link set vxlan456 nomaster'],
  ['an IPv6 address removed', 'ip -6 address flush dev br456'],
  ['a self entry removed', 'bridge fdb delete $MAC dev vxlan456 self'],
  ['a master entry removed', 'bridge fdb delete $MAC dev vxlan456 master'],
  ['a flood entry removed', 'bridge fdb delete 00:00:00:00:00:00 dev vxlan456 dst $IPV4 self'],
  ['a self entry with a wrong remote VTEP', 'bridge fdb replace $MAC dev vxlan456 dst 192.0.2.1 self'],
  ['a master entry on a wrong port', 'bridge fdb replace $MAC dev put0 master static'],
  ['a master entry made permanent', 'bridge fdb replace $MAC dev vxlan456 master permanent'],
  ['all entries flushed', 'bridge fdb flush dev vxlan456 self; bridge fdb flush dev vxlan456 master'],
  ['the neighbour entries flushed', 'ip neighbour flush dev br456 nud permanent; ip -6 neighbour flush dev br456'],
  ['a neighbour entry with a wrong MAC', 'ip neighbour replace $IPV6 lladdr 02:00:00:00:00:99 dev br456 nud permanent'],
  ['a neighbour entry deleted', 'ip neighbour delete $IPV6 dev br456'],
  ['the nft tables flushed', 'nft flush ruleset'],
  ['a chain of the agent flushed', 'nft flush chain inet meshwork isolation'],
  ['br456 renamed', 'ip link set br456 down; ip link set br456 name mine0 up'],
  ['vxlan456 renamed while it is up', 'ip link set vxlan456 name mine0'],
  ['the alias of vxlan456 removed', "ip link set vxlan456 alias ''"],
  ['the alias of br456 removed', "ip link set br456 alias ''"],
  ['the group of br456 changed', 'ip link set br456 group 7'],
  ['the address mode of br456 changed', 'ip link set br456 addrgenmode eui64'],
  ['all at once', 'nft flush ruleset; ip link set br456 name mine0; ip link delete vxlan456; ip neighbour flush all'],
];

/** On host0 the same code repairs: `npm test` has one harm there for each kind of object. */
const ON_HOST0 =
  /^(?:both deleted|br456 set down|an IPv6 address|all entries|the neighbour|the nft|vxlan456 renamed|all at)/;

/** Of each of these `npm test` sets one wrong here, and all on a kernel without agents (agent/loop/wrong-attributes.test.ts). */
const ATTRIBUTE = /^the (?:MTU of vx|address of|alias of|group of|address mode of)/;
const isShort = (host: string, what: string) => (host === 'host0' ? ON_HOST0.test(what) : !ATTRIBUTE.test(what));

describe.each(['node1', 'host0'])('on %s', (name) => {
  /** Taken before the first harm: after one, a node may still be clearing its neighbour entry for host0 to bootstrap again. */
  let before: string;

  beforeAll(async () => {
    before = await kernelPicture(lab, lab.host(name));
  });

  test.each(HARMS.filter(([what]) => LONG || isShort(name, what)))('%s', async (_, script) => {
    const host = lab.host(name);
    await run(host, inWords(script));
    await becomesAgain(lab, host, before);
    await noDrift(lab.hosts);
  });

  test('afterwards every pair, the member list and the guests answer', async () => {
    const host = lab.host(name);
    expect(await lab.memberList(lab.host('node2'))).toContain(host.member.ipv6);
    await lab.ready();
    for (const how of ['put', 'plugged']) {
      await allReachable(netnsPath(lab.host('node2').netns), [guestOf(name, how).address]);
    }
  });

  test('neighbour entries survive a port with a lower MAC on br456', async () => {
    const host = lab.host(name);
    using pings = await Pings.start(netnsPath(host.netns), lab.host('node2').member.ipv6);
    using low = Guest.behind(host, 'low0', 'fd42:2345:1234:9abc:9::9', '02:00:00:00:00:01');
    const before = await kernelPicture(lab, host);
    await run(host, 'ip link set low0 master br456');
    await allReachable(low.netns, [lab.host('node2').member.ipv6]);
    await run(host, 'ip link set low0 nomaster');
    expect(await kernelPicture(lab, host)).toBe(before);
    expect(await pings.lost()).toBe('');
    await run(host, 'ip link delete low0');
    await noDrift(lab.hosts);
  });

  test('a guest that sends with the MAC of a member does not get its frames', async () => {
    const host = lab.host(name);
    const { mac, ipv6 } = lab.host('node2').member;
    const before = await kernelPicture(lab, host);
    const guest = guestOf(name, 'put');
    const own = guest.run('cat', '/sys/class/net/eth0/address').trim();
    guest.run('ip', 'link', 'set', 'eth0', 'address', mac);
    guest.run('sh', '-c', 'ping -6 -c 1 -W 0.1 fd42:2345:1234:9abc:9::99 || true');
    guest.run('ip', 'link', 'set', 'eth0', 'address', own);
    await becomesAgain(lab, host, before);
    await noDrift(lab.hosts);
    await allReachable(netnsPath(host.netns), [ipv6]);
  });

  test('a foreign flood entry stays, and so do those of the agent', async () => {
    const host = lab.host(name);
    const theirs = '00:00:00:00:00:00 dev vxlan456 dst 192.0.2.1 self';
    await run(host, `bridge fdb append ${theirs}`);
    await noDrift(lab.hosts);
    const { stdout } = await lab.exec(host, ['bridge', 'fdb', 'show', 'dev', 'vxlan456']);
    expect(stdout).toContain('00:00:00:00:00:00 dst 192.0.2.1 self');
    expect(stdout).toContain(`00:00:00:00:00:00 dst ${lab.host('node2').member.ipv4} self`);
    await run(host, `bridge fdb delete ${theirs}`);
    await noDrift(lab.hosts);
  });
});
