/** Spaces of services in a real kernel: made, put right, and removed without a rest. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest';
import { kernelOfEachTest } from '../../../test/kit/kernel-of-each-test.ts';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { inside, ip } from '../../../test/kit/namespaces.ts';
import { isNamedNetns, removeNamedNetns } from '../../kernel/named-netns.ts';
import { inNetns } from '../../kernel/netns.ts';
import type { Ipv4, Ipv4Cidr } from '../../model/address/ipv4.ts';
import { type Ipv6Cidr, parseIpv6 } from '../../model/address/ipv6.ts';
import { parseMac } from '../../model/address/mac.ts';
import type { NetworkId } from '../../model/network/number.ts';
import { itemMap } from '../items/item.ts';
import { OUR_LINK_GROUP } from '../items/mark.ts';
import { processItem } from '../items/process.ts';
import type { OuterPlace } from '../items/space/outer-place.ts';
import type { ServiceSpace } from '../items/space/service-space.ts';
import { spaceItem } from '../items/space/space-item.ts';
import { ServiceSpaces } from './service-spaces.ts';

const present = kernelOfEachTest();
let directory: string;
let run: string;
let clock: ManualClock;
let spaces: ServiceSpaces;
let space: ServiceSpace;

beforeEach(() => {
  directory = join(mkdtempSync(join(tmpdir(), 'mw-spaces-')), 'netns');
  clock = new ManualClock();
  const { path } = present().netns;
  run = join(directory, '../run');
  spaces = new ServiceSpaces({ directory, run, leases: join(directory, '../leases'), clock, home: path });
  ip(path, 'link add brff01 type bridge', 'link set brff01 up');
  space = {
    network: 'net-ff01' as NetworkId,
    name: 'meshwork-ff01',
    path: join(directory, 'meshwork-ff01'),
    port: 'sff01',
    bridge: 'brff01',
    mac: parseMac('02:11:22:33:44:55'),
    mtuBytes: 1_430,
    addresses: [{ address: parseIpv6('fe80::ff01'), length: 64 }],
  };
});

afterEach(async () => {
  await spaces.close();
  if (existsSync(directory)) for (const name of readdirSync(directory)) removeNamedNetns(join(directory, name));
  rmSync(join(directory, '..'), { recursive: true });
});

const home = () => present().netns.path;
const within = (...words: readonly string[]) => inside(space.path, ...words);

/** How the space differs from what is wanted; undefined where it is not there. */
async function flaws(): Promise<readonly string[] | undefined> {
  const [item] = await spaces.observe(itemMap([spaceItem(space)]));
  return item?.kind === 'space' ? item.flaws : undefined;
}

test('a space is a namespace that routes, with one link to the bridge', async () => {
  expect(await flaws()).toBeUndefined();
  await spaces.make(space);
  expect(await flaws()).toEqual([]);
  const [link] = JSON.parse(within('ip', '-j', '-d', 'address', 'show', 'eth0'));
  expect(link).toMatchObject({ address: space.mac, mtu: 1_430, operstate: 'UP', linkinfo: { info_kind: 'veth' } });
  expect(link.addr_info).toMatchObject([{ local: 'fe80::ff01', prefixlen: 64 }]);
  const [port] = JSON.parse(inside(home(), 'ip', '-j', 'link', 'show', 'sff01'));
  expect(port).toMatchObject({ master: 'brff01', mtu: 1_430, ifalias: 'meshwork:service:net-ff01' });
  expect(inside(home(), 'ip', '-o', 'address', 'show', 'sff01')).toBe('');
  expect(within('sysctl', '-n', 'net.ipv6.conf.all.forwarding', 'net.ipv4.ip_forward')).toBe('1\n1\n');
  // Made again, all stays as it is.
  await spaces.make(space);
  expect(JSON.parse(within('ip', '-j', 'link', 'show', 'eth0'))[0].ifindex).toBe(link.ifindex);
});

