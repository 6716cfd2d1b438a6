/** Dumps and changes, compared with what iproute2 shows and does in a real namespace. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runToEnd } from '../../../test/kit/command.ts';
import { MESH, peer, peerMac, vxlan } from '../../../test/kit/mesh-operations.ts';
import { inside, ip } from '../../../test/kit/namespaces.ts';
import { parseIpv4 } from '../../model/address/ipv4.ts';
import { parseIpv6 } from '../../model/address/ipv6.ts';
import { FLOOD_MAC, parseMac } from '../../model/address/mac.ts';
import type { Vni } from '../../model/network/types/vxlan.ts';
import { type TemporaryNetns, temporaryNetns } from '../netns.ts';
import type { Link } from './objects.ts';
import type { KernelOperation, VxlanDevice } from './operation.ts';
import { Rtnl } from './rtnl.ts';

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

/** The same objects as iproute2 shows them, as JSON. */
function oracle(...command: readonly string[]): Record<string, unknown>[] {
  return JSON.parse(inside(netns.path, ...command) || '[]');
}

async function done(...operations: readonly KernelOperation[]): Promise<void> {
  expect(await rtnl.apply(operations)).toEqual(operations.map(() => undefined));
}

async function link(name: string): Promise<Link> {
  const found = await rtnl.link(name);
  if (found === undefined) throw new Error(`no link ${name}`);
  return found;
}

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
    if (port !== undefined) expect(ours.port).toMatchObject({ learning: port.learning, locked: port.locked });
    if (ours.vxlan !== undefined) {
      const { id: vni, port: udpPort, learning, df } = info.info_data ?? {};
      expect(ours.vxlan).toEqual({ vni, udpPort, learning, df });
    }
  }
  expect((await link('tap1')).port).toMatchObject({ locked: true, learning: false });
});

test('VXLAN devices of both families are as `ip -d link` shows them, and a change puts back what another program set', async () => {
  const [v4, v6] = [parseIpv4('10.3.0.1'), parseIpv6('fd09::1')];
  const common = { udpPort: 4789, learning: true, df: 'inherit' } as const;
  const devices: VxlanDevice[] = [
    { ...common, vni: 1 as Vni, local: v6, entriesMax: 9 },
    { ...common, vni: 2 as Vni, local: v6, group: parseIpv6('ff05::2'), dev: 'eth0', hopLimit: 5, learning: false },
    { ...common, vni: 3 as Vni, local: v4, group: parseIpv4('239.0.0.3'), dev: 'eth0', udpPort: 8472 },
    { ...common, vni: 4 as Vni, local: v4 },
  ];
  await done(
    { do: 'link-add', kind: 'veth', name: 'eth0', peer: 'eth1', up: true },
    ...devices.map((vxlan) => ({ do: 'link-add', kind: 'vxlan', name: `vx${vxlan.vni}`, vxlan }) as const),
  );
  const { index } = await link('eth0');
  for (const [at, shown] of oracle('ip', '-j', '-d', 'link', 'show', 'type', 'vxlan').entries()) {
    const { info_data: info } = shown.linkinfo as { info_data: Record<string, unknown> };
    const device = devices[at] as VxlanDevice;
    expect({
      vni: info.id,
      udpPort: info.port,
      local: info.local ?? info.local6,
      group: info.group ?? info.group6,
      dev: info.link,
      hopLimit: info.ttl === 0 || info.ttl === 'auto' ? undefined : info.ttl,
      learning: info.learning,
      df: info.df,
      entriesMax: info.limit,
    }).toEqual({
      local: undefined,
      group: undefined,
      dev: undefined,
      hopLimit: undefined,
      entriesMax: undefined,
      ...device,
    });
    const { dev, ...rest } = device;
    expect((await link(`vx${device.vni}`)).vxlan).toEqual(dev === undefined ? rest : { ...rest, underlay: index });
  }

  ip(netns.path, 'link set vx4 type vxlan remote 10.3.0.9 ttl 7', 'link set vx2 type vxlan ttl 9');
  expect((await link('vx4')).vxlan).toMatchObject({ group: '10.3.0.9', hopLimit: 7 });
  await done(
    { do: 'link-set', link: 'vx4', change: { vxlan: { noGroup: 'ipv4', hopLimit: 0 } } },
    { do: 'link-set', link: 'vx2', change: { vxlan: { hopLimit: 5, local: parseIpv6('fd09::2') } } },
  );
  expect((await link('vx4')).vxlan).toEqual(devices[3]);
  expect((await link('vx2')).vxlan).toMatchObject({ hopLimit: 5, local: 'fd09::2' });

  // The kernel deletes what was bound to the underlay link, and nothing else.
  await done({ do: 'link-delete', link: 'eth0' });
  const left = (await rtnl.links()).filter(({ kind }) => kind === 'vxlan');
  expect(left.map(({ name }) => name)).toEqual(['vx1', 'vx4']);
});

