/** Two meshes on one node with IP forwarding: neither reaches the other or the underlay, and the underlay reaches neither. */
import { beforeAll, describe, expect, test } from 'vitest';
import type { Ip } from '../../../src/kernel/ip.ts';
import { netnsPath } from '../../../src/kernel/netns.ts';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import { parseIpv4 } from '../../../src/model/address/ipv4.ts';
import { parseIpv6 } from '../../../src/model/address/ipv6.ts';
import { addressIn, SECOND_MESH, writeMesh } from '../../kit/lab-networks.ts';
import { inside } from '../../kit/namespaces.ts';
import { type BridgeNetfilter, setBridgeNetfilter } from '../bridge-netfilter.ts';
import { isReady, noDrift } from '../drift.ts';
import { forAllTests } from '../for-all-tests.ts';
import { Guest } from '../guest.ts';
import { allAnswer, allReachable, reachable } from '../reach.ts';
import { Stranger } from '../stranger.ts';
import { until } from '../until.ts';

const shared = forAllTests();
let lab: Lab;
let strangers: Stranger[] = [];
const guests = new Map<string, Guest>();
/** The IPv6 address of node1 on the underlay. */
const UNDERLAY_OF_NODE1 = parseIpv6('fd77:0::2');
const COUNTED_DEADLINE_MS = 15_000;

const MESHES = [
  { mesh: 'manage', bridge: 'br456', number: 99 },
  { mesh: 'second', bridge: 'br457', number: 98 },
] as const;

beforeAll(async () => {
  lab = shared.use(await Lab.up({ name: `separation-${process.pid}`, nodes: 2, segments: 2 }));
  for (const host of lab.hosts) writeMesh(host, SECOND_MESH);
  await allAnswer(SECOND_MESH, lab.hosts);
  const [node1, node2] = [lab.host('node1'), lab.host('node2')];
  const inside1 = (...command: string[]) => inside(netnsPath(node1.netns), ...command);
  strangers = [0, 1].map((segment) => shared.use(Stranger.on(lab, segment)));
  inside1('ip', 'address', 'add', `${UNDERLAY_OF_NODE1}/64`, 'dev', node1.ports[0]?.device ?? '', 'nodad');
  inside1('sysctl', '-qw', 'net.ipv6.conf.all.forwarding=1', 'net.ipv4.ip_forward=1');

  for (const { mesh, bridge, number } of MESHES) {
    const routers = { node1: parseIpv4(`10.${number}.0.254`), node2: parseIpv4(`10.${number}.0.253`) };
    const prefix = mesh === 'manage' ? 'fd42:2345:1234:9abc' : 'fd42:2345:1234:9abd';
    for (const [index, node] of [node1, node2].entries()) {
      const guest = shared.use(Guest.behind(node, `${mesh}0`, `${prefix}:9::${index + 1}`));
      guests.set(`${mesh} ${node.name}`, guest);
      await lab.exec(node, ['ip', 'link', 'set', guest.port, 'master', bridge]);
      const gateway = mesh === 'manage' ? node.member.ipv6 : addressIn(SECOND_MESH, node);
      const gateway4 = node === node1 ? routers.node1 : routers.node2;
      inside(netnsPath(node.netns), 'ip', 'address', 'add', `${gateway4}/24`, 'dev', bridge);
      guest.run('ip', 'address', 'add', `${ipv4Of(number, index)}/24`, 'dev', 'eth0');
      guest.run('ip', 'route', 'add', 'default', 'via', gateway4);
      guest.run('ip', '-6', 'route', 'add', 'default', 'via', gateway);
    }
    strangers[0]?.run('ip', 'route', 'add', `10.${number}.0.0/24`, 'via', node1.member.ipv4);
    strangers[0]?.run('ip', '-6', 'route', 'add', `${prefix}::/64`, 'via', UNDERLAY_OF_NODE1);
  }
});

function ipv4Of(number: number, index: number): Ip {
  return parseIpv4(`10.${number}.0.${index + 1}`);
}

function guestOf(name: string): Guest {
  const guest = guests.get(name);
  if (guest === undefined) throw new RangeError(name);
  return guest;
}

function strangerOn(segment: number): Stranger {
  const stranger = strangers[segment];
  if (stranger === undefined) throw new RangeError(`no stranger on ${segment}`);
  return stranger;
}

