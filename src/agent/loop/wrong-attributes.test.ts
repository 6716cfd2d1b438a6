/** On a real kernel, each attribute on which a mesh depends is set wrong by hand, and is right again. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { runToEnd } from '../../../test/kit/command.ts';
import { linksAndAddresses } from '../../../test/kit/desired-input.ts';
import { inside, ip } from '../../../test/kit/namespaces.ts';
import { manage, memberNumber } from '../../../test/kit/networks.ts';
import { inNetns, type TemporaryNetns, temporaryNetns } from '../../kernel/netns.ts';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import { systemClock } from '../../model/clock.ts';
import { parseMachineId } from '../../model/machine.ts';
import { memberAddresses } from '../../model/network/member.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import { memberItems } from '../desired/peers/membership.ts';
import { itemMap } from '../items/item.ts';
import { SystemKernel } from '../kernel/system-kernel.ts';
import { Reconciler } from './reconciler.ts';

/** A repair is promised within a second; the machine of the tests may be busy with others. */
const REPAIR_DEADLINE_MS = 25_000;

const machine = parseMachineId('10eff964');
const own = memberAddresses(manage, machine);
const peer = memberNumber(manage, 2);
let reconciler: Reconciler;
let before: unknown;
let netns: TemporaryNetns;
let kernel: SystemKernel;

// One mesh for all: each test leaves it as it was.
beforeAll(async () => {
  netns = temporaryNetns();
  kernel = await SystemKernel.open(() => undefined, { netns: netns.path });
  ip(netns.path, 'link set lo up', 'link add eth0 type veth peer name eth1', 'address add 10.0.0.9/24 dev eth0');
  ip(netns.path, 'link set eth1 up', 'link set eth0 up');
  const items = itemMap([
    ...linksAndAddresses(manage, machine, '10.0.0.9' as Ipv4),
    ...memberItems(manage, peer, false, true),
  ]);
  const journal = new Journal(systemClock, 'agent', 'test');
  reconciler = new Reconciler({
    kernel,
    clock: systemClock,
    journal,
    desire: () => ({ items, mayDelete: () => true, recorded: () => [] }),
    onLastingFailure: () => undefined,
  });
  await reconciler.start();
  await vi.waitFor(async () => expect((await reconciler.drift()).steps).toEqual([]), REPAIR_DEADLINE_MS);
  before = picture();
});

afterAll(async () => {
  await reconciler.close();
  await kernel.close();
  netns.close();
});

/** Values that change by themselves. */
const VOLATILE = /timer|^(?:ifindex|used|root_port|carrier_.*|stats.*|flags|operstate|updated|num_.*)$/;

const SETTINGS = ['accept_ra', 'autoconf', 'accept_redirects', 'disable_ipv6'];

/** A few processes for all: a process costs more than what it shows. */
const SHOW = {
  'ip -d -j': ['br456', 'vxlan456'].flatMap((device) => [`link show dev ${device}`, `address show dev ${device}`]),
  'ip -6 -j': [
    ...['br456', 'vxlan456'].map((device) => `route show table all dev ${device}`),
    'neighbour show dev br456 nud permanent',
  ],
  'bridge -d -j': ['link show dev vxlan456', 'fdb show dev vxlan456'],
};

/** What the iproute2 tools show of the mesh's devices. */
function picture(): unknown {
  const shown = Object.entries(SHOW).flatMap(([tool, lines]) => {
    const argv = [...tool.split(' '), '-force', '-batch', '-'];
    const { stdout, stderr } = runToEnd(argv, { input: lines.join('\n'), netns: netns.path });
    return [...stdout.split('\n').filter(Boolean).map(plain), stderr];
  });
  return [...shown, ...SETTINGS.map(setting)];
}

function setting(file: string): string {
  const path = settingFile(file);
  return inNetns(netns.path, () => (existsSync(path) ? readFileSync(path, 'utf8') : 'none'));
}

function settingFile(file: string): string {
  return `/proc/sys/net/ipv6/conf/br456/${file}`;
}

function plain(json: string): unknown {
  return JSON.parse(json, (key, value: unknown) => {
    if (VOLATILE.test(key)) return undefined;
    return Array.isArray(value) ? value.map(sorted).toSorted() : value;
  });
}

/** A picture costs three processes: it is taken when the reconciler finds nothing more to do. */
async function isRightAgain(): Promise<void> {
  await expect.poll(async () => (await reconciler.drift()).steps, { timeout: REPAIR_DEADLINE_MS }).toEqual([]);
  await expect.poll(picture, { timeout: REPAIR_DEADLINE_MS }).toEqual(before);
}