test('the link outside bears our mark from its first moment: a process that is killed while it makes a space leaves none that is foreign', async () => {
  const monitor = spawn('nsenter', [`--net=${home()}`, 'ip', '-o', 'monitor', 'link'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void monitor.kill());
  let heard = '';
  monitor.stdout.on('data', (bytes: Buffer) => (heard += bytes.toString()));
  const hears = async (link: string) => {
    for (let look = 0; look < 200 && !heard.includes(` ${link}`); look++) {
      ip(home(), `link add ${link} type bridge`, `link delete ${link}`);
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    expect(heard).toContain(` ${link}`);
  };
  await hears('begin');
  await spaces.make(space);
  await hears('end');
  // The messages about a port of the bridge name no group.
  const lines = heard.split('\n').filter((line) => / sff01@.* group /.test(line));
  expect(lines).not.toEqual([]);
  expect(lines.filter((line) => !line.includes(`group ${OUR_LINK_GROUP} `))).toEqual([]);
});

test('what others change is seen and put right', async () => {
  await spaces.make(space);
  const damages = [
    () => ip(home(), 'link set sff01 nomaster'),
    () => ip(home(), 'link set sff01 down'),
    () => ip(home(), 'link delete sff01'),
    () => ip(home(), 'link delete brff01', 'link add brff01 type bridge', 'link set brff01 up'),
    () => within('ip', 'address', 'add', 'fd00::1/64', 'dev', 'eth0'),
    () => within('ip', 'link', 'set', 'eth0', 'address', '02:00:00:00:00:01'),
    () => within('sysctl', '-qw', 'net.ipv6.conf.all.forwarding=0'),
  ];
  for (const damage of damages) {
    damage();
    // What is inside is looked at again after a while.
    await clock.pass(31_000);
    expect(await flaws(), String(damage)).not.toEqual([]);
    await spaces.make(space);
    expect(await flaws(), String(damage)).toEqual([]);
  }
});

test('a namespace that has lost its name is made again, with a link of its own', async () => {
  await spaces.make(space);
  removeNamedNetns(space.path);
  expect(await flaws()).toBeUndefined();
  await spaces.make(space);
  expect(await flaws()).toEqual([]);
});

test('a space whose way out cannot be made is there all the same, tells why, and gets the way out later', async () => {
  const outer: OuterPlace = {
    device: 'eth7',
    mac: parseMac('02:6d:00:00:00:01'),
    addresses: [{ address: '198.51.100.10' as Ipv4, length: 24 }],
    gateways: [],
    blocks: [],
    vxlanPorts: [],
    sources: [],
    routed: [],
    translation: {
      prefix: 'fd64:64::/96' as Ipv6Cidr,
      ipv4: '192.0.0.2' as Ipv4,
      ipv6: parseIpv6('fd64::6464'),
      pool: '100.126.0.0/16' as Ipv4Cidr,
      maps: [],
      shared: '198.51.100.10' as Ipv4,
    },
  };
  space = { ...space, outer };
  await spaces.make(space);
  expect(spaces.outerFaultOf(space.name)).toMatchObject({ code: 'MESH_UNDERLAY_DEVICE', object: 'eth7' });
  // A server in the space, such as radvd, does not wait.
  expect(await flaws()).toEqual([]);
  ip(home(), 'link add eth7 type veth peer name eth8', 'link set eth7 up', 'link set eth8 up');
  await clock.pass(31_000);
  expect(await flaws()).not.toEqual([]);
  await spaces.make(space);
  expect(spaces.outerFaultOf(space.name)).toBeUndefined();
  expect(await flaws()).toEqual([]);
  // A gateway that is not in the subnet: the rules for the rest are there.
  space = { ...space, outer: { ...outer, gateways: ['10.9.9.9' as Ipv4] } };
  await spaces.make(space);
  expect(spaces.outerFaultOf(space.name)).toMatchObject({ code: 'MESH_KERNEL_REFUSED' });
  expect(within('nft', 'list', 'ruleset')).toContain('drop');
  expect(readdirSync(run)).toEqual([space.name]);
  await spaces.remove(space.name);
  expect(spaces.outerFaultOf(space.name)).toBeUndefined();
  expect(readdirSync(run)).toEqual([]);
});

test('a space in which a server runs gets its name again, and is the same one', async () => {
  await spaces.make(space);
  const index = () => JSON.parse(within('ip', '-j', 'link', 'show', 'eth0'))[0].ifindex;
  const before = index();
  const server = inNetns(space.path, () => spawn('sleep', ['600'], { stdio: 'ignore' }));
  const ended = new Promise((resolve) => server.on('exit', resolve));
  onTestFinished(async () => {
    server.kill();
    await ended;
  });
  const spec = { name: 'radvd-ff01', title: 'radvd', argv: ['radvd'], netns: space.path } as const;
  const desired = itemMap([spaceItem(space), processItem(spec, [])]);
  // So it is for an agent that a service manager starts in a mount namespace of its own.
  removeNamedNetns(space.path);
  spaces.nameAgain(desired, () => undefined);
  expect(await flaws()).toBeUndefined();
  spaces.nameAgain(desired, (name) => (name === 'radvd-ff01' ? server.pid : undefined));
  expect(await flaws()).toEqual([]);
  expect(index()).toBe(before);
});

test('a space that cannot be looked at, or named again, is a flaw of that space alone', async () => {
  const red = { ...space, name: 'meshwork-ff02', path: join(directory, 'meshwork-ff02'), port: 'sff02' };
  await spaces.make(space);
  await spaces.make(red);
  // The kernel refuses this name of a port.
  const broken = { ...space, port: 'a name that is too long for a device' };
  expect(await spaces.observe(itemMap([spaceItem(broken), spaceItem(red)]))).toMatchObject([
    { name: 'meshwork-ff01', flaws: [expect.stringContaining('cannot be looked at')] },
    { name: 'meshwork-ff02', flaws: [] },
  ]);
  removeNamedNetns(space.path);
  const spec = { name: 'radvd-ff01', title: 'radvd', argv: ['radvd'], netns: space.path } as const;
  // A process that has ended has no namespace.
  spaces.nameAgain(itemMap([processItem(spec, [])]), () => 4_194_305);
});

test('a device of another program with the name of the port stays, and is named', async () => {
  ip(home(), 'link add sff01 type bridge');
  await expect(spaces.make(space)).rejects.toMatchObject({ code: 'MESH_KERNEL_FOREIGN_DEVICE', object: 'sff01' });
  expect(inside(home(), 'ip', '-d', 'link', 'show', 'sff01')).toContain('bridge');
});

test('a space that is not wanted is an item too, and is removed with its link', async () => {
  await spaces.make(space);
  expect(await spaces.observe(new Map())).toEqual([
    { kind: 'space', network: 'net-ff01', name: 'meshwork-ff01', flaws: [] },
  ]);
  await spaces.remove(space.name);
  expect(isNamedNetns(space.path)).toBe(false);
  expect(readdirSync(directory)).toEqual([]);
  expect(inside(home(), 'ip', '-o', 'link')).not.toContain('sff01');
  await spaces.remove(space.name);
});
