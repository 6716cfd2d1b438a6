/** The way out of a network on a real kernel, with a real tayga and unbound: an IPv4 host outside reaches a guest that has IPv6 alone. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { runToEnd } from '../../../test/kit/command.ts';
import { carriesPackets, inside, ip } from '../../../test/kit/namespaces.ts';
import { PAIR, type PairedRouter, routerPair } from '../../../test/kit/router-pair.ts';
import type { Ip } from '../../kernel/ip.ts';
import { inNetns, temporaryNetns } from '../../kernel/netns.ts';
import { Rtnl } from '../../kernel/rtnl/rtnl.ts';
import { boundDatagrams } from '../../kernel/sockets/listener.ts';
import type { Ipv4, Ipv4Cidr } from '../../model/address/ipv4.ts';
import type { Ipv6, Ipv6Cidr } from '../../model/address/ipv6.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { MachineWord } from '../../model/machine.ts';
import { serviceAddresses } from '../../model/network/services/service-addresses.ts';
import type { AssignedNat64 } from '../../protocol/documents/service/assigned-nat64.ts';
import type { ProcessSpec } from '../../services/process/process-spec.ts';
import { taygaConf } from '../../services/tayga/tayga-conf.ts';
import { taygaProcess } from '../../services/tayga/tayga-process.ts';
import { unboundConf } from '../../services/unbound/unbound-conf.ts';
import { unboundProcess } from '../../services/unbound/unbound-process.ts';
import type { OuterPlace, OuterTranslation } from '../items/space/outer-place.ts';
import { makeOuter, type OuterNamespaces, outerFlaws, removeOuter } from './outer-places.ts';

const WAIT = { timeout: 25_000, interval: 50 };
const closing: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const GUEST = 'fd64::200:ff:fe00:1001';
const TRANSLATION: OuterTranslation = {
  prefix: 'fd64:64::/96' as Ipv6Cidr,
  ipv4: '192.0.0.2' as Ipv4,
  ipv6: 'fd64::6464' as Ipv6,
  pool: '100.126.0.0/16' as Ipv4Cidr,
  maps: [{ ipv4: '198.51.100.20' as Ipv4, ipv6: GUEST as Ipv6 }],
  shared: '198.51.100.10' as Ipv4,
};
const OUTER: OuterPlace = {
  device: 'eth0',
  mac: '02:6d:00:00:00:01' as Mac,
  addresses: [{ address: '198.51.100.10' as Ipv4, length: 24 }],
  gateways: [],
  blocks: ['203.0.113.0/24' as Ipv4Cidr],
  vxlanPorts: [8472],
  sources: [],
  routed: [],
  translation: TRANSLATION,
};

function netnsOfTest(): string {
  const netns = temporaryNetns();
  closing.push(() => netns.close());
  return netns.path;
}

function directoryOfTest(): string {
  const directory = mkdtempSync(join(tmpdir(), 'mw-outer-'));
  closing.push(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** A node `home` with the NIC `eth0` in a segment, in which `outside` is, too; a router's `space`, and a `guest` behind it. */
async function site() {
  const [home, outside, path, guest] = Array.from({ length: 4 }, netnsOfTest) as [string, string, string, string];
  ip(home, `link add eth0 type veth peer name eth0 netns ${outside}`, 'link set lo up', 'link set eth0 up');
  ip(outside, 'link set lo up', 'address add 198.51.100.1/24 dev eth0', 'link set eth0 up');
  ip(
    path,
    `link add eth0 type veth peer name eth0 netns ${guest}`,
    'link set lo up',
    'address add fd64::1/64 dev eth0 nodad',
    'link set eth0 up',
  );
  ip(
    guest,
    'link set lo up',
    `address add ${GUEST}/64 dev eth0 nodad`,
    'link set eth0 up',
    'route add default via fd64::1',
  );
  carriesPackets(home, 'eth0');
  carriesPackets(guest, 'eth0');
  inside(path, 'sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1');
  const [homeLinks, insideLinks] = await Promise.all([Rtnl.open({ netns: home }), Rtnl.open({ netns: path })]);
  closing.push(() => Promise.all([homeLinks.close(), insideLinks.close()]));
  const places: OuterNamespaces = { path, home: homeLinks, inside: insideLinks };
  const directory = directoryOfTest();
  return { home, outside, path, guest, places, directory };
}

