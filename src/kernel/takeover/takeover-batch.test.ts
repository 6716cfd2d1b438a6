import { afterEach, beforeEach, expect, test } from 'vitest';
import { inside, ip, twoHosts } from '../../../test/kit/namespaces.ts';
import { Rtnl } from '../rtnl/rtnl.ts';
import { RtnlChannel } from '../rtnl/rtnl-channel.ts';
import { readContents } from './link-contents.ts';
import { TakeoverBatch } from './takeover-batch.ts';

let hosts: ReturnType<typeof twoHosts>;
let channel: RtnlChannel;

beforeEach(() => {
  hosts = twoHosts();
  channel = new RtnlChannel(hosts.here);
});

afterEach(async () => {
  await channel.close();
  hosts.close();
});

const LINES = [
  'address add 10.9.0.7/24 dev eth0 label eth0:7',
  'address add 10.8.0.1/24 dev eth0 metric 50 noprefixroute',
  'address add fd09:8::1/64 dev eth0 valid_lft 4000 preferred_lft 2000 nodad',
  'address add fd09:7::1/64 dev eth0 noprefixroute nodad',
  'address add 10.7.0.1 peer 10.7.0.2/32 dev eth0',
  'route add default via 10.9.0.2 metric 100 proto dhcp src 10.9.0.7',
  'route add default via 10.9.0.2 metric 200',
  'route add 10.20.0.1/32 dev eth0 scope link',
  'route add 10.21.0.0/16 via 10.20.0.1 mtu 1400 advmss 1300',
  'route add 10.22.0.0/16 nexthop via 10.9.0.2 dev eth0 weight 3 nexthop via 10.20.0.1 dev eth0',
  'route add 10.23.0.0/16 via 192.0.2.9 dev eth0 onlink',
  'route add 10.24.0.0/16 dev eth0 table 1077',
  'route add blackhole 10.25.0.0/16',
  'route add fd44::/64 via fe80::2 dev eth0 metric 77',
  'route add default via fe80::2 dev eth0 proto static metric 512 pref high',
  'route add fd45::/64 via fd09::2 dev eth0 table 1078',
  'neighbour add 10.9.0.99 lladdr 02:00:00:00:00:99 dev eth0 nud permanent',
];
const RULES = [
  [
    '-4',
    'rule',
    'add',
    'not',
    'iif',
    'eth0',
    'from',
    '10.9.0.0/24',
    'fwmark',
    '0x5/0xff',
    'lookup',
    '1077',
    'priority',
    '500',
  ],
  ['-6', 'rule', 'add', 'oif', 'eth0', 'lookup', '1078', 'priority', '501'],
  ['-4', 'rule', 'add', 'iif', 'lo', 'lookup', '1077', 'priority', '502'],
];

/** What `ip` says of all that is moved, without the order and the seconds of lifetimes. */
function picture(link: string): string {
  const shows = [
    ['-o', 'address', 'show', 'dev', link],
    ['-4', 'route', 'show', 'table', 'all'],
    ['-6', 'route', 'show', 'table', 'all'],
    ['-4', 'rule'],
    ['-6', 'rule'],
    ['neighbour', 'show', 'nud', 'permanent', 'dev', link],
  ];
  return shows
    .flatMap((words) => inside(hosts.here, 'ip', ...words).split('\n'))
    .map((line) => line.replace(/^\d+: (?=\S+ +inet)/, '').replaceAll(/(\d)\d+sec/g, '$1…'))
    .filter((line) => !/dev lo|^(?:local|anycast|broadcast|multicast)|ff00::/.test(line))
    .map((line) => line.replaceAll(/\s+/g, ' ').trim())
    .toSorted()
    .join('\n');
}

async function moved(from: string, to: string): Promise<readonly unknown[]> {
  const rtnl = await Rtnl.open({ netns: hosts.here });
  const links = await rtnl.links();
  await rtnl.close();
  const end = (name: string) => ({
    name,
    nameAfter: name,
    index: links.find((link) => link.name === name)?.index ?? 0,
  });
  const contents = await readContents(channel, new Set([end(from).index]), new Set([from]));
  const batch = new TakeoverBatch();
  batch.move(contents, end(from), end(to));
  return await batch.sendBy(channel);
}

test('all that a link has goes to another one and back, and no attribute is lost', async () => {
  ip(hosts.here, ...LINES);
  for (const rule of RULES) inside(hosts.here, 'ip', ...rule);
  ip(
    hosts.here,
    'link add br0 type bridge',
    'link set br0 addrgenmode none',
    'link set br0 up',
    'link set eth0 master br0',
  );
  const before = picture('eth0');
  expect(await moved('eth0', 'br0')).toEqual([]);
  expect(picture('br0')).toBe(before.replaceAll('eth0', 'br0').split('\n').toSorted().join('\n'));
  expect(inside(hosts.here, 'ip', '-o', 'address', 'show', 'dev', 'eth0')).toBe('');
  expect(await moved('br0', 'eth0')).toEqual([]);
  expect(picture('eth0')).toBe(before);
});

test('a route of an advertisement stands beside the one that the kernel makes of the next, and ends in its time', async () => {
  inside(
    hosts.here,
    'ip',
    '-6',
    'route',
    'add',
    'default',
    'via',
    'fe80::2',
    'dev',
    'eth0',
    'proto',
    'ra',
    'expires',
    '600',
  );
  ip(
    hosts.here,
    'link add br0 type bridge',
    'link set br0 addrgenmode none',
    'link set br0 up',
    'link set eth0 master br0',
  );
  expect(await moved('eth0', 'br0')).toEqual([]);
  const routes = inside(hosts.here, 'ip', '-6', 'route', 'show', 'default');
  expect(routes).toMatch(/^default via fe80::2 dev br0 proto ra metric 1025 expires (?:59\d|600)sec pref medium\s*$/);
  expect(await moved('br0', 'eth0')).toEqual([]);
  expect(inside(hosts.here, 'ip', '-6', 'route', 'show', 'default')).toContain('dev eth0 proto ra metric 1025');
});

test('an address that waits for others to object waits again, and is not used at once', async () => {
  ip(hosts.here, 'address add fd09:5::1/64 dev eth0 tentative', 'link add br0 type bridge', 'link set br0 up');
  await moved('eth0', 'br0');
  expect(inside(hosts.here, 'ip', '-o', 'address', 'show', 'dev', 'br0')).not.toMatch(/fd09:5::1\S+ .*nodad/);
});

test('what the kernel refuses is told', async () => {
  const batch = new TakeoverBatch();
  batch.change({ index: 4711, up: true });
  expect(await batch.sendBy(channel)).toMatchObject([{ code: 'MESH_KERNEL_REFUSED' }]);
});
