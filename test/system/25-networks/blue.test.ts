/** A network that is made by a command: it is on the nodes that have a port in it, and on no other. */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { beforeAll, expect, test } from 'vitest';
import { netnsPath } from '../../../src/kernel/netns.ts';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import { agentClient } from '../../../src/protocol/calls/control-client.ts';
import { pathsBelow } from '../../../src/protocol/documents/paths.ts';
import { inside } from '../../kit/namespaces.ts';
import { noDrift } from '../drift.ts';
import { forAllTests } from '../for-all-tests.ts';
import { ForwardingWatch } from '../forwarding-watch.ts';
import { Guest } from '../guest.ts';
import { meshOn } from '../mesh-command.ts';
import { Pings } from '../pings.ts';
import { allReachable } from '../reach.ts';
import { until } from '../until.ts';

/** Nodes are back within three seconds of a restart of host0. */
const DEADLINE_MS = 20_000;

/** Five times the five seconds after which all pairs reach each other again. */
const READY_DEADLINE_MS = 25_000;
/** host0 starts within two seconds, and nodes look for it each three. */
const START_DEADLINE_MS = 25_000;

const shared = forAllTests();
let lab: Lab;
let node1: LabHost;
let node2: LabHost;
let node3: LabHost;
let guest1: Guest;
let guest2: Guest;
let guest3: Guest;

beforeAll(async () => {
  lab = shared.use(await Lab.up({ name: `blue-${process.pid}`, nodes: 3, segments: 2, deadlineMs: READY_DEADLINE_MS }));
  [node1, node2, node3] = [lab.host('node1'), lab.host('node2'), lab.host('node3')];
  guest1 = shared.use(Guest.behind(node1, 'vm1', 'fd99::11'));
  guest2 = shared.use(Guest.behind(node2, 'vm2', 'fd99::12'));
});

/** Runs a command of host0's administrator. @returns the document that it answers with */
async function mesh(...words: readonly string[]): Promise<unknown> {
  const { code, stdout, stderr } = await meshOn(lab.host('host0'), '--json', ...words);
  if (code !== 0) throw new Error(`${words.join(' ')}: ${stderr}`);
  return stdout.trim() === '' ? undefined : JSON.parse(stdout);
}

