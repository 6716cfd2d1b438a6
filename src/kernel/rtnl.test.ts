import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { MeshError } from '../model/error.ts';
import { parseIpv4 } from '../model/ipv4.ts';
import { parseIpv6 } from '../model/ipv6.ts';
import { FLOOD_MAC, parseMac } from '../model/mac.ts';
import type { Vni } from '../model/network.ts';
import { type TemporaryNetns, temporaryNetns } from './netns.ts';
import { inside, ip } from './netns-fixture.ts';
import type { Link } from './objects.ts';
import type { KernelOperation } from './operation.ts';
import { Rtnl } from './rtnl.ts';

const bridgeMac = parseMac('02:2f:55:d5:07:f4');
const vxlanMac = parseMac('02:7e:61:7a:4a:d5');
const peerMac = parseMac('02:00:00:00:00:07');
const peer = parseIpv4('10.0.0.7');
const vxlan = { vni: 456 as Vni, udpPort: 4789, learning: true, df: 'inherit' } as const;

let netns: TemporaryNetns;
let rtnl: Rtnl;

beforeEach(async () => {
  netns = temporaryNetns();
  rtnl = await Rtnl.open({ netns: netns.path });
});

afterEach(async () => {
  await rtnl.close();
  netns.close();
});

/** What iproute2 says of the same, as JSON. */
function oracle(...command: readonly string[]): Record<string, unknown>[] {
  return JSON.parse(inside(netns.path, ...command) || '[]');
}

async function done(...operations: readonly KernelOperation[]): Promise<void> {
  expect(await rtnl.apply(operations)).toEqual(operations.map(() => undefined));
}

/** The errno's name of each failure. */
async function failures(...operations: readonly KernelOperation[]): Promise<(string | undefined)[]> {
  return (await rtnl.apply(operations)).map(errnoOf);
}

function errnoOf(error: MeshError | undefined): string | undefined {
  return (error?.cause as { name: string } | undefined)?.name;
}

async function link(name: string): Promise<Link> {
  const found = await rtnl.link(name);
  if (found === undefined) throw new Error(`no link ${name}`);
  return found;
}

/** A mesh in one batch, whose operations use links that it makes itself. */
const MESH: readonly KernelOperation[] = [
  { do: 'link-set', link: 'lo', change: { up: true } },
  { do: 'link-add', kind: 'bridge', name: 'br456', mac: bridgeMac, mtuBytes: 1380, group: 9 },
  { do: 'link-add', kind: 'vxlan', name: 'vxlan456', mac: vxlanMac, mtuBytes: 1380, master: 'br456', vxlan },
  { do: 'link-set', link: 'br456', change: { alias: 'meshwork:bridge:x', addressMode: 'none', up: true } },
  { do: 'link-set', link: 'vxlan456', change: { alias: 'meshwork:vxlan:x', addressMode: 'none', up: true } },
  { do: 'address-add', link: 'br456', address: parseIpv6('fd42::1'), length: 64, nodad: true },
  { do: 'address-add', link: 'br456', address: parseIpv4('10.3.0.1'), length: 24 },
];

test('links are as `ip -d link` shows them', async () => {
  await done(...MESH);
  await done({ do: 'link-add', kind: 'veth', name: 'tap1', peer: 'guest1', up: true });
  await done({
    do: 'link-set',
    link: 'tap1',
    change: { master: 'br456', up: true, port: { locked: true, learning: false } },
  });
  const links = await rtnl.links();
  const shown = oracle('ip', '-j', '-d', 'link');
  expect(links.map(({ name }) => name)).toEqual(shown.map(({ ifname }) => ifname));
  for (const [i, theirs] of shown.entries()) {
    const ours = links[i] as Link;
    const info = (theirs.linkinfo ?? {}) as { info_kind?: string } & Record<string, Record<string, unknown>>;
    const flags = theirs.flags as string[];
    expect(ours).toMatchObject({
      index: theirs.ifindex,
      kind: info.info_kind ?? '',
      mac: theirs.address,
      mtuBytes: theirs.mtu,
      up: flags.includes('UP'),
      running: flags.includes('LOWER_UP'),
      loopback: flags.includes('LOOPBACK'),
      alias: theirs.ifalias ?? '',
      addressMode: theirs.inet6_addr_gen_mode,
      group: theirs.group === 'default' ? 0 : Number(theirs.group),
      master: theirs.master === undefined ? 0 : (await link(String(theirs.master))).index,
    });
    const port = info.info_slave_data;
    if (port !== undefined) expect(ours.port).toEqual({ learning: port.learning, locked: port.locked });
    if (ours.vxlan !== undefined) {
      const { id: vni, port: udpPort, learning, df } = info.info_data ?? {};
      expect(ours.vxlan).toEqual({ vni, udpPort, learning, df });
    }
  }
  expect((await link('tap1')).port).toEqual({ locked: true, learning: false });
});

