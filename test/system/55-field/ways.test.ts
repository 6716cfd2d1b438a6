/** A node's own traffic keeps its way when the node joins a mesh, and no command takes the way to host0 away. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { netnsPath } from '../../../src/kernel/netns.ts';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import { EXAMPLE_MESH } from '../../../src/lab/hosts/example-mesh.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import { parseIpv4 } from '../../../src/model/address/ipv4.ts';
import { agentClient } from '../../../src/protocol/calls/control-client.ts';
import { pathsBelow } from '../../../src/protocol/documents/paths.ts';
import { inside } from '../../kit/namespaces.ts';
import { BareHost } from '../bare-host.ts';
import { isReady, noDrift, noFindings, statusOf } from '../drift.ts';
import { forAllTests } from '../for-all-tests.ts';
import { meshOn } from '../mesh-command.ts';
import { allAnswer, allReachable } from '../reach.ts';
import { until } from '../until.ts';

/** An agent starts within half a second, and is a member within another. */
const DEADLINE_MS = 30_000;

const shared = forAllTests();
let lab: Lab;
let node1: LabHost;
let node2: LabHost;

beforeAll(async () => {
  lab = shared.use(await Lab.up({ name: `ways-${process.pid}`, nodes: 2, segments: 2 }));
  [node1, node2] = [lab.host('node1'), lab.host('node2')];
  routerOfBoth();
});

function ip(host: LabHost, line: string): string {
  return inside(netnsPath(host.netns), 'ip', ...line.split(' '));
}

/** A router at 10.11.0.254 and 10.11.1.254: the default gateway of the nodes. */
function routerOfBoth(): void {
  const router = shared.use(new BareHost());
  for (const segment of [0, 1]) {
    const peer = `peer name eth${segment} netns ${router.netns}`;
    const line = `link add router${segment} master seg${segment} up type veth ${peer}`;
    inside(netnsPath(lab.topology.underlay), 'ip', ...line.split(' '));
    router.run('ip', 'address', 'add', `10.11.${segment}.254/24`, 'dev', `eth${segment}`);
    router.run('ip', 'link', 'set', `eth${segment}`, 'up');
  }
  router.run('sysctl', '-q', 'net.ipv4.ip_forward=1');
  ip(node1, 'route add default via 10.11.0.254');
  ip(node2, 'route add default via 10.11.1.254');
}

test('members of another segment are reached through host0, and everything else there by the own router', async () => {
  await allAnswer(EXAMPLE_MESH, lab.hosts);
  for (const other of ['10.11.1.254', '10.11.1.1', node2.member.ipv4]) {
    await allReachable(netnsPath(node1.netns), [parseIpv4(other)]);
  }
  expect(ip(node1, 'route show table 4789')).toMatch(/^10\.11\.1\.0\/24 via 10\.11\.0\.1 dev eth0 proto 200/);
  expect(ip(node1, 'route')).not.toContain('10.11.1.0/24');
  const { code, stdout } = await meshOn(node1, 'trace', 'manage', 'node1', 'node2');
  expect([code, stdout]).toEqual([0, expect.stringContaining('10.11.1.2 goes via 10.11.0.1')]);
});

test.each(['1', '2'])('with rp_filter=%s, and no route to the other segment at all', async (filter) => {
  for (const device of ['all', 'eth0']) {
    inside(netnsPath(node1.netns), 'sysctl', '-q', `net.ipv4.conf.${device}.rp_filter=${filter}`);
  }
  ip(node1, 'route delete default');
  await allAnswer(EXAMPLE_MESH, [node1, node2]);
  await noDrift(lab.hosts);
  ip(node1, 'route add default via 10.11.0.254');
});

test.each([
  ['node1', 'eth0', 'eth0 is the way to host0'],
  ['node1', 'lo', 'lo is the loopback of this machine'],
  ['node1', 'br456', 'br456 is a device that Meshwork itself has made'],
  ['host0', 'eth2', 'eth2 is how nodes reach host0'],
])('on %s, %s cannot be plugged into a mesh', async (name, device, reason) => {
  const host = lab.host(name);
  const { code, stderr } = await meshOn(host, 'port', 'plug', 'manage', device);
  expect([code, stderr]).toEqual([1, expect.stringContaining(reason)]);
  expect(stderr).toContain('Plug the tap or veth of a guest');
  expect(await agentClient(pathsBelow(host.root)).ask('GET /v1/ports')).toEqual([]);
});

test.each([
  ['node1', 'eth0'],
  ['host0', 'eth1'],
])('on %s, the card that an earlier version plugged in is taken off for good', async (name, device) => {
  const host = lab.host(name);
  await lab.stop(host, 'agent');
  ip(host, `link set ${device} master br456`);
  writeFileSync(
    join(pathsBelow(host.root).state, 'ports.json'),
    JSON.stringify([{ link: device, network: EXAMPLE_MESH.id }]),
  );
  lab.start(host, 'agent');
  const finding = () =>
    until('it is told', DEADLINE_MS, async () => {
      const { health = [] } = (await statusOf(host)) ?? {};
      return health.find(({ code }) => code === 'MESH_PORT_UNFIT');
    });
  expect(await finding()).toMatchObject({
    object: device,
    message: expect.stringMatching(new RegExp(`^${device} was plugged into manage, and has been taken off: `)),
  });
  await isReady(host);
  await allAnswer(EXAMPLE_MESH, lab.hosts);
  const { stdout } = await meshOn(host, 'events');
  expect(stdout).toContain(`${device} was plugged into manage, and has been taken off`);
  // The remedy ends the finding, and a restart plugs nothing in.
  expect((await meshOn(host, 'port', 'unplug', device)).code).toBe(0);
  await noFindings(host);
  await lab.stop(host, 'agent');
  lab.start(host, 'agent');
  await isReady(host);
  await noFindings(host);
  expect(ip(host, `link show ${device}`)).not.toContain('master');
});
