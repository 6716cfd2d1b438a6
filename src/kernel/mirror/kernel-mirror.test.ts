/** A mirror equals its kernel, as iproute2 shows it, after random changes, lost events, and links that come again. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { runToEnd } from '../../../test/kit/command.ts';
import { LONG } from '../../../test/kit/long.ts';
import { inside, ip } from '../../../test/kit/namespaces.ts';
import { PATIENCE } from '../../../test/kit/patience.ts';
import { pick, randomFrom } from '../../../test/kit/random.ts';
import { type TemporaryNetns, temporaryNetns } from '../netns.ts';
import { KernelMonitor } from '../rtnl/monitor.ts';
import { Rtnl } from '../rtnl/rtnl.ts';
import { KernelMirror } from './kernel-mirror.ts';
import { rtnlReader } from './kernel-reader.ts';
import type { KernelTables } from './kernel-tables.ts';

const KEEPS = { route: () => true, learned: () => true };

let here: TemporaryNetns;
let there: TemporaryNetns;
let rtnl: Rtnl;
let monitor: KernelMonitor;
let mirror: KernelMirror;
let overflows: number;

beforeEach(async () => {
  here = temporaryNetns();
  there = temporaryNetns();
  rtnl = await Rtnl.open({ netns: here.path });
  mirror = new KernelMirror(rtnlReader(rtnl, { keepsRoute: () => true }), KEEPS);
  listen();
});

/** @param receiveBufferBytes absent: room for all events of a test */
function listen(receiveBufferBytes?: number): void {
  overflows = 0;
  const options = receiveBufferBytes === undefined ? {} : { receiveBufferBytes };
  monitor = KernelMonitor.open({ netns: here.path, nftables: false, ...options });
  monitor.events.subscribe((event) => {
    mirror.take(event);
    if (event.type === 'overflow') overflows++;
  });
}

afterEach(async () => {
  monitor.close();
  await rtnl.close();
  here.close();
  there.close();
});

type Json = Readonly<Record<string, unknown>>;

function shown(...command: readonly string[]): readonly Json[] {
  return JSON.parse(inside(here.path, ...command) || '[]');
}

/** Lines of iproute2 of which any may fail. */
function tryAll(tool: 'ip' | 'bridge', lines: readonly string[]): void {
  runToEnd([tool, '-force', '-batch', '-'], { input: lines.join('\n'), netns: here.path });
}

/** The mirror's state in lines that can be compared, without what the kernel changes and does not announce. */
function mirrored(tables: KernelTables): readonly string[] {
  const name = (index = 0) => (index === 0 ? '' : (tables.links.get(index)?.name ?? `?${index}`));
  return [
    ...[...tables.links.values()].map(
      ({ index, name: own, master, up, mac, mtuBytes, kind }) =>
        `link ${index} ${own} ${kind} ${mac} mtu ${mtuBytes} up ${up} master ${name(master)}`,
    ),
    ...[...tables.addresses.values()].map(({ link, address, length }) => `address ${name(link)} ${address}/${length}`),
    ...[...tables.routes.values()].map(
      ({ destination, gateway = '', link, metric }) => `route ${destination} via ${gateway} ${name(link)} ${metric}`,
    ),
    ...[...tables.neighbours.values()]
      .filter(({ state }) => state === 'permanent')
      .map(({ link, address, mac }) => `neighbour ${name(link)} ${address} ${mac}`),
    ...[...tables.fdb.values()].map(
      ({ table, link, mac, remoteVtep = '', state }) => `fdb ${table} ${name(link)} ${mac} ${remoteVtep} ${state}`,
    ),
  ].sort();
}