test('a VXLAN changes in place, and its local address can be of either family', async () => {
  await done(
    { do: 'link-add', kind: 'vxlan', name: 'v4', vxlan: { ...vxlan, local: peer } },
    { do: 'link-add', kind: 'vxlan', name: 'v6', vxlan: { ...vxlan, vni: 457 as Vni, local: parseIpv6('fd00::1') } },
    { do: 'link-set', link: 'v4', change: { vxlan: { df: 'set', learning: false, local: parseIpv4('10.0.0.8') } } },
  );
  expect((await link('v4')).vxlan).toEqual({ ...vxlan, df: 'set', learning: false, local: '10.0.0.8' });
  expect((await link('v6')).vxlan).toEqual({ ...vxlan, vni: 457, local: 'fd00::1' });
});

test('a link that is raised with address mode none never gets a link-local address', async () => {
  await done(...MESH);
  expect((await rtnl.addresses()).filter(({ scope }) => scope === 'link')).toEqual([]);
});

test('addresses are as `ip addr` shows them', async () => {
  await done(...MESH);
  await done({ do: 'address-add', link: 'br456', address: parseIpv6('fe80::1'), length: 64, nodad: true });
  const shown = oracle('ip', '-j', 'addr').flatMap(({ ifindex, addr_info }) =>
    (addr_info as Record<string, unknown>[]).map((info) => ({
      link: ifindex,
      family: info.family === 'inet' ? 4 : 6,
      address: info.local,
      length: info.prefixlen,
      scope: info.scope,
      nodad: info.nodad ?? false,
      tentative: info.tentative ?? false,
    })),
  );
  const ours = await rtnl.addresses();
  expect(ours).toHaveLength(5);
  expect(new Set(ours)).toEqual(new Set(shown));
});

test('routes are as `ip route` shows them, from both families', async () => {
  await done(
    ...MESH,
    { do: 'route-replace', destination: '10.9.0.0/16', gateway: parseIpv4('10.3.0.2'), protocol: 200 },
    { do: 'route-replace', destination: '0.0.0.0/0', gateway: parseIpv4('10.3.0.2'), protocol: 200 },
    { do: 'route-replace', destination: '10.8.0.0/16', link: 'br456', protocol: 200 },
    { do: 'route-replace', destination: 'fd99::/48', gateway: parseIpv6('fd42::2'), link: 'br456', protocol: 200 },
    { do: 'route-replace', destination: '::/0', link: 'br456', protocol: 200 },
    { do: 'route-replace', destination: '10.9.0.0/16', gateway: parseIpv4('10.3.0.3'), protocol: 200 },
  );
  ip(netns.path, 'route add 10.7.0.0/16 via inet6 fd42::5 dev br456 metric 7 src 10.3.0.1');
  const shown = [4, 6].flatMap((family) =>
    oracle('ip', '-j', '-N', '-d', `-${family}`, 'route').map((route) => {
      const anywhere = family === 4 ? '0.0.0.0/0' : '::/0';
      const via = route.via as { host: string } | undefined;
      return {
        family,
        destination: route.dst === 'default' ? anywhere : route.dst,
        gateway: route.gateway ?? via?.host,
        source: route.prefsrc,
        metric: route.metric ?? 0,
        protocol: Number(route.protocol),
      };
    }),
  );
  const { index } = await link('br456');
  const ours = await rtnl.routes();
  expect(
    ours.map(({ family, destination, gateway, source, metric, protocol }) => {
      return { family, destination, gateway, source, metric, protocol };
    }),
  ).toEqual(shown);
  expect(new Set(ours.map(({ link, table }) => `${link} ${table}`))).toEqual(new Set([`${index} 254`]));
  await done({ do: 'route-delete', destination: '10.9.0.0/16', protocol: 200 });
  expect((await rtnl.routes()).some(({ destination }) => destination === '10.9.0.0/16')).toBe(false);
});