/** Senders, and the addresses that each must not reach. */
function forbidden(): { readonly from: string; readonly netns: string; readonly to: readonly Ip[] }[] {
  const node1 = lab.host('node1');
  const [manage, second, stranger] = [guestOf('manage node1'), guestOf('second node1'), strangerOn(0)];
  const underlay: Ip[] = [node1.member.ipv4, UNDERLAY_OF_NODE1, stranger.ipv4, stranger.ipv6];
  return [
    {
      from: 'a guest of the first mesh',
      netns: manage.netns,
      to: [second.address, ipv4Of(98, 0), addressIn(SECOND_MESH, node1), parseIpv4('10.98.0.254'), ...underlay],
    },
    {
      from: 'a guest of the second mesh',
      netns: second.netns,
      to: [manage.address, ipv4Of(99, 0), node1.member.ipv6, parseIpv4('10.99.0.254'), ...underlay],
    },
    {
      from: 'the underlay',
      netns: stranger.netns,
      to: [manage.address, ipv4Of(99, 0), second.address, ipv4Of(98, 0), node1.member.ipv6],
    },
  ];
}

async function trespasses(): Promise<Record<string, Ip[]>> {
  const found = await Promise.all(
    forbidden().map(async ({ from, netns, to }) => [from, await reachable(netns, to)] as const),
  );
  return Object.fromEntries(found.filter(([, answers]) => answers.length > 0));
}

describe.each<BridgeNetfilter>(['off', 'on'])('with bridge-nf-call %s', (state) => {
  test('each mesh reaches its own addresses, and nothing else', async () => {
    setBridgeNetfilter(lab.hosts, state);
    const [node1, node2] = [lab.host('node1'), lab.host('node2')];
    for (const [{ mesh, number }, members] of [
      [MESHES[0], [node1.member.ipv6, node2.member.ipv6, lab.host('host0').member.ipv6]],
      [MESHES[1], lab.hosts.map((host) => addressIn(SECOND_MESH, host))],
    ] as const) {
      const far = guestOf(`${mesh} node2`).address;
      const own = [...members, far, ipv4Of(number, 1), parseIpv4(`10.${number}.0.254`)];
      await allReachable(guestOf(`${mesh} node1`).netns, own);
    }
    expect(await trespasses()).toEqual({});
  });
});

test('without the rules the meshes are not separated', async () => {
  const node1 = lab.host('node1');
  await lab.stop(node1, 'agent', 'SIGKILL');
  inside(netnsPath(node1.netns), 'nft', 'delete', 'table', 'inet', 'meshwork');
  for (const { netns, to } of forbidden()) await allReachable(netns, to);
  lab.start(node1, 'agent');
  await isReady(node1);
  await noDrift([node1]);
  expect(await trespasses()).toEqual({});
});

test('host0 forwards VXLAN between its segments, and nothing else', async () => {
  const [near, far] = [strangerOn(0), strangerOn(1)];
  near.run('ip', 'route', 'add', '10.11.1.0/24', 'via', '10.11.0.1');
  far.run('ip', 'route', 'add', '10.11.0.0/24', 'via', '10.11.1.1');
  await allReachable(near.netns, [parseIpv4('10.11.0.1')]);
  expect(await reachable(near.netns, [far.ipv4])).toEqual([]);
  // A closed port would answer with a reset, curl's exit code 7; 28 is a timeout.
  expect(near.run('sh', '-c', `curl -s --max-time 1 http://${far.ipv4}:1/ || echo $?`)).toBe('28\n');

  const before = datagramsAt(far);
  for (const port of [4790, 53, 4789]) near.run('bash', '-c', `echo >/dev/udp/${far.ipv4}/${port}`);
  await until('the datagram for VXLAN has come', COUNTED_DEADLINE_MS, () => datagramsAt(far) > before);
  expect(datagramsAt(far)).toBe(before + 1);
});

/** The number of datagrams to closed ports (NoPorts): the second number of the second line that begins with `Udp:`. */
function datagramsAt(stranger: Stranger): number {
  const [, counts] = stranger.run('grep', '^Udp:', '/proc/net/snmp').split('\n');
  return Number(counts?.split(' ')[2]);
}

test('no host has drifted', async () => {
  await noDrift(lab.hosts);
});