/** Runs a server in a namespace until the test ends, and waits for the sign by which its spec is ready. */
async function serve({ argv, netns = '', readiness }: ProcessSpec): Promise<ChildProcess> {
  const [program, ...rest] = argv;
  const child = inNetns(netns, () => spawn(program, rest, { stdio: ['ignore', 'pipe', 'pipe'] }));
  const ended = new Promise((resolve) => child.once('exit', resolve));
  closing.push(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (data: Buffer) => {
      said += data.toString();
    });
  const sign = readiness?.kind === 'line' ? readiness.text : '';
  await vi.waitFor(() => expect(said).toContain(sign), WAIT);
  return child;
}

function confFile(directory: string, name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

const answers = (netns: string, address: string) =>
  runToEnd(['ping', '-n', '-c', '1', '-W', '1', address], { netns }).status === 0;

test('an IPv4 host outside reaches a guest at its address, the guest reaches IPv4, and an unmapped address goes nowhere', async () => {
  const { outside, guest, path, places, directory } = await site();
  await makeOuter(OUTER, places);
  expect(await outerFlaws(OUTER, places)).toEqual([]);
  const configFile = confFile(directory, 'tayga.conf', taygaConf(TRANSLATION, directory));
  const spec = taygaProcess({ name: 'tayga-1001', network: 'blue', netns: path, configFile });
  const tayga = await serve(spec);
  await vi.waitFor(() => expect(answers(outside, '198.51.100.20')).toBe(true), WAIT);
  // The guest has an address of its own outside.
  await vi.waitFor(() => expect(answers(guest, 'fd64:64::198.51.100.1')).toBe(true), WAIT);
  // Nobody has this one: no answer to ARP, and behind a route no loop.
  expect(answers(outside, '198.51.100.30')).toBe(false);
  ip(outside, 'route add 203.0.113.0/24 via 198.51.100.10');
  expect(inside(path, 'ip', 'route', 'get', '198.51.100.1')).toContain('outer');
  expect(runToEnd(['ip', 'route', 'get', '203.0.113.9'], { netns: path }).status).not.toBe(0);
  // Another guest shares the address of the router.
  ip(
    guest,
    'address add fd64::99/64 dev eth0 nodad',
    'address change fd64::200:ff:fe00:1001/64 dev eth0 preferred_lft 0',
  );
  await vi.waitFor(() => expect(answers(guest, 'fd64:64::198.51.100.1')).toBe(true), WAIT);
  // Another translator takes over where the first one died.
  tayga.kill('SIGKILL');
  await vi.waitFor(() => expect(answers(outside, '198.51.100.20')).toBe(false), WAIT);
  await serve(spec);
  await vi.waitFor(() => expect(answers(outside, '198.51.100.20')).toBe(true), WAIT);
});

function socketIn(netns: string, address: '0.0.0.0' | '::', port: number): Socket {
  const socket = createSocket(address === '::' ? 'udp6' : 'udp4');
  socket.bind({ fd: boundDatagrams({ address: address as Ip, port, device: 'eth0', netns }) });
  closing.push(() => socket.close());
  return socket;
}

/** The ports of `listeners` that hear what is sent to each of them, in order. The last one must be one that hears it. */
async function hearing(sender: Socket, address: string, listeners: ReadonlyMap<number, Socket>) {
  const heard = new Set<number>();
  for (const [port, socket] of listeners) socket.on('message', () => heard.add(port));
  const last = [...listeners.keys()].at(-1);
  await vi.waitFor(() => {
    for (const port of listeners.keys()) sender.send('hello', port, address);
    expect(heard).toContain(last);
  }, WAIT);
  return [...heard];
}

test('a guest reaches neither VXLAN nor another port of Meshwork outside', async () => {
  const { outside, guest, path, places, directory } = await site();
  await makeOuter(OUTER, places);
  const configFile = confFile(directory, 'tayga.conf', taygaConf(TRANSLATION, directory));
  await serve(taygaProcess({ name: 'tayga-1001', network: 'blue', netns: path, configFile }));
  await vi.waitFor(() => expect(answers(guest, 'fd64:64::198.51.100.1')).toBe(true), WAIT);
  const ports = [4_789, 8_005, 8_472, 9_000];
  const listeners = (netns: string, address: '0.0.0.0' | '::') =>
    new Map(ports.map((port) => [port, socketIn(netns, address, port)]));
  expect(await hearing(socketIn(guest, '::', 0), 'fd64:64::c633:6401', listeners(outside, '0.0.0.0'))).toEqual([9_000]);
  expect(await hearing(socketIn(outside, '0.0.0.0', 0), '198.51.100.20', listeners(guest, '::'))).toEqual([9_000]);
  // Nothing listens: a packet that arrives is answered with a refusal.
  const refusal = (port: number) =>
    runToEnd(['busybox', 'nc', '-w', '1', 'fd64:64::c633:6401', String(port)], { netns: guest }).stderr;
  expect(refusal(9_000)).toContain('refused');
  for (const port of [8_000, 8_001, 8_004]) expect(refusal(port)).not.toContain('refused');
});

test('DNS64 makes up addresses of hosts that have IPv4 alone', async () => {
  const { guest, path, places, directory } = await site();
  await makeOuter(OUTER, places);
  const upstream = confFile(
    directory,
    'upstream.conf',
    'port=53\nno-resolv\nno-hosts\nlisten-address=127.0.0.1\nbind-interfaces\nhost-record=old.example,198.51.100.1\nhost-record=new.example,2001:db8::9\nlog-facility=-\npid-file=\nuser=root\n',
  );
  await serve({
    ...{ name: 'dnsmasq', title: 'dnsmasq', netns: path },
    argv: ['dnsmasq', '--keep-in-foreground', `--conf-file=${upstream}`],
    readiness: { kind: 'line', text: 'started' },
  });
  const resolution = {
    address: 'fd64::1' as Ipv6,
    guests: ['fd64::/64' as Ipv6Cidr],
    prefix: TRANSLATION.prefix,
    forwarders: ['127.0.0.1' as Ipv4],
  };
  const configFile = confFile(directory, 'unbound.conf', unboundConf(resolution));
  await serve(unboundProcess({ name: 'unbound-1001', network: 'blue', netns: path, configFile }));
  const resolver = new Resolver({ timeout: 2_000, tries: 3 });
  resolver.setServers(['fd64::1']);
  const aaaa = (name: string) => inNetns(guest, () => resolver.resolve6(name));
  expect(await aaaa('old.example')).toEqual(['fd64:64::c633:6401']);
  expect(await aaaa('new.example')).toEqual(['2001:db8::9']);
});

test('the active router of two translates; the other one leads to it, and takes over with the addresses', async () => {
  const { outside, guest, network, routers } = routerPair(closing);
  ip(outside, 'address add 198.51.100.1/24 dev br0');
  // The guest knows the router that is not active at first.
  const { linkLocal } = serviceAddresses(network, PAIR[1]);
  ip(guest, `address add ${GUEST}/64 dev eth0 nodad`, `route add default via ${linkLocal} dev eth0`);
  const given = (active: MachineWord): AssignedNat64 => ({
    ...{ kind: 'nat64', id: active, active },
    ...{ guests: ['fd64::/64' as Ipv6Cidr], prefix: TRANSLATION.prefix, maps: TRANSLATION.maps },
    ...{ device: 'eth0', address: '198.51.100.10' as Ipv4, length: 24, block: '198.51.100.0/26' as Ipv4Cidr },
  });
  const running: ChildProcess[] = [];
  const turnTo = async (active: MachineWord, on: readonly PairedRouter[]) => {
    for (const router of on) {
      for (const { process, files } of (await router.serve([given(active)])).servers) {
        for (const file of files) writeFileSync(file.path, file.content);
        running.push(await serve(process));
      }
    }
  };
  const isReached = () => expect(answers(outside, '198.51.100.20')).toBe(true);
  await turnTo(PAIR[0], routers);
  expect(running).toHaveLength(1);
  await vi.waitFor(isReached, WAIT);
  await vi.waitFor(() => expect(answers(guest, 'fd64:64::198.51.100.1')).toBe(true), WAIT);
  // The active router loses power: its ways are gone, and nothing of it says goodbye.
  const [first, second] = routers;
  ip(first.home, 'link set eth0 down', 'link set vx down');
  ip(guest, 'link set eth0 down');
  running[0]?.kill('SIGKILL');
  ip(second.home, `link add port type veth peer name eth1 netns ${guest}`, 'link set port master br1001 up');
  ip(
    guest,
    `address add ${GUEST}/64 dev eth1 nodad`,
    'link set eth1 up',
    `route add default via ${linkLocal} dev eth1`,
  );
  expect(answers(outside, '198.51.100.20')).toBe(false);
  await turnTo(PAIR[1], [second]);
  await vi.waitFor(isReached, WAIT);
  await vi.waitFor(() => expect(answers(guest, 'fd64:64::198.51.100.1')).toBe(true), WAIT);
});

test('what an outsider changes is seen and put right, and all goes with the way out', async () => {
  const { path, places } = await site();
  expect(await outerFlaws(undefined, places)).toEqual([]);
  expect(await outerFlaws(OUTER, places)).not.toEqual([]);
  await makeOuter(OUTER, places);
  for (const damage of [
    'route del 198.51.100.20/32',
    'link set nat64 down',
    'address del 198.51.100.10/24 dev outer',
    'link del outer',
    'link del nat64',
  ]) {
    ip(path, damage);
    expect(await outerFlaws(OUTER, places), damage).not.toEqual([]);
    await makeOuter(OUTER, places);
    expect(await outerFlaws(OUTER, places), damage).toEqual([]);
  }
  // As an agent of an earlier version made it, and as an outsider empties it.
  const older =
    'table inet meshwork-outer { chain through { type filter hook forward priority filter; policy accept; }; }';
  for (const rules of [`flush ruleset; ${older}`, 'flush chain inet meshwork-outer through']) {
    inside(path, 'nft', rules);
    expect(await outerFlaws(OUTER, places), rules).not.toEqual([]);
    await makeOuter(OUTER, places);
    expect(await outerFlaws(OUTER, places), rules).toEqual([]);
  }
  expect(await outerFlaws({ ...OUTER, vxlanPorts: [9_999] }, places)).not.toEqual([]);
  const fewer = { ...OUTER, translation: { ...TRANSLATION, maps: [] } };
  await makeOuter(fewer, places);
  expect(inside(path, 'ip', 'route')).not.toContain('198.51.100.20');
  await expect(makeOuter({ ...OUTER, device: 'eth7', mac: '02:6d:00:00:00:02' as Mac }, places)).rejects.toMatchObject({
    code: 'MESH_UNDERLAY_DEVICE',
  });
  await removeOuter(places);
  expect(await outerFlaws(undefined, places)).toEqual([]);
  expect(inside(path, 'ip', '-o', 'link')).not.toMatch(/outer|nat64/);
  expect(inside(path, 'nft', 'list', 'ruleset')).toBe('');
});