/** The kernel's state in the same lines, as iproute2 shows it. */
function oracle(): readonly string[] {
  const lines: string[] = [];
  for (const link of shown('ip', '-j', '-d', 'link')) {
    const { ifindex, ifname, master = '', flags, address, mtu, linkinfo } = link;
    const kind = (linkinfo as { info_kind?: string } | undefined)?.info_kind ?? '';
    const up = (flags as string[]).includes('UP');
    lines.push(`link ${ifindex} ${ifname} ${kind} ${address} mtu ${mtu} up ${up} master ${master}`);
  }
  for (const { ifname, addr_info } of shown('ip', '-j', 'address')) {
    for (const { local, prefixlen } of addr_info as Json[]) lines.push(`address ${ifname} ${local}/${prefixlen}`);
  }
  for (const family of ['-4', '-6']) {
    for (const { dst, gateway = '', dev = '', metric = 0 } of shown('ip', '-j', family, 'route')) {
      const whole = family === '-4' ? ['0.0.0.0/0', '/32'] : ['::/0', '/128'];
      const text = String(dst);
      const destination = text === 'default' ? whole[0] : text.includes('/') ? text : `${text}${whole[1]}`;
      lines.push(`route ${destination} via ${gateway} ${dev} ${metric}`);
    }
    for (const { dst, dev, lladdr } of shown('ip', '-j', family, 'neighbour', 'show', 'nud', 'permanent')) {
      lines.push(`neighbour ${dev} ${dst} ${lladdr}`);
    }
  }
  for (const { mac, ifname, flags = [], dst = '', vlan, state = '' } of shown('bridge', '-j', 'fdb', 'show')) {
    const self = (flags as string[]).includes('self');
    if (vlan !== undefined || (self && dst === '')) continue;
    lines.push(`fdb ${self ? 'self' : 'master'} ${ifname} ${mac} ${dst} ${state === '' ? 'dynamic' : state}`);
  }
  return lines.sort();
}

/** The kernel announces a link-local address that it has formed only a moment later. */
async function expectSame(why: string): Promise<void> {
  await vi.waitFor(async () => {
    monitor.drain();
    await mirror.renewRoutes();
    expect(mirrored(mirror.tables), why).toEqual(oracle());
  }, PATIENCE);
}

const NAMES = ['br1', 'br2', 'vx1', 'vx2', 've1', 've2', 'du1', 'du2', 'renamed'];

/** One random change, as a line for `ip` or `bridge`. */
function change(random: () => number): readonly [tool: 'ip' | 'bridge', line: string] {
  const name = pick(random, NAMES);
  const number = 1 + Math.floor(random() * 4);
  const mac = `02:00:00:00:00:0${number}`;
  const vxlan = pick(random, ['vx1', 'vx2']);
  return pick(random, [
    ['ip', `link add ${pick(random, ['br1', 'br2'])} type bridge`],
    ['ip', `link add ${vxlan} type vxlan id ${number} dstport 4789 local 10.0.0.1`],
    ['ip', `link add ve1 type veth peer name ve2 netns ${pick(random, [here, there]).path}`],
    // The same ifindex again and again, with either name.
    ['ip', `link add ${pick(random, ['du1', 'du2'])} index 777 type bridge`],
    ['ip', `link del ${name}`],
    ['ip', `link set ${name} master ${pick(random, ['br1', 'br2'])}`],
    ['ip', `link set ${name} nomaster`],
    ['ip', `link set ${name} up`],
    ['ip', `link set ${name} down`],
    ['ip', `link set ${name} mtu ${1280 + number}`],
    ['ip', `link set du1 down name renamed`],
    ['ip', `link set renamed down name du1`],
    ['ip', `link set ${name} netns ${there.path}`],
    ['ip', `address add 10.0.${number}.1/24 dev ${name}`],
    ['ip', `address del 10.0.${number}.1/24 dev ${name}`],
    ['ip', `address add fd00:${number}::1/64 dev ${name} nodad`],
    ['ip', `address del fd00:${number}::1/64 dev ${name}`],
    ['ip', `route add 10.9.${number}.0/24 dev ${name} metric ${number}`],
    ['ip', `route replace 10.9.${number}.0/24 dev ${name} metric ${number}`],
    ['ip', `route del 10.9.${number}.0/24`],
    ['ip', `-6 route add fd09:${number}::/64 dev ${name} metric ${number}`],
    ['ip', `-6 route del fd09:${number}::/64`],
    ['ip', `neighbour replace fd00:${number}::2 lladdr ${mac} dev ${name} nud permanent`],
    ['ip', `neighbour del fd00:${number}::2 dev ${name}`],
    ['bridge', `fdb replace ${mac} dev ${vxlan} dst 10.0.0.${number} self`],
    ['bridge', `fdb append 00:00:00:00:00:00 dev ${vxlan} dst 10.0.0.${number} self`],
    ['bridge', `fdb del 00:00:00:00:00:00 dev ${vxlan} dst 10.0.0.${number} self`],
    ['bridge', `fdb del ${mac} dev ${vxlan} self`],
    ['bridge', `fdb replace ${mac} dev ${name} master ${pick(random, ['static', 'dynamic extern_learn', ''])}`],
    ['bridge', `fdb del ${mac} dev ${name} master`],
  ]);
}