test('the route to one destination, and that there is none', async () => {
  await done(...MESH, {
    do: 'route-replace',
    destination: '10.9.0.0/16',
    gateway: parseIpv4('10.3.0.2'),
    protocol: 200,
  });
  const { index } = await link('br456');
  expect(await rtnl.routeTo(parseIpv4('10.9.1.1'))).toMatchObject({
    gateway: '10.3.0.2',
    link: index,
    source: '10.3.0.1',
  });
  expect(await rtnl.routeTo(parseIpv6('fd42::7'))).toMatchObject({ link: index, source: 'fd42::1' });
  await expect(rtnl.routeTo(parseIpv6('2001:db8::1'))).rejects.toThrow('find route to 2001:db8::1: ENETUNREACH');
});

test('neighbours are as `ip neigh` shows them', async () => {
  await done(
    ...MESH,
    { do: 'neighbour-replace', link: 'br456', address: parseIpv6('fd42::7'), mac: peerMac, protocol: 200 },
    { do: 'neighbour-replace', link: 'br456', address: parseIpv4('10.3.0.7'), mac: peerMac, protocol: 200 },
    { do: 'neighbour-replace', link: 'br456', address: parseIpv4('10.3.0.8'), mac: peerMac, protocol: 200 },
    { do: 'neighbour-delete', link: 'br456', address: parseIpv4('10.3.0.8') },
  );
  expect(
    oracle('ip', '-j', '-d', '-N', 'neigh', 'show', 'nud', 'permanent')
      .map(({ dst, lladdr, state, protocol, extern_learn }) => {
        return [dst, lladdr, state, protocol, extern_learn];
      })
      .toSorted(),
  ).toEqual([
    ['10.3.0.7', peerMac, ['PERMANENT'], '200', null],
    ['fd42::7', peerMac, ['PERMANENT'], '200', null],
  ]);
  const expected = {
    link: (await link('br456')).index,
    mac: peerMac,
    state: 'permanent',
    externLearn: true,
    protocol: 200,
  };
  expect((await rtnl.neighbours()).filter(({ protocol }) => protocol === 200)).toEqual([
    { family: 4, address: '10.3.0.7', ...expected },
    { family: 6, address: 'fd42::7', ...expected },
  ]);
  expect(await rtnl.neighbour('br456', parseIpv6('fd42::7'))).toEqual({ family: 6, address: 'fd42::7', ...expected });
  expect(await rtnl.neighbour('br456', parseIpv6('fd42::8'))).toBeUndefined();
});

test('rows are as `bridge fdb` shows them', async () => {
  const row = { link: 'vxlan456', mac: peerMac, destination: peer, externLearn: true } as const;
  const flood = { link: 'vxlan456', mac: FLOOD_MAC, externLearn: true, table: 'self', state: 'permanent' } as const;
  await done(
    ...MESH,
    { do: 'fdb-replace', table: 'self', ...row, state: 'dynamic' },
    { do: 'fdb-replace', table: 'self', ...row, mac: parseMac('02:00:00:00:00:08'), state: 'static' },
    { do: 'fdb-replace', table: 'self', ...row, mac: parseMac('02:00:00:00:00:09'), state: 'permanent' },
    { do: 'fdb-replace', table: 'master', link: 'vxlan456', mac: peerMac, state: 'static', externLearn: true },
    {
      do: 'fdb-replace',
      table: 'master',
      link: 'vxlan456',
      mac: parseMac('02:00:00:00:00:0a'),
      state: 'static',
      externLearn: false,
      sticky: true,
    },
    { do: 'fdb-append', ...flood, destination: peer },
    { do: 'fdb-append', ...flood, destination: peer },
    { do: 'fdb-append', ...flood, destination: parseIpv4('10.0.0.8') },
    { do: 'fdb-append', ...flood, destination: parseIpv4('10.0.0.9') },
    { do: 'fdb-delete', ...flood, destination: parseIpv4('10.0.0.9') },
  );
  const names = new Map((await rtnl.links()).map(({ index, name }) => [index, name]));
  const ours = (await rtnl.fdb()).map(({ link, destination, state, ...rest }) => {
    return { link: names.get(link), destination, state: state === 'dynamic' ? '' : state, ...rest };
  });
  const shown = oracle('bridge', '-j', 'fdb')
    .filter(({ flags, dst }) => !(flags as string[]).includes('self') || dst !== undefined)
    .map(({ mac, ifname, flags, state, dst }) => ({
      link: ifname,
      mac,
      destination: dst,
      table: (flags as string[]).includes('self') ? 'self' : 'master',
      state,
      externLearn: (flags as string[]).includes('extern_learn'),
      sticky: (flags as string[]).includes('sticky'),
    }));
  expect(ours).toHaveLength(9);
  expect(new Set(ours)).toEqual(new Set(shown));
  expect(await rtnl.fdbRow('vxlan456', peerMac)).toMatchObject({ table: 'self', destination: peer, state: 'dynamic' });
  expect(await rtnl.fdbRow('vxlan456', peerMac, 'master')).toMatchObject({ table: 'master', externLearn: true });
  expect(await rtnl.fdbRow('vxlan456', parseMac('02:00:00:00:00:99'))).toBeUndefined();
});

