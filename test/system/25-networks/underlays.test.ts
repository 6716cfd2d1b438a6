/**
 * Networks of host0: on four hosts over IPv6 with assigned peers, and on three with multicast; nodes with and without a disk start
 * without host0.
 */
import { rmSync } from 'node:fs';
import { beforeAll, expect, test } from 'vitest';
import { netnsPath } from '../../../src/kernel/netns.ts';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import { agentClient } from '../../../src/protocol/calls/control-client.ts';
import { pathsBelow } from '../../../src/protocol/documents/paths.ts';
import { inside } from '../../kit/namespaces.ts';
import { noDrift, statusOf } from '../drift.ts';
import { forAllTests } from '../for-all-tests.ts';
import { Guest } from '../guest.ts';
import { meshOn } from '../mesh-command.ts';
import { Pings } from '../pings.ts';
import { allReachable } from '../reach.ts';
import { until } from '../until.ts';

/** host0 starts within two seconds, and nodes call it each three. */
const DEADLINE_MS = 25_000;
/** Five times the five seconds after which all pairs reach each other. */
const READY_DEADLINE_MS = 25_000;

const shared = forAllTests();
let lab: Lab;
let hosts: readonly LabHost[];
let host0: LabHost;
let node1: LabHost;
let node2: LabHost;
let node3: LabHost;
/** One behind each host, in the network `six`. */
let guests: Guest[];

beforeAll(async () => {
  lab = shared.use(
    await Lab.up({ name: `underlays-${process.pid}`, nodes: 3, segments: 1, deadlineMs: READY_DEADLINE_MS }),
  );
  hosts = lab.hosts;
  [host0, node1, node2, node3] = ['host0', 'node1', 'node2', 'node3'].map((name) => lab.host(name)) as [
    LabHost,
    LabHost,
    LabHost,
    LabHost,
  ];
  for (const [at, host] of hosts.entries()) addIpv6(host, at);
  guests = hosts.map((host, at) => shared.use(Guest.behind(host, 'vm', `fd99::1${at}`)));
});

/** The underlay has IPv6, too. */
function addIpv6(host: LabHost, at: number): void {
  const { device = '' } = host.ports[0] ?? {};
  inside(netnsPath(host.netns), 'ip', 'address', 'add', `fd00:11::${at + 1}/64`, 'dev', device, 'nodad');
}

/** Runs a command of a host's administrator. */
async function mesh(host: LabHost, ...words: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await meshOn(host, ...words);
  if (code !== 0) throw new Error(`${words.join(' ')}: ${stdout}${stderr}`);
  return stdout;
}

const apply = (yaml: string) =>
  lab.exec(host0, ['sh', '-c', 'printf %b "$0" | mesh network apply -', yaml.replaceAll('\n', '\\n')]);

const plug = (host: LabHost, port: string, network: string) =>
  agentClient(pathsBelow(host.root)).ask('PUT /v1/ports/{interface}', { path: { interface: port }, body: { network } });

/** All guests of the list reach each other. */
async function talk(among: readonly Guest[]): Promise<void> {
  const othersOf = (guest: Guest) => among.filter((other) => other !== guest).map(({ address }) => address);
  await Promise.all(among.map((guest) => allReachable(guest.netns, othersOf(guest))));
}

/** A ping each few milliseconds between two guests whose hosts are not touched. */
const steady = () => Pings.start((guests[0] as Guest).netns, (guests[1] as Guest).address);

test('over IPv6, host0 tells the nodes where the others are, and the guests behind all four hosts reach each other', async () => {
  await until('six is made', DEADLINE_MS, async () => {
    return (await apply('name: six\ntype: { kind: vxlan, underlay: ipv6 }\n')).code === 0;
  });
  for (const host of hosts) await plug(host, 'vm', 'six');
  await talk(guests);
  await noDrift(hosts);
  const ping = JSON.parse(await mesh(node1, '--json', 'ping', 'six', 'node2', '-c', '1'));
  expect(ping).toMatchObject({ received: 1, from: { underlay: 'fd00:11::2' }, to: { underlay: 'fd00:11::3' } });
});

test('without host0, a node with a disk has its networks after a reboot, and one without a disk says why it has none', async () => {
  using pings = await steady();
  await lab.stop(host0, 'host0');
  await lab.rebootHost(node2);
  addIpv6(node2, 2);
  guests[2] = shared.use(Guest.behind(node2, 'vm', 'fd99::12'));
  // What is in memory is gone. Its key comes with each boot.
  await lab.stop(node3, 'agent');
  rmSync(pathsBelow(node3.root).state, { recursive: true });
  await lab.rebootHost(node3);
  addIpv6(node3, 3);
  guests[3] = shared.use(Guest.behind(node3, 'vm', 'fd99::13'));
  await until('the agent of node3 answers', DEADLINE_MS, () => agentClient(pathsBelow(node3.root)).answers());
  await plug(node3, 'vm', 'six');
  await talk(guests.slice(0, 3));
  expect((await statusOf(node2))?.assignment).toMatchObject({ state: 'in force', from: 'disk' });
  expect((await meshOn(node3, 'status')).stdout).toContain('pending (no assignment yet)');
  expect(await mesh(node3, 'port', 'list')).toContain('host0 has not given this network yet');

  lab.start(host0, 'host0');
  await talk(guests);
  expect((await statusOf(node3))?.assignment).toMatchObject({ state: 'in force', from: 'host0' });
  expect(await pings.lost()).toBe('');
  await noDrift(hosts);
});

test('with multicast peers, the VTEPs of three nodes find each other without host0, and the guests reach each other', async () => {
  const network = 'name: many\ntype: { kind: vxlan, underlay: ipv6, dev: eth0 }\npeers: { kind: multicast }\n';
  expect(await apply(network)).toMatchObject({ code: 0 });
  const nodes = [node1, node2, node3];
  for (const host of nodes) {
    await agentClient(pathsBelow(host.root)).ask('DELETE /v1/ports/{interface}', { path: { interface: 'vm' } });
    expect(await plug(host, 'vm', 'many')).toMatchObject({ networkName: 'many' });
  }
  await noDrift(nodes);
  await lab.stop(host0, 'host0');
  await talk(guests.slice(1));
  const floods = inside(netnsPath(node1.netns), 'bridge', 'fdb', 'show', 'dev', 'vxlan1002');
  expect(floods).toMatch(/^00:00:00:00:00:00 dst ff05::1002 .*via eth0/m);
  lab.start(host0, 'host0');
  await noDrift(nodes);
});