/** Asks host0's daemon. */
function host0(method: string, path: string, body: object): void {
  const { controlSock } = pathsBelow(lab.host('host0').root);
  const data = ['-H', 'content-type: application/json', '-d', JSON.stringify(body)];
  const words = ['-sf', '--unix-socket', controlSock, '-X', method, ...data, `http://host0${path}`];
  const { status, stderr } = spawnSync('curl', words, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${method} ${path}: ${status} ${stderr}`);
}

/** The files of host0's store. */
const storeFiles = () => {
  const { state } = pathsBelow(lab.host('host0').root);
  return ['store.db', 'store.db-wal'].map((name) => join(state, name));
};

const plug = (host: LabHost, port: string, network = 'blue') =>
  agentClient(pathsBelow(host.root)).ask('PUT /v1/ports/{interface}', { path: { interface: port }, body: { network } });
const unplug = (host: LabHost, port: string) =>
  agentClient(pathsBelow(host.root)).ask('DELETE /v1/ports/{interface}', { path: { interface: port } });

function linksOf(host: LabHost): readonly string[] {
  const text = inside(netnsPath(host.netns), 'ip', '-br', 'link');
  return text.split('\n').map((line) => line.split(/[\s@]/)[0] ?? '');
}

/** Whether the node has the devices of blue, whose number is the first that host0 allocates for others than `main`. */
function hasBlue(host: LabHost): boolean {
  return linksOf(host).some((link) => /^(?:vxlan|br)1001$/.test(link));
}

function floodsOf(host: LabHost): readonly string[] {
  const text = inside(netnsPath(host.netns), 'bridge', 'fdb', 'show', 'dev', 'vxlan1001');
  return [...text.matchAll(/^00:00:00:00:00:00 dst (\S+)/gm)].map(([, to = '']) => to).toSorted();
}

/** Runs a command about a port that host0 places. */
async function placed(...words: readonly string[]): Promise<{ readonly id: string }> {
  const view = await mesh('port', ...words);
  const id: unknown = Reflect.get(Object(view), 'id');
  if (typeof id !== 'string') throw new TypeError(JSON.stringify(view));
  return { ...Object(view), id };
}

/** The ports that host0 has placed. */
async function ports(): Promise<string[]> {
  const list = await mesh('port', 'list', '--all');
  if (!Array.isArray(list)) throw new TypeError(JSON.stringify(list));
  return list.map((port) => `${port.id} ${port.interface} ${port.node} ${port.state}`);
}

/** Waits until host0 lists these orphans, and no other. */
async function orphansAre(...wanted: readonly string[]): Promise<void> {
  let last: unknown;
  try {
    await until('host0 lists the orphans', DEADLINE_MS, async () => {
      last = await mesh('node', 'orphans', 'list').catch((error: unknown) => error);
      if (!Array.isArray(last)) return false;
      return isDeepStrictEqual(last.map(({ node, id }) => `${node} ${id}`).toSorted(), wanted);
    });
  } catch (cause) {
    throw new Error(JSON.stringify(last), { cause });
  }
}

/** Starts host0 again with another store. */
async function host0From(store: 'backup' | 'nothing'): Promise<void> {
  const central = lab.host('host0');
  await lab.stop(central, 'host0');
  for (const file of storeFiles()) {
    rmSync(file, { force: true });
    if (store === 'backup' && existsSync(`${file}.backup`)) renameSync(`${file}.backup`, file);
  }
  lab.start(central, 'host0');
}

const talk = () => allReachable(guest1.netns, [guest2.address]);

test('a port brings the network to its node, two guests reach each other, and the last port takes it away', async () => {
  await until('blue is made', DEADLINE_MS, () =>
    mesh('network', 'create', 'blue').then(
      () => true,
      () => false,
    ),
  );
  expect(hasBlue(node1)).toBe(false);
  expect(await plug(node1, 'vm1')).toMatchObject({ state: 'plugged', network: 'net-1001' });
  expect(await plug(node2, 'vm2')).toMatchObject({ state: 'plugged' });
  await talk();
  expect(floodsOf(node1)).toEqual([node2.member.ipv4]);
  expect(hasBlue(node3)).toBe(false);
  await noDrift([node1, node2, node3]);
  await unplug(node2, 'vm2');
  await until('node2 has no device of blue', DEADLINE_MS, () => !hasBlue(node2));
  expect(floodsOf(node1)).toEqual([]);
  expect(hasBlue(node1)).toBe(true);
});

test('a port that is plugged while host0 is away waits, and is plugged when host0 is back', async () => {
  await lab.stop(lab.host('host0'), 'host0');
  const view = await plug(node2, 'vm2');
  expect(view).toMatchObject({ state: 'wanted', network: 'blue', why: expect.stringContaining('has not given') });
  // A backup from before the ports that host0 places.
  for (const file of storeFiles()) if (existsSync(file)) cpSync(file, `${file}.backup`);
  lab.start(lab.host('host0'), 'host0');
  await talk();
  await noDrift([node1, node2]);
});

test('a node that is started again with host0 away has its network from its disk', async () => {
  await lab.stop(lab.host('host0'), 'host0');
  await lab.stop(node2, 'agent');
  const link = (...words: string[]) => inside(netnsPath(node2.netns), 'ip', 'link', ...words);
  for (const device of ['vxlan1001', 'br1001']) link('del', device);
  lab.start(node2, 'agent');
  await talk();
  lab.start(lab.host('host0'), 'host0');
});

test('another MTU and description lose no packet, and restart no stream', async () => {
  const nodes = [node1, node2];
  /** The node's end of its channel: another connection has another port. */
  const channelsOf = () =>
    nodes.map((host) => {
      const [state, , , end] = inside(netnsPath(host.netns), 'ss', '-Htn', 'dport', '=', ':8004').split(/\s+/);
      return `${state} ${end}`;
    });
  const mtuOf = (host: LabHost) =>
    / mtu (\d+)/.exec(inside(netnsPath(host.netns), 'ip', 'link', 'show', 'vxlan1001'))?.[1];
  await until('both channels stand', START_DEADLINE_MS, () => channelsOf().every((text) => text.startsWith('ESTAB ')));
  await noDrift(lab.hosts);
  const before = { channels: channelsOf(), floods: nodes.map(floodsOf) };
  const watches = await Promise.all(nodes.map((host) => ForwardingWatch.of(host)));
  for (const watch of watches) shared.defer(() => watch.close());
  using pings = await Pings.start(guest1.netns, guest2.address, 1);
  host0('PATCH', '/v1/catalogue/blue', { mtuBytes: 1400, description: 'for the office' });
  await until('both nodes have the MTU', DEADLINE_MS, () => nodes.every((host) => mtuOf(host) === '1400'));
  await noDrift(nodes);
  expect(await pings.lost()).toBe('');
  expect({ channels: channelsOf(), floods: nodes.map(floodsOf) }).toEqual(before);
  const changes = await Promise.all(watches.map((watch) => watch.changes(lab.hosts)));
  expect(changes.flat()).toEqual([]);
});

test('a port that host0 places is on its node, moves to another, and is deleted; guests elsewhere lose no ping', async () => {
  guest3 = shared.use(Guest.behind(node3, 'vm3', 'fd99::13'));
  const guest0 = shared.use(Guest.behind(lab.host('host0'), 'vm3', 'fd99::10'));
  using pings = await Pings.start(guest1.netns, guest2.address);
  const { id } = await placed('create', 'blue', '--node', 'node3', '--device', 'vm3');
  await allReachable(guest1.netns, [guest3.address]);
  await until('host0 knows that the port is plugged', DEADLINE_MS, async () => {
    return (await ports()).join() === `${id} vm3 node3 plugged`;
  });
  expect(await placed('move', id, '--node', 'host0')).toMatchObject({ id, node: 'host0' });
  await allReachable(guest1.netns, [guest0.address]);
  await until('node3 has no device of blue', DEADLINE_MS, () => !hasBlue(node3));
  await noDrift(lab.hosts);
  await placed('delete', id);
  await until('host0 has no device of blue', DEADLINE_MS, () => !hasBlue(lab.host('host0')));
  const again = await placed('create', 'blue', '--node', 'node3', '--device', 'vm3');
  expect(again.id).not.toBe(id);
  await allReachable(guest3.netns, [guest1.address, guest2.address]);
  await noDrift(lab.hosts);
  expect(await pings.lost()).toBe('');
});

test('on a host0 that is restored from a backup older than a port, the port lives on, and one command adopts it', async () => {
  using pings = await Pings.start(guest3.netns, guest1.address);
  const [before = ''] = await ports();
  await host0From('backup');
  await orphansAre('node3 vm3');
  expect(await ports()).toEqual([]);
  await mesh('node', 'orphans', 'adopt', 'vm3');
  await orphansAre();
  await until('the port is known again', DEADLINE_MS, async () => (await ports()).join() === before);
  await noDrift(lab.hosts);
  expect(await pings.lost()).toBe('');
});

const NODES = () => [node1, node2, node3];

/** The epoch of the store that gave blue to a node. */
function storeOfBlue({ root }: LabHost): string | undefined {
  const kept = readFileSync(join(pathsBelow(root).state, 'assigned.json'), 'utf8');
  return /"id": "net-1001",\s*"epoch": "(\w+)"/.exec(kept)?.[1];
}

test('when the store is emptied nothing stops, and one command adopts the network with its port', async () => {
  using pings = await Pings.start(guest3.netns, guest1.address);
  const [before = ''] = await ports();
  // A node hears the host0 of before a moment later than its ports are listed: then all have blue from one store.
  await until('all nodes have blue from one store', DEADLINE_MS, () => new Set(NODES().map(storeOfBlue)).size === 1);
  await host0From('nothing');
  await orphansAre('node1 net-1001', 'node2 net-1001', 'node3 net-1001', 'node3 vm3');
  await mesh('node', 'orphans', 'adopt', 'blue');
  await orphansAre();
  await until('the port is known again', DEADLINE_MS, async () => (await ports()).join() === before);
  await talk();
  await noDrift(lab.hosts);
  expect(await pings.lost()).toBe('');
});

test('a network that spans a role is on the nodes that have the role, without a port', async () => {
  const central = lab.host('host0');
  host0('PATCH', '/v1/catalogue/blue', { span: { kind: 'roles', roles: ['edge'] } });
  await mesh('node', 'role', 'add', 'host0', 'edge');
  await until('host0 has the devices of blue', DEADLINE_MS, () => hasBlue(central));
  await mesh('node', 'role', 'remove', 'host0', 'edge');
  await until('host0 has no device of blue', DEADLINE_MS, () => !hasBlue(central));
  expect(hasBlue(node3)).toBe(true);
});

test('a network that is deleted by force has its ports taken off first, and no node has it any more', async () => {
  await mesh('network', 'delete', 'blue', '--force');
  await until('no node has a device of blue', DEADLINE_MS, () => !hasBlue(node1) && !hasBlue(node2));
  expect(await ports()).toEqual([]);
  for (const node of [node1, node2]) expect(await agentClient(pathsBelow(node.root)).ask('GET /v1/ports')).toEqual([]);
  await until('blue is gone', DEADLINE_MS, async () => {
    const list = await mesh('network', 'list');
    return Array.isArray(list) && list.every(({ network }) => network.name !== 'blue');
  });
  await noDrift([node1, node2, node3]);
});
