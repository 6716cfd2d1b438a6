/** What guests cannot do to the hosts and to each other, and that TCP works for guests with a larger MTU. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { beforeAll, describe, expect, test } from 'vitest';
import { inNetns, netnsPath } from '../../../src/kernel/netns.ts';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import { parseIpv4 } from '../../../src/model/address/ipv4.ts';
import type { PingResult } from '../../../src/protocol/documents/views.ts';
import { inside } from '../../kit/namespaces.ts';
import { type BridgeNetfilter, setBridgeNetfilter } from '../bridge-netfilter.ts';
import { isReady, noDrift } from '../drift.ts';
import { forAllTests } from '../for-all-tests.ts';
import { Guest } from '../guest.ts';
import { meshOn } from '../mesh-command.ts';
import { allReachable } from '../reach.ts';
import { until } from '../until.ts';
import { advertiseRouter, offerLease, storm } from './rogue.ts';

const ARRIVAL_DEADLINE_MS = 15_000;
const LISTENING_DEADLINE_MS = 10_000;
const TRANSFER_DEADLINE_SEC = 20;
const SENT_BYTES = 12_000_000;
/** Less than was sent: iperf3 stops counting when the sender has sent everything, while some is still on its way. */
const RECEIVED_BYTES = 4_000_000;
/** Without the MSS clamp only the first TCP segments come through. */
const STALLED_SEC = 2;
const FLOOD_BURST = 1000;

const shared = forAllTests();
let lab: Lab;
let node1: LabHost;
let node2: LabHost;
/** Put on the bridge of node1 by hand, like an administrator's router. */
let trusted: Guest;
/** Plugged in by `mesh port plug` on node1. */
let plugged: Guest;
/** Plugged in by `mesh port plug` on node2. */
let far: Guest;

const IPV4 = { trusted: '10.97.0.1', plugged: '10.97.0.2', far: '10.97.0.3' } as const;

beforeAll(async () => {
  lab = shared.use(await Lab.up({ name: `guests-${process.pid}`, nodes: 2, segments: 2 }));
  [node1, node2] = [lab.host('node1'), lab.host('node2')];
  trusted = shared.use(Guest.behind(node1, 'trusted0', 'fd42:2345:1234:9abc:9::1'));
  plugged = shared.use(Guest.behind(node1, 'plugged0', 'fd42:2345:1234:9abc:9::2'));
  far = shared.use(Guest.behind(node2, 'far0', 'fd42:2345:1234:9abc:9::3'));
  for (const [guest, ipv4] of [
    [trusted, IPV4.trusted],
    [plugged, IPV4.plugged],
    [far, IPV4.far],
  ] as const) {
    guest.run('ip', 'address', 'add', `${ipv4}/24`, 'dev', 'eth0');
    guest.run('ip', 'address', 'add', `fe80::9:${ipv4.slice(-1)}/64`, 'dev', 'eth0', 'nodad');
    guest.run('sysctl', '-qw', 'net.ipv6.conf.eth0.accept_ra=0');
  }
  await lab.exec(node1, ['ip', 'link', 'set', trusted.port, 'master', 'br456']);
  await meshOn(node1, 'port', 'plug', 'manage', plugged.port);
  await meshOn(node2, 'port', 'plug', 'manage', far.port);
  await allReachable(plugged.netns, [far.address, trusted.address]);
  const tentative = ({ netns }: LabHost) => inside(netnsPath(netns), 'ip', '-6', 'address', 'show', 'tentative') !== '';
  await until('the kernel has its own addresses', ARRIVAL_DEADLINE_MS, () => !lab.hosts.some(tentative));
});

/** The number of router advertisements that a host has received in the mesh. */
function advertisementsAt({ netns }: LabHost): number {
  const counts = inside(netnsPath(netns), 'cat', '/proc/net/dev_snmp6/br456');
  return Number(/Icmp6InRouterAdvertisements\s+(\d+)/.exec(counts)?.[1]);
}

/** The number of IPv4 broadcasts that a namespace has received: a field of the second line that begins with `IpExt:`. */
function broadcastsAt(netns: string): number {
  const [names = '', counts = ''] = inside(netns, 'grep', '^IpExt:', '/proc/net/netstat').split('\n');
  return Number(counts.split(' ')[names.split(' ').indexOf('InBcastPkts')]);
}

