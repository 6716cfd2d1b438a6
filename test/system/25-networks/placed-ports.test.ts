/** Ports that host0 places on nodes: the node gets network and port, the port moves without a gap, and host0 may be away. */
import { beforeAll, expect, test } from 'vitest';
import { netnsPath } from '../../../src/kernel/netns.ts';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import { agentClient, host0Client } from '../../../src/protocol/calls/control-client.ts';
import { pathsBelow } from '../../../src/protocol/documents/paths.ts';
import { inside } from '../../kit/namespaces.ts';
import { noDrift } from '../drift.ts';
import { forAllTests } from '../for-all-tests.ts';
import { Guest } from '../guest.ts';
import { allReachable } from '../reach.ts';
import { until } from '../until.ts';

/** Nodes are back within three seconds of a restart of host0. */
const DEADLINE_MS = 20_000;

const shared = forAllTests();
let lab: Lab;
let [node1, node2]: LabHost[] = [];
let central: Guest;
let first: Guest;
let second: Guest;

beforeAll(async () => {
  lab = shared.use(await Lab.up({ name: `ports-${process.pid}`, nodes: 2, segments: 1 }));
  [node1, node2] = [lab.host('node1'), lab.host('node2')];
  central = shared.use(Guest.behind(lab.host('host0'), 'vm0', 'fd99::10'));
  // One name on both nodes, as the interface of a VM has that moves.
  first = shared.use(Guest.behind(lab.host('node1'), 'vm1', 'fd99::11'));
  second = shared.use(Guest.behind(lab.host('node2'), 'vm1', 'fd99::12'));
  const host0 = host0Client(pathsBelow(lab.host('host0').root));
  await until('blue is made', DEADLINE_MS, () =>
    host0.ask('POST /v1/catalogue', { body: { name: 'blue' } }).then(
      () => true,
      () => false,
    ),
  );
});

/** Runs a command of host0's administrator. @returns the document that it answers with */
async function mesh(...words: readonly string[]) {
  const { code, stdout, stderr } = await lab.exec(lab.host('host0'), ['mesh', '--json', ...words]);
  if (code !== 0) throw new Error(`${words.join(' ')}: ${stderr}`);
  return JSON.parse(stdout);
}

/** Name of the bridge that the interface is a port of; empty for none. */
function bridgeOf(host: LabHost | undefined, port: string): string {
  const text = host === undefined ? '' : inside(netnsPath(host.netns), 'ip', '-o', 'link', 'show', port);
  return / master (\S+)/.exec(text)?.[1] ?? '';
}

const placed = () => host0Client(pathsBelow(lab.host('host0').root)).ask('GET /v1/ports');
const plugged = (count: number) =>
  until(`${count} ports are plugged`, DEADLINE_MS, async () => {
    const list = await placed();
    return list.length === count && list.every(({ state }) => state === 'plugged');
  });

test('host0 places a port on a node and one on itself, and the guests reach each other', async () => {
  const made = await mesh('port', 'create', 'blue', '--node', 'node1', '--device', 'vm1');
  expect(made).toMatchObject({ id: '1', networkName: 'blue', node: 'node1', interface: 'vm1' });
  await mesh('port', 'create', 'blue', '--node', 'host0', '--device', 'vm0');
  await plugged(2);
  await allReachable(central.netns, [first.address]);
  await expect(mesh('port', 'create', 'blue', '--node', 'node1', '--device', 'vm1')).rejects.toThrow('MESH_PORT_TAKEN');
  const agent = agentClient(pathsBelow(lab.host('node1').root));
  await expect(agent.ask('DELETE /v1/ports/{interface}', { path: { interface: 'vm1' } })).rejects.toThrow(
    'host0 has placed',
  );
  expect(await agent.ask('GET /v1/given')).toMatchObject([{ network: { name: 'blue' }, reasons: ['port'] }]);
  await noDrift(lab.hosts);
});

test('a port that this machine itself needs is not plugged, and says why', async () => {
  const [nic] = inside(netnsPath(lab.host('node2').netns), 'ip', '-br', '-4', 'address', 'show', 'up').split(/[\s@]/);
  const { id } = await mesh('port', 'create', 'blue', '--node', 'node2', '--device', String(nic));
  const why = await until('host0 knows why', DEADLINE_MS, async () => {
    const port = (await placed()).find((candidate) => candidate.id === id);
    return port?.why?.includes(String(nic)) ? port.why : undefined;
  });
  expect(why).toContain(nic);
  expect(bridgeOf(node2, String(nic))).toBe('');
  await mesh('port', 'delete', id);
});

test('a port moves: its new node has it, and the old one loses port and network', async () => {
  expect(await mesh('port', 'move', '1', '--node', 'node2')).toMatchObject({ node: 'node2', interface: 'vm1' });
  await until('the port is on node2 alone', DEADLINE_MS, () => bridgeOf(node1, 'vm1') === '');
  expect(bridgeOf(node2, 'vm1')).toMatch(/^br10/);
  await plugged(2);
  await allReachable(central.netns, [second.address]);
  await until('node1 has no network but its mesh', DEADLINE_MS, async () => {
    const given = await agentClient(pathsBelow(lab.host('node1').root)).ask('GET /v1/given');
    return given.length === 0;
  });
  await noDrift(lab.hosts);
});

test('a node that is started again with host0 away has the port from its disk', async () => {
  await lab.stop(lab.host('host0'), 'host0');
  await lab.stop(lab.host('node2'), 'agent');
  inside(netnsPath(lab.host('node2').netns), 'ip', 'link', 'set', 'vm1', 'nomaster');
  lab.start(lab.host('node2'), 'agent');
  await until('the port is on its bridge', DEADLINE_MS, () => bridgeOf(node2, 'vm1') !== '');
  await allReachable(central.netns, [second.address]);
  lab.start(lab.host('host0'), 'host0');
  await until('host0 has the ports', DEADLINE_MS, () =>
    placed().then(
      (list) => list.length === 2,
      () => false,
    ),
  );
  await plugged(2);
});

test('a deleted port is off its network, and its node has the network no more', async () => {
  expect(await mesh('port', 'delete', '1')).toMatchObject({ id: '1', state: 'gone' });
  await until('the port is off', DEADLINE_MS, () => bridgeOf(node2, 'vm1') === '');
  await mesh('network', 'delete', 'blue', '--force');
  await until('no port is left', DEADLINE_MS, async () => (await placed()).length === 0);
  await until('vm0 is off', DEADLINE_MS, () => bridgeOf(lab.host('host0'), 'vm0') === '');
  await noDrift(lab.hosts);
});