test('a failure names its errno and the kernel’s reason, and does not stop what follows', async () => {
  const [, exists, absent, unnamed, address, missing, last] = await rtnl.apply([
    { do: 'link-add', kind: 'vxlan', name: 'a', vxlan },
    { do: 'link-add', kind: 'vxlan', name: 'b', vxlan },
    { do: 'link-delete', link: 'nothing' },
    { do: 'link-set', link: 'nothing', change: { name: 'something' } },
    { do: 'address-delete', link: 'a', address: peer, length: 24 },
    {
      do: 'fdb-delete',
      table: 'self',
      link: 'a',
      mac: peerMac,
      destination: peer,
      state: 'dynamic',
      externLearn: true,
    },
    { do: 'link-add', kind: 'bridge', name: 'c' },
  ]);
  expect(exists).toMatchObject({
    code: 'MESH_KERNEL_REFUSED',
    message: 'link-add vxlan b: EEXIST: A VXLAN device with the specified VNI already exists',
    operation: 'link-add',
    object: 'vxlan b',
  });
  expect([absent, unnamed, address, missing, last].map(errnoOf)).toEqual([
    'ENODEV',
    'ENODEV',
    'EADDRNOTAVAIL',
    'ENOENT',
    undefined,
  ]);
  expect((await link('c')).kind).toBe('bridge');
});

test('a change of an absent link in group 0 changes no other link', async () => {
  await done({ do: 'link-add', kind: 'bridge', name: 'br1' });
  const change = { group: 0, mtuBytes: 1300, up: true };
  expect(await failures({ do: 'link-set', link: 'nothing', change })).toEqual(['ENODEV']);
  const port = { learning: false };
  expect(await failures({ do: 'link-set', link: 'nothing', change: { ...change, port } })).toEqual(['ENODEV']);
  expect(await link('br1')).toMatchObject({ up: false, mtuBytes: 1500 });
});

test('a name means the link that has it when the operation runs', async () => {
  await done(
    { do: 'link-add', kind: 'bridge', name: 'a' },
    { do: 'address-add', link: 'a', address: parseIpv4('10.1.0.1'), length: 24 },
    { do: 'link-set', link: 'a', change: { name: 'b' } },
    { do: 'link-add', kind: 'bridge', name: 'a' },
    { do: 'address-add', link: 'a', address: parseIpv4('10.2.0.1'), length: 24 },
    { do: 'address-add', link: 'b', address: parseIpv4('10.3.0.1'), length: 24 },
    { do: 'link-delete', link: 'a' },
    { do: 'link-add', kind: 'bridge', name: 'a' },
    { do: 'address-add', link: 'a', address: parseIpv4('10.4.0.1'), length: 24 },
  );
  const names = new Map((await rtnl.links()).map(({ index, name }) => [index, name]));
  const addresses = (await rtnl.addresses()).map(({ link, address }) => `${names.get(link)} ${address}`);
  expect(addresses).toEqual(['b 10.1.0.1', 'b 10.3.0.1', 'a 10.4.0.1']);
  expect(
    await failures({ do: 'link-delete', link: 'a' }, { do: 'address-add', link: 'a', address: peer, length: 8 }),
  ).toEqual([undefined, 'ENODEV']);
});

