/**
 * Networks of host0 on four hosts: over IPv6 with assigned peers, and with a multicast group. Nodes that start without host0, and a
 * host0 that starts without its store, stop nothing.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
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
  const { code, stdout, stderr } = await lab.exec(host, ['mesh', ...words]);
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

test('with a multicast group, the nodes find each other without host0', async () => {
  const { device = '' } = node1.ports[0] ?? {};
  await mesh(host0, 'network', 'create', 'many', '--peers', 'multicast', '--device', device);
  const loud = hosts.map((host, at) => shared.use(Guest.behind(host, 'loud', `fd98::1${at}`)));
  for (const host of hosts) await plug(host, 'loud', 'many');
  await talk(loud);
  const group = inside(netnsPath(node1.netns), 'ip', '-d', 'link', 'show', 'type', 'vxlan');
  expect(group).toMatch(/group ff05::1002 dev \S+/);
  await lab.stop(host0, 'host0');
  inside(netnsPath(node3.netns), 'ip', 'link', 'set', 'loud', 'down');
  inside(netnsPath(node3.netns), 'ip', 'link', 'set', 'loud', 'up');
  await talk(loud);
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
  await until('node3 answers', DEADLINE_MS, async () => (await statusOf(node3)) !== undefined);
  await plug(node3, 'vm', 'six');

  await talk(guests.slice(0, 3));
  expect((await statusOf(node2))?.assignment).toMatchObject({ state: 'in force', from: 'disk' });
  expect((await lab.exec(node3, ['mesh', 'status'])).stdout).toContain('pending (no assignment yet)');
  expect(await mesh(node3, 'port', 'list')).toContain('host0 has not given this network yet');

  lab.start(host0, 'host0');
  await talk(guests);
  expect((await statusOf(node3))?.assignment).toMatchObject({ state: 'in force', from: 'host0' });
  expect(await pings.lost()).toBe('');
  await noDrift(hosts);
});

test('a store that is emptied stops nothing: the networks live on as orphans, and one command takes them up', async () => {
  using pings = await steady();
  await lab.stop(host0, 'host0');
  const { state } = pathsBelow(host0.root);
  for (const name of ['store.db', 'store.db-wal', 'store.db-shm']) rmSync(join(state, name), { force: true });
  lab.start(host0, 'host0');
  const orphans = async () => {
    const list: unknown = JSON.parse(await mesh(host0, '--json', 'node', 'orphans', 'list').catch(() => '[]'));
    return Array.isArray(list) ? list.map(({ node, id }) => `${node} ${id}`) : [];
  };
  await until('host0 lists the orphans of all hosts', DEADLINE_MS, async () => {
    const list = await orphans();
    return ['host0', 'node1', 'node2', 'node3'].every((node) => list.includes(`${node} net-1001`));
  });
  await talk(guests);
  await mesh(host0, 'node', 'orphans', 'adopt', 'six');
  await until(
    'six is no orphan any more',
    DEADLINE_MS,
    async () => !(await orphans()).some((text) => text.endsWith(' net-1001')),
  );
  await talk(guests);
  expect(await pings.lost()).toBe('');
  await noDrift(hosts);
});

test('host0 says which node to ask about a network that it does not hold', async () => {
  await agentClient(pathsBelow(host0.root)).ask('DELETE /v1/ports/{interface}', { path: { interface: 'vm' } });
  const asked = await until('six is gone from host0', DEADLINE_MS, async () => {
    const outcome = await lab.exec(host0, ['mesh', 'ping', 'six', 'node2', '-c', '1']);
    return outcome.stderr.includes('is not on this machine') && outcome;
  });
  expect(asked.stderr).toContain('node1, node2, node3 have it');
  expect(asked.stderr).toContain('On node1: `mesh ping six node2`');
  expect(await mesh(host0, 'network', 'show', 'six')).toMatch(/nodes +node1: vm; node2: vm; node3: vm/);
});
