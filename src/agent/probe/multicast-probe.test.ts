/** The multicast probe on a real kernel: three hosts on a bridge that is a switch with and without flooding. */
import { afterEach, expect, onTestFinished, test } from 'vitest';
import { carriesPackets, inside, ip } from '../../../test/kit/namespaces.ts';
import { GroupSocket } from '../../kernel/multicast/group-socket.ts';
import { temporaryNetns } from '../../kernel/netns.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import { systemClock } from '../../model/clock.ts';
import type { MachineWord } from '../../model/machine.ts';
import type { NetworkId } from '../../model/network/number.ts';
import { MulticastProbe } from './multicast-probe.ts';

const NETWORK = 'net-ff01' as NetworkId;
const MACHINES = ['aaaaaaaa', 'bbbbbbbb', 'cccccccc'] as MachineWord[];
const closing: (() => void)[] = [];

afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** Three hosts `eth0` at ports of one bridge, which snoops. */
function lan() {
  const middle = temporaryNetns();
  closing.push(() => middle.close());
  ip(middle.path, 'link add br0 type bridge mcast_snooping 1', 'link set br0 up');
  return MACHINES.map((machine, number) => {
    const host = temporaryNetns();
    closing.push(() => host.close());
    ip(
      middle.path,
      `link add port${number} type veth peer name eth0 netns ${host.path}`,
      `link set port${number} master br0 up`,
    );
    ip(host.path, 'link set lo up', `address add fd09::${number + 1}/64 dev eth0 nodad`, 'link set eth0 up');
    carriesPackets(host.path, 'eth0');
    return { machine, netns: host.path, middle: middle.path, port: `port${number}` };
  });
}

function probeOn({ machine, netns }: { readonly machine: MachineWord; readonly netns: string }) {
  const index = Number(inside(netns, 'cat', '/sys/class/net/eth0/ifindex').trim() || 1);
  const probe = new MulticastProbe({
    machine,
    clock: systemClock,
    random: Math.random,
    ipv4On: () => undefined,
    open: (place) => GroupSocket.open({ ...place, netns }),
  });
  closing.unshift(() => probe.close());
  const place = { network: NETWORK, name: 'blue', number: 'ff01', family: 'ipv6' as const, device: 'eth0', index };
  const follow = () => probe.follow([{ ...place, group: 'ff05::ff01' as Ipv6, hops: [1, 8] }]);
  return { probe, follow };
}

/** Resolves when `isSo` holds; fails after 15 s, five times what a node promises. */
async function becomes(probes: readonly MulticastProbe[], isSo: () => boolean): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const late = setTimeout(() => reject(new Error(JSON.stringify(probes.map((probe) => probe.hearings)))), 15_000);
  const look = () => isSo() && resolve();
  const ends = probes.map((probe) => probe.changes.subscribe(look));
  onTestFinished(() => {
    for (const end of ends) end();
    clearTimeout(late);
  });
  look();
  await promise;
}

const heardBy = (probe: MulticastProbe) => probe.hearings?.[NETWORK]?.hears.map(({ machine }) => machine) ?? [];
const isSettled = (probe: MulticastProbe) => probe.hearings?.[NETWORK]?.settled === true;

test('hosts on one wire hear each other without a router between', async () => {
  const probes = lan().map(probeOn);
  for (const { follow } of probes) follow();
  const all = probes.map(({ probe }) => probe);
  await becomes(all, () => all.every((probe) => isSettled(probe) && heardBy(probe).length === 2));
  expect(all.map((probe) => probe.hearings?.[NETWORK]?.hears.map(({ hops }) => hops))).toEqual([
    [1, 1],
    [1, 1],
    [1, 1],
  ]);
  expect(all.flatMap((probe) => probe.health())).toEqual([]);
});

test('behind a port that gets no multicast a host hears nobody, and the others hear that host', async () => {
  const hosts = lan();
  const [last] = hosts.slice(-1);
  if (last === undefined) throw new Error('three hosts');
  // As a switch does that snoops, and has forgotten the listener there.
  const chain = 'table bridge wall { chain through { type filter hook forward priority 0; oifname "port2" drop; }; }';
  inside(last.middle, 'nft', chain);
  const probes = hosts.map(probeOn);
  for (const { follow } of probes) follow();
  const all = probes.map(({ probe }) => probe);
  await becomes(all, () => all.every(isSettled) && all.slice(0, 2).every((probe) => heardBy(probe).length === 2));
  expect(heardBy(all[2] as MulticastProbe)).toEqual([]);
});

test('a group is joined again, and by a second network on the device, and left by the last one', () => {
  const [host] = lan();
  if (host === undefined) throw new Error('a host');
  const { probe } = probeOn(host);
  const group = 'ff05::ff01' as Ipv6;
  const common = { group, family: 'ipv6' as const, device: 'eth0', index: 2, hops: [1] };
  const blue = { ...common, network: NETWORK, name: 'blue', number: 'ff01' };
  const red = { ...common, network: 'net-ff02' as NetworkId, name: 'red', number: 'ff02' };
  const other = { ...red, group: 'ff05::ff02' as Ipv6 };
  const isIn = () => inside(host.netns, 'ip', '-6', 'maddress', 'show', 'dev', 'eth0').includes(group);
  for (const places of [[blue, red], [red], [{ ...red, hops: [2] }], [blue, { ...red, hops: [2] }]]) {
    probe.follow(places);
    expect(probe.health()).toEqual([]);
    expect(isIn()).toBe(true);
  }
  // The socket stays, for another group, and the switch need not send this one any more.
  probe.follow([other]);
  expect(isIn()).toBe(false);
  probe.follow([other, blue]);
  expect(probe.health()).toEqual([]);
  expect(isIn()).toBe(true);
});

test('a group that cannot be joined is a finding, which goes with the network', () => {
  const [host] = lan();
  if (host === undefined) throw new Error('a host');
  const probe = new MulticastProbe({
    machine: host.machine,
    clock: systemClock,
    random: Math.random,
    ipv4On: () => undefined,
    open: (place) => GroupSocket.open({ ...place, netns: host.netns, device: 'eth7' }),
  });
  const place = { network: NETWORK, name: 'blue', number: 'ff01', family: 'ipv6' as const, device: 'eth7', index: 9 };
  probe.follow([{ ...place, group: 'ff05::ff01' as Ipv6, hops: [1] }]);
  expect(probe.health()).toMatchObject([{ code: 'MESH_MULTICAST_SILENT', object: 'blue' }]);
  expect(probe.hearings).toBeUndefined();
  probe.follow([]);
  expect(probe.health()).toEqual([]);
});