test('addresses are as `ip addr` shows them', async () => {
  await done(...MESH);
  await done({ do: 'address-add', link: 'br456', address: parseIpv6('fe80::1'), length: 64, nodad: true });
  await done({ do: 'address-add', link: 'br456', address: parseIpv4('10.11.0.1'), length: 25, protocol: 200 });
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
  expect(ours).toHaveLength(6);
  expect(new Set(ours.map(({ protocol: _, ...rest }) => rest))).toEqual(new Set(shown));
  // `ip` does not show these.
  expect(ours.find(({ address }) => address === '10.11.0.1')?.protocol).toBe(200);
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

test('rules and the routes of their table are as `ip` shows them', async () => {
  await done(
    ...MESH,
    { do: 'route-replace', destination: '10.9.0.0/16', gateway: parseIpv4('10.3.0.2'), table: 4789, protocol: 200 },
    { do: 'rule-add', priority: 4789, table: 4789, protocol: 200, udp: { to: 4789 } },
    { do: 'rule-add', priority: 4790, table: 4789, protocol: 200, udp: { from: 4789 } },
    { do: 'rule-add', priority: 4791, table: 4789, protocol: 200, udp: { to: 4789 } },
    { do: 'rule-delete', priority: 4791, table: 4789, protocol: 200, udp: { to: 4789 } },
  );
  ip(netns.path, 'rule add pref 9 to 10.4.0.0/16 ipproto udp dport 4789 lookup 100');
  expect(inside(netns.path, 'ip', 'rule').split('\n')).toEqual([
    '0:\tfrom all lookup local',
    '9:\tfrom all to 10.4.0.0/16 ipproto udp dport 4789 lookup 100',
    '4789:\tfrom all ipproto udp dport 4789 lookup 4789 proto 200',
    '4790:\tfrom all ipproto udp sport 4789 lookup 4789 proto 200',
    '32766:\tfrom all lookup main',
    '32767:\tfrom all lookup default',
    '',
  ]);
  expect(await rtnl.rules()).toEqual([
    { priority: 0, table: 255, protocol: 2 },
    { priority: 9, table: 100, protocol: expect.any(Number) },
    { priority: 4789, table: 4789, protocol: 200, udp: { to: 4789 } },
    { priority: 4790, table: 4789, protocol: 200, udp: { from: 4789 } },
    { priority: 32766, table: 254, protocol: 2 },
    { priority: 32767, table: 253, protocol: 2 },
  ]);
  const routes = await rtnl.routes(undefined, [4789]);
  expect(routes.filter(({ table }) => table === 4789)).toMatchObject([
    { destination: '10.9.0.0/16', gateway: '10.3.0.2' },
  ]);
  expect(await rtnl.routes()).toEqual(routes.filter(({ table }) => table === 254));
  expect((await rtnl.routeTo(parseIpv4('10.9.1.1'), 4789)).gateway).toBe('10.3.0.2');
  await expect(rtnl.routeTo(parseIpv4('10.9.1.1'), 53)).rejects.toThrow('ENETUNREACH');
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

test('FDB entries are as `bridge fdb` shows them', async () => {
  const entry = { link: 'vxlan456', mac: peerMac, remoteVtep: peer, externLearn: true } as const;
  const flood = { link: 'vxlan456', mac: FLOOD_MAC, externLearn: true, table: 'self', state: 'permanent' } as const;
  await done(
    ...MESH,
    { do: 'fdb-replace', table: 'self', ...entry, state: 'dynamic' },
    { do: 'fdb-replace', table: 'self', ...entry, mac: parseMac('02:00:00:00:00:08'), state: 'static' },
    { do: 'fdb-replace', table: 'self', ...entry, mac: parseMac('02:00:00:00:00:09'), state: 'permanent' },
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
    { do: 'fdb-append', ...flood, remoteVtep: peer },
    { do: 'fdb-append', ...flood, remoteVtep: peer },
    { do: 'fdb-append', ...flood, remoteVtep: parseIpv4('10.0.0.8') },
    { do: 'fdb-append', ...flood, remoteVtep: parseIpv4('10.0.0.9') },
    { do: 'fdb-delete', ...flood, remoteVtep: parseIpv4('10.0.0.9') },
  );
  const names = new Map((await rtnl.links()).map(({ index, name }) => [index, name]));
  const ours = (await rtnl.fdb()).map(({ link, remoteVtep, state, ...rest }) => {
    return { link: names.get(link), remoteVtep, state: state === 'dynamic' ? '' : state, ...rest };
  });
  const shown = oracle('bridge', '-j', 'fdb')
    .filter(({ flags, dst }) => !(flags as string[]).includes('self') || dst !== undefined)
    .map(({ mac, ifname, flags, state, dst }) => ({
      link: ifname,
      mac,
      remoteVtep: dst,
      table: (flags as string[]).includes('self') ? 'self' : 'master',
      state,
      externLearn: (flags as string[]).includes('extern_learn'),
      sticky: (flags as string[]).includes('sticky'),
    }));
  expect(ours).toHaveLength(9);
  expect(new Set(ours)).toEqual(new Set(shown));
  expect(await rtnl.fdbEntry('vxlan456', peerMac)).toMatchObject({
    table: 'self',
    remoteVtep: peer,
    state: 'dynamic',
  });
  expect(await rtnl.fdbEntry('vxlan456', peerMac, 'master')).toMatchObject({ table: 'master', externLearn: true });
  expect(await rtnl.fdbEntry('vxlan456', parseMac('02:00:00:00:00:99'))).toBeUndefined();
});

test('random operations leave the same state as the same `ip` commands', async () => {
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
    // Line by line: a batch ends, even with -force, at the first line that names an absent link.
    for (const line of lines) runToEnd(['ip', ...line.split(' ')], { netns: other.path });
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