test('random operations leave the same as `ip` with the same in words', async () => {
  const seed = Date.now() & 0xffff;
  console.log(`seed ${seed}`);
  let state = seed + 1;
  const random = (below: number) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 16) % below;
  };
  const operations: KernelOperation[] = [{ do: 'link-set', link: 'lo', change: { up: true } }];
  const lines: string[] = ['link set lo up'];
  for (let i = 0; i < 200; i++) {
    const n = random(6);
    const name = `br${n}`;
    const address = parseIpv4(`10.${n}.${random(4)}.1`);
    const mtuBytes = 1300 + random(100);
    const mac = parseMac(`02:00:00:00:0${n}:0${random(9)}`);
    const choices: readonly [KernelOperation, string][] = [
      [
        { do: 'link-add', kind: 'bridge', name, mac, mtuBytes },
        `link add ${name} address ${mac} mtu ${mtuBytes} type bridge`,
      ],
      [
        { do: 'link-add', kind: 'vxlan', name: `v${n}`, mac, master: name, vxlan: { ...vxlan, vni: (n + 1) as Vni } },
        `link add v${n} address ${mac} master ${name} type vxlan id ${n + 1} dstport 4789 df inherit`,
      ],
      [{ do: 'link-set', link: name, change: { mtuBytes, up: true } }, `link set ${name} mtu ${mtuBytes} up`],
      [{ do: 'link-set', link: `v${n}`, change: { master: '', up: false } }, `link set v${n} nomaster down`],
      [
        { do: 'link-set', link: `v${n}`, change: { master: name, alias: `a${n}` } },
        `link set v${n} master ${name} alias a${n}`,
      ],
      [{ do: 'address-add', link: name, address, length: 24 }, `address add ${address}/24 dev ${name}`],
      [{ do: 'address-delete', link: name, address, length: 24 }, `address del ${address}/24 dev ${name}`],
      [
        { do: 'route-replace', destination: `10.${n + 100}.0.0/16`, link: name, protocol: 200 },
        `route replace 10.${n + 100}.0.0/16 dev ${name} proto 200`,
      ],
      [
        { do: 'neighbour-replace', link: name, address, mac, protocol: 200 },
        `neigh replace ${address} lladdr ${mac} dev ${name} nud permanent extern_learn protocol 200`,
      ],
      [{ do: 'neighbour-delete', link: name, address }, `neigh del ${address} dev ${name}`],
    ];
    const [operation, line] = choices[random(choices.length)] ?? [];
    if (operation === undefined || line === undefined) continue;
    operations.push(operation);
    lines.push(line);
  }
  const other = temporaryNetns();
  const theirs = await Rtnl.open({ netns: other.path });
  try {
    const errors = await rtnl.apply(operations);
    // One by one: a batch ends, even with -force, at the first line that names an absent link.
    for (const line of lines) spawnSync('nsenter', [`--net=${other.path}`, 'ip', ...line.split(' ')]);
    const everything = async (of: Rtnl) => {
      const [links, addresses, routes, neighbours] = await Promise.all([
        of.links(),
        of.addresses(),
        of.routes(),
        of.neighbours(),
      ]);
      const named = new Map(links.map(({ index, name }) => [index, name]));
      const rename = <T extends { link?: number }>(object: T) => ({ ...object, link: named.get(object.link ?? 0) });
      return {
        links: links.map(({ index, master, ...rest }) => ({ ...rest, master: named.get(master) })),
        addresses: addresses.filter(({ scope }) => scope !== 'link').map(rename),
        routes: routes.filter(({ destination }) => !destination.startsWith('fe80')).map(rename),
        neighbours: new Set(neighbours.filter(({ protocol }) => protocol === 200).map(rename)),
      };
    };
    expect(errors.some((error) => error === undefined)).toBe(true);
    expect(await everything(rtnl), `seed ${seed}`).toEqual(await everything(theirs));
  } finally {
    await theirs.close();
    other.close();
  }
});

test('a dump of a thousand links ends while links come and go, and is complete afterwards', async () => {
  // Of all kinds, veths are the quickest to be deleted with their namespace.
  const pairs = Array.from({ length: 500 }, (_, i) => `link add v${i} type veth peer name w${i}`);
  ip(netns.path, ...pairs);
  const script = 'while ip link add x type veth peer name y; do echo; ip link del x; done';
  const churn = spawn('nsenter', [`--net=${netns.path}`, 'sh', '-c', script]);
  const ended = once(churn, 'close');
  try {
    await once(churn.stdout, 'data');
    for (let round = 0; round < 10; round++) {
      const outcome = await rtnl.links().catch((error: MeshError) => error.retryable);
      if (Array.isArray(outcome)) expect(outcome.length).toBeGreaterThanOrEqual(1001);
      else expect(outcome).toBe(true);
    }
  } finally {
    churn.kill('SIGKILL');
    await ended;
  }
  expect((await rtnl.links()).filter(({ name }) => /^[vw]\d/.test(name))).toHaveLength(1000);
});

test('what is asked of a closed socket, and what waits when it closes, is rejected', async () => {
  const waiting = rtnl.links();
  const closed = rtnl.close();
  await expect(waiting).rejects.toMatchObject({ code: 'MESH_NOT_RUNNING' });
  await closed;
  await expect(rtnl.apply([])).rejects.toMatchObject({ code: 'MESH_NOT_RUNNING' });
});

test('a namespace that is not there is an error of the opening', async () => {
  await expect(Rtnl.open({ netns: '/run/netns/mw-absent' })).rejects.toThrow(/ENOENT/);
});