function sorted(value: unknown): unknown {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

const BRIDGE_PORT = 'link set dev vxlan456 type bridge_slave';

test.each([
  // The link itself.
  'link set br456 down',
  'link set vxlan456 down',
  'link set br456 mtu 1300',
  'link set vxlan456 mtu 1000; link set br456 mtu 1000; link set br456 mtu 1380',
  'link set vxlan456 address 02:00:00:00:00:77',
  'link set br456 address 02:00:00:00:00:77',
  'link set br456 alias mine',
  'link set vxlan456 alias ""; link set vxlan456 group 0',
  'link set br456 group 0; link set br456 alias ""',
  'link set br456 addrgenmode eui64',
  'link set br456 arp off',
  'link set br456 multicast off',
  'link set vxlan456 arp off',
  'link set vxlan456 protodown on',
  'link set vxlan456 mode dormant',
  'link set vxlan456 nomaster',
  'link set vxlan456 down; link set vxlan456 name mine; link set mine up',
  'link del vxlan456',
  'link del br456',
  // The VXLAN.
  'link set vxlan456 type vxlan ttl 1',
  'link set vxlan456 type vxlan tos 1',
  'link set vxlan456 type vxlan ageing 1',
  'link set vxlan456 type vxlan dev eth0',
  'link set vxlan456 type vxlan remote 10.0.0.77',
  'link set vxlan456 type vxlan local 10.0.0.77',
  'link set vxlan456 type vxlan nolearning',
  'link set vxlan456 type vxlan df set',
  // The bridge.
  'link set br456 type bridge stp_state 1',
  'link set br456 type bridge no_linklocal_learn 0',
  // The bridge's port.
  `${BRIDGE_PORT} state 0`,
  `${BRIDGE_PORT} state 4`,
  `${BRIDGE_PORT} learning off`,
  `${BRIDGE_PORT} flood off`,
  `${BRIDGE_PORT} mcast_flood off`,
  `${BRIDGE_PORT} bcast_flood off`,
  `${BRIDGE_PORT} hairpin on`,
  `${BRIDGE_PORT} guard on`,
  `${BRIDGE_PORT} root_block on`,
  `${BRIDGE_PORT} isolated on`,
  `${BRIDGE_PORT} locked on`,
  `${BRIDGE_PORT} neigh_suppress on`,
  `${BRIDGE_PORT} proxy_arp on`,
  `${BRIDGE_PORT} proxy_arp_wifi on`,
  `${BRIDGE_PORT} mcast_router 0`,
  `${BRIDGE_PORT} mcast_to_unicast on`,
  // Addresses.
  `address del ${own.ipv6}/64 dev br456`,
  `address del ${own.linkLocal}/64 dev br456`,
  `address del ${own.ipv6}/64 dev br456; address add ${own.ipv6}/128 dev br456 nodad`,
  `address change ${own.ipv6}/64 dev br456 preferred_lft 0`,
  `address change ${own.ipv6}/64 dev br456 valid_lft 1000 preferred_lft 1000`,
  `address change ${own.ipv6}/64 dev br456 noprefixroute`,
  'address flush dev br456',
  // Routes.
  'route del fd42:2345:1234:9abc::/64 dev br456',
  'route del fe80::/64 dev br456',
  // Neighbours.
  `neighbour del ${peer.ipv6} dev br456`,
  `neighbour replace ${peer.ipv6} lladdr 02:00:00:00:00:77 dev br456 nud permanent`,
  `neighbour replace ${peer.ipv6} lladdr ${peer.mac} dev br456 nud stale`,
  'neighbour flush dev br456 nud permanent',
])('ip %s', async (line) => {
  for (const command of line.split('; ')) ip(netns.path, command);
  await isRightAgain();
});

test.each([
  `del ${peer.mac} dev vxlan456 self`,
  `del ${peer.mac} dev vxlan456 master`,
  `replace ${peer.mac} dev vxlan456 dst 10.0.0.77 self`,
  `replace ${peer.mac} dev vxlan456 dst ${peer.ipv4} port 7777 self`,
  `replace ${peer.mac} dev vxlan456 dst ${peer.ipv4} vni 7777 self`,
  `replace ${peer.mac} dev vxlan456 dst ${peer.ipv4} via eth0 self`,
  `replace ${peer.mac} dev vxlan456 master static`,
  `replace ${peer.mac} dev br456 self`,
  `del 00:00:00:00:00:00 dev vxlan456 dst ${peer.ipv4} self`,
])('bridge fdb %s', async (line) => {
  inside(netns.path, 'bridge', 'fdb', ...line.split(' '));
  await isRightAgain();
});

test.each(SETTINGS)('IPv6 setting %s', async (file) => {
  inNetns(netns.path, () => writeFileSync(settingFile(file), '1'));
  // The kernel announces few settings: the audit finds the others.
  if (file !== 'disable_ipv6') await reconciler.audit();
  await isRightAgain();
});