/** Everything on a host that an advertisement or a lease could change. */
function configurationOf({ netns }: LabHost): string {
  const commands = [
    'ip -o -6 address | sed "s/valid_lft.*//"',
    'ip -o -4 address',
    'ip -6 route show table all',
    'ip -4 route show table all',
    'cat /proc/sys/net/ipv6/conf/*456/accept_ra /proc/sys/net/ipv6/conf/*456/autoconf',
    'cat /proc/sys/net/ipv6/conf/*456/hop_limit',
  ];
  return inside(netnsPath(netns), 'sh', '-c', commands.join('; '));
}

describe('advertisements and offers', () => {
  test('of an unplugged router change nothing on any host', async () => {
    const before = lab.hosts.map(configurationOf);
    const heard = lab.hosts.map(advertisementsAt);
    const offered = broadcastsAt(netnsPath(node2.netns));
    advertiseRouter(trusted.netns, 'fd66::');
    offerLease(trusted.netns);
    await until('every host hears the advertisement', ARRIVAL_DEADLINE_MS, () =>
      lab.hosts.every((host, index) => advertisementsAt(host) === (heard[index] ?? 0) + 1),
    );
    await until('the offer arrives', ARRIVAL_DEADLINE_MS, () => broadcastsAt(netnsPath(node2.netns)) > offered);
    expect(lab.hosts.map(configurationOf)).toEqual(before);
    for (const { netns } of lab.hosts) {
      const settings = inside(netnsPath(netns), 'sh', '-c', 'cat /proc/sys/net/ipv6/conf/*456/accept_ra');
      expect(settings).toBe('0\n0\n');
    }
  });

  test('of a plugged guest reach no host and no guest', async () => {
    const heard = lab.hosts.map(advertisementsAt);
    const offered = [netnsPath(node1.netns), far.netns, trusted.netns].map(broadcastsAt);
    advertiseRouter(plugged.netns, 'fd67::');
    offerLease(plugged.netns);
    // Echoes that are sent afterwards arrive, so the earlier packets would have arrived by now.
    await allReachable(plugged.netns, [far.address, trusted.address, node1.member.ipv6, parseIpv4(IPV4.far)]);
    expect(lab.hosts.map(advertisementsAt)).toEqual(heard);
    expect([netnsPath(node1.netns), far.netns, trusted.netns].map(broadcastsAt)).toEqual(offered);
  });
});

test('a storm of broadcasts ends at the node of its guest', async () => {
  const before = { near: broadcastsAt(trusted.netns), far: broadcastsAt(far.netns) };
  const startMs = performance.now();
  storm(plugged.netns, 10 * FLOOD_BURST);
  await until('the allowed broadcasts have arrived', ARRIVAL_DEADLINE_MS, () => {
    return broadcastsAt(far.netns) > before.far + FLOOD_BURST / 2;
  });
  const arrived = broadcastsAt(far.netns) - before.far;
  const refilled = ((performance.now() - startMs) / 1000) * FLOOD_BURST;
  expect(arrived).toBeLessThanOrEqual(FLOOD_BURST + refilled + 1);
  // On its own node broadcasts are not limited; a busy kernel may drop some.
  expect(broadcastsAt(trusted.netns) - before.near).toBeGreaterThan(3 * FLOOD_BURST);
  // Another guest of that node has a limit of its own.
  trusted.run('ip', 'neighbour', 'flush', 'dev', 'eth0');
  await allReachable(trusted.netns, [far.address]);
});

test('an interface whose name cannot be in a rule is not plugged in', async () => {
  inside(netnsPath(node1.netns), 'ip', 'link', 'add', 'a"b', 'type', 'veth');
  const { code, stderr } = await meshOn(node1, 'port', 'plug', 'manage', 'a"b');
  expect(code).not.toBe(0);
  expect(stderr).toContain('MESH_USAGE');
  // The rules also stay correct when such an interface is put on the bridge by hand.
  inside(netnsPath(node1.netns), 'ip', 'link', 'set', 'a"b', 'master', 'br456');
  await noDrift([node1]);
  inside(netnsPath(node1.netns), 'ip', 'link', 'delete', 'a"b');
});