test('after random changes', async () => {
  await mirror.renew();
  const seed = Math.floor(Math.random() * 1e9);
  const random = randomFrom(seed);
  for (let round = 1; round <= (LONG ? 300 : 6); round++) {
    const lines = Array.from({ length: 25 }, () => change(random));
    for (const tool of ['ip', 'bridge'] as const) {
      const own = lines.filter(([each]) => each === tool).map(([, line]) => line);
      tryAll(tool, own);
    }
    await expectSame(`seed ${seed}, round ${round}: ${lines.map((line) => line.join(' ')).join('; ')}`);
  }
  expect(overflows).toBe(0);
});

test('with changes during the dump', async () => {
  await mirror.renew();
  for (let round = 0; round < 4; round++) {
    ip(here.path, `link add du${round} type bridge`, `address add 10.1.${round}.1/24 dev du${round}`);
    const renewed = mirror.renew();
    ip(here.path, `link set du${round} up`, ...(round === 0 ? [] : [`link del du${round - 1}`]));
    monitor.drain();
    await renewed;
    await expectSame(`round ${round}`);
    expect(mirror.isCurrent).toBe(true);
  }
});

test('a link that is deleted and made again with its name and ifindex has nothing of the old one', async () => {
  await mirror.renew();
  const make = 'link add vx1 index 500 type vxlan id 7 dstport 4789';
  ip(here.path, make, 'link set vx1 up', 'address add 10.2.0.1/24 dev vx1', 'address add fd02::1/64 dev vx1 nodad');
  ip(here.path, 'neighbour add fd02::2 lladdr 02:00:00:00:00:02 dev vx1 nud permanent');
  inside(here.path, 'bridge', 'fdb', 'add', '02:00:00:00:00:02', 'dev', 'vx1', 'dst', '10.0.0.2', 'self');
  await expectSame('the first');
  expect(mirror.tables.fdb.size).toBe(1);
  ip(here.path, 'link del vx1', make);
  await expectSame('the second');
  expect(mirror.tables.fdb.size).toBe(0);
  expect(mirror.tables.addresses.size).toBe(0);
  expect([...mirror.tables.addressesOn(500)]).toEqual([]);
});

test('a port is found by its bridge, and an address by its port, until the port moves to another namespace', async () => {
  await mirror.renew();
  ip(here.path, 'link add br1 type bridge', `link add ve1 master br1 type veth peer name ve2`);
  inside(here.path, 'bridge', 'fdb', 'add', '02:00:00:00:00:02', 'dev', 've1', 'master', 'static');
  await expectSame('a port');
  const { tables } = mirror;
  const bridge = tables.linkNamed('br1')?.index ?? 0;
  const port = tables.linkNamed('ve1')?.index ?? 0;
  expect([...tables.portsOf(bridge)]).toEqual([port]);
  const [entry] = [...tables.fdb.values()].filter(({ state }) => state === 'static');
  expect(entry).toMatchObject({ link: port, mac: '02:00:00:00:00:02' });
  expect(entry && tables.bridgeEntry(bridge, entry.mac)).toBe(entry);
  ip(here.path, `link set ve1 netns ${there.path}`);
  await expectSame('without it');
  expect([...tables.portsOf(bridge)]).toEqual([]);
  expect(entry && tables.bridgeEntry(bridge, entry.mac)).toBeUndefined();
});

test('after events were lost, a dump makes the mirror current again', async () => {
  monitor.close();
  listen(4_096);
  await mirror.renew();
  const make = Array.from({ length: 60 }, (_, i) => `link add du${i} type bridge`);
  ip(here.path, ...make, 'link del du7');
  monitor.drain();
  expect(overflows).toBeGreaterThan(0);
  expect(mirror.isCurrent).toBe(false);
  await mirror.renew();
  expect(mirror.isCurrent).toBe(true);
  await expectSame('after the dump');
  ip(here.path, 'link del du8');
  await expectSame('after an event');
});