describe.each<BridgeNetfilter>(['off', 'on'])('with bridge-nf-call %s', (state) => {
  test.each(['IPv6', 'IPv4'] as const)('TCP works between guests with an MTU of 1500, over %s', async (family) => {
    setBridgeNetfilter(lab.hosts, state);
    enlarge(node1, trusted);
    enlarge(node2, far);
    const [version, address] = family === 'IPv6' ? ['-6', far.address] : ['-4', IPV4.far];
    for (const direction of [[], ['--reverse']]) {
      const received = await transfer(version, address, TRANSFER_DEADLINE_SEC, ...direction);
      expect(received).toBeGreaterThan(RECEIVED_BYTES);
    }
  });
});

test('without the MSS clamp TCP stalls', async () => {
  // With bridge-nf-call on, the kernel itself tells a guest over IPv6 that its packets are too big.
  setBridgeNetfilter(lab.hosts, 'off');
  for (const node of [node1, node2]) {
    await lab.stop(node, 'agent', 'SIGKILL');
    inside(netnsPath(node.netns), 'nft', 'delete', 'table', 'bridge', 'meshwork');
  }
  await expect(transfer('-6', far.address, STALLED_SEC)).rejects.toThrow('terminated');
  for (const node of [node1, node2]) lab.start(node, 'agent');
  for (const node of [node1, node2]) await isReady(node);
  await noDrift(lab.hosts);
  expect(await transfer('-6', far.address, TRANSFER_DEADLINE_SEC)).toBeGreaterThan(RECEIVED_BYTES);
});

/** Sets an MTU of 1500 on both ends of the guest's veth pair, and turns segmentation offload off, as on a real link. */
function enlarge(host: LabHost, guest: Guest): void {
  inside(netnsPath(host.netns), 'ip', 'link', 'set', guest.port, 'mtu', '1500');
  guest.run('ip', 'link', 'set', 'eth0', 'mtu', '1500', 'gso_max_segs', '1');
}

/** Measures with iperf3 how many bytes the receiver got. @throws Error if iperf3 fails, or takes longer than the deadline */
async function transfer(version: string, to: string, deadlineSec: number, ...more: string[]): Promise<number> {
  const server = run(far.netns, 'iperf3', version, '--server', '--one-off', '--forceflush');
  const ended = once(server, 'close');
  try {
    await listening(server);
    const limits = ['--bytes', String(SENT_BYTES), '--json', ...more];
    const client = run(trusted.netns, 'timeout', String(deadlineSec), 'iperf3', version, '--client', to, ...limits);
    if (client.stdout === null) throw new TypeError('no stdout');
    const [report] = await Promise.all([text(client.stdout), once(client, 'close')]);
    const { error, end } = JSON.parse(report) as { error?: string; end?: { sum_received?: { bytes?: number } } };
    if (error !== undefined) throw new Error(error);
    return end?.sum_received?.bytes ?? 0;
  } finally {
    // The next server listens at the same port.
    server.kill('SIGKILL');
    await ended;
  }
}

function run(netns: string, command: string, ...rest: readonly string[]): ChildProcess {
  return inNetns(netns, () => spawn(command, rest, { stdio: ['ignore', 'pipe', 'inherit'] }));
}

async function listening({ stdout }: ChildProcess): Promise<void> {
  if (stdout === null) throw new TypeError('no stdout');
  const signal = AbortSignal.timeout(LISTENING_DEADLINE_MS);
  for await (const line of createInterface({ input: stdout, signal })) if (line.includes('listening')) return;
  throw new Error('the iperf3 server ended');
}

test('`mesh ping` proves the MTU that a mesh promises', async () => {
  const { code, stdout } = await meshOn(node1, 'ping', 'manage', 'node2', '--count', '1', '--json');
  expect(code).toBe(0);
  expect((JSON.parse(stdout) as PingResult).mtu).toEqual({ provedBytes: 1380, promisedBytes: 1380 });
});

test('no host has drifted', async () => {
  await noDrift(lab.hosts);
});
