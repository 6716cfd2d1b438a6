/** From where host0 takes members: a node behind a router is named with the line that lets it in, and a link over a card counts. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { netnsPath } from '../../../src/kernel/netns.ts';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import { EXAMPLE_MESH } from '../../../src/lab/hosts/example-mesh.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import type { Finding } from '../../../src/protocol/documents/finding.ts';
import { pathsBelow } from '../../../src/protocol/documents/paths.ts';
import { inside } from '../../kit/namespaces.ts';
import { BareHost } from '../bare-host.ts';
import { isReady, statusOf } from '../drift.ts';
import { forAllTests } from '../for-all-tests.ts';
import { meshOn } from '../mesh-command.ts';
import { allAnswer } from '../reach.ts';
import { until } from '../until.ts';

/** A refused node asks host0 at least every 15 s, and `mesh status` reads the counts. */
const DEADLINE_MS = 75_000;

const shared = forAllTests();
let lab: Lab;
let host0: LabHost;
let node2: LabHost;

beforeAll(async () => {
  lab = shared.use(await Lab.up({ name: `field-segments-${process.pid}`, nodes: 2, segments: 1 }));
  [host0, node2] = [lab.host('host0'), lab.host('node2')];
});

function ip(host: LabHost, ...lines: readonly string[]): void {
  for (const line of lines) inside(netnsPath(host.netns), 'ip', ...line.split(' '));
}

/** Writes host0.conf and restarts host0's daemon. No line: without a file. */
async function setHost0(line?: string): Promise<void> {
  const [file = ''] = pathsBelow(host0.root).host0Conf;
  await lab.stop(host0, 'host0');
  rmSync(file, { force: true });
  mkdirSync(dirname(file), { recursive: true });
  if (line !== undefined) writeFileSync(file, `${line}\n`);
  lab.start(host0, 'host0');
}

/** What host0 says about the senders that it refuses. */
async function refused(): Promise<Finding | undefined> {
  return (await statusOf(host0))?.health.find(({ code }) => code === 'MESH_SEGMENT_OUTSIDE');
}

/** Waits for the finding, and does what it says. */
async function followRemedy(message: string): Promise<void> {
  const finding = await until('host0 names the sender', DEADLINE_MS, refused);
  expect(finding).toMatchObject({ severity: 'warning', message });
  const [line] = /(?<=write `)[^`]+/.exec(finding.remedy) ?? [];
  await setHost0(line);
  await until('nothing is refused', DEADLINE_MS, async () => (await refused()) === undefined);
}

/** Puts node2 behind a router of the segment, at 10.11.2.2. */
function moveBehindRouter(): void {
  const router = shared.use(new BareHost());
  const uplink = `link add router0 master seg0 up type veth peer name eth0 netns ${router.netns}`;
  inside(netnsPath(lab.topology.underlay), 'ip', ...uplink.split(' '));
  ip(
    node2,
    'link set eth0 down',
    `link add far0 type veth peer name eth1 netns ${router.netns}`,
    'address add 10.11.2.2/24 dev far0',
    'link set far0 up',
  );
  router.run('ip', 'address', 'add', '10.11.0.254/24', 'dev', 'eth0');
  router.run('ip', 'address', 'add', '10.11.2.1/24', 'dev', 'eth1');
  for (const device of ['eth0', 'eth1']) router.run('ip', 'link', 'set', device, 'up');
  router.run('sysctl', '-q', 'net.ipv4.ip_forward=1');
  ip(node2, 'route add default via 10.11.2.1');
  ip(host0, 'route add 10.11.2.0/24 via 10.11.0.254');
}

test('the address of host0 moves to a macvlan of its card, and back: nothing has to be written, and the nodes are reached', async () => {
  await allAnswer(EXAMPLE_MESH, lab.hosts);
  const own = `${host0.member.ipv4}/24`;
  const mac = host0.ports[0]?.mac;
  const joinsBy = (device: string) =>
    until(`nodes join by ${device}`, DEADLINE_MS, async () => {
      const { stdout } = await lab.exec(host0, ['mesh', 'status']);
      return stdout.includes(`every machine of 10.11.0.0/24 on ${device}`);
    });
  ip(
    host0,
    `address del ${own} dev eth1`,
    'link set eth1 address 02:00:00:00:0e:01',
    `link add link eth1 name uplink0 address ${mac} type macvlan mode bridge`,
    `address add ${own} dev uplink0`,
    'link set uplink0 up',
  );
  await joinsBy('uplink0');
  for (const host of lab.hosts) await isReady(host);
  await allAnswer(EXAMPLE_MESH, lab.hosts);
  ip(host0, 'link del uplink0', `link set eth1 address ${mac}`, `address add ${own} dev eth1`);
  await joinsBy('eth1');
  for (const host of lab.hosts) await isReady(host);
});

test('a node behind a router is named on host0, and joins with the line that the finding gives', async () => {
  await allAnswer(EXAMPLE_MESH, lab.hosts);
  moveBehindRouter();
  await followRemedy(
    'VXLAN of VNI 456 from 10.11.2.2 is dropped on eth1: 10.11.2.2 is on no segment, but behind a router',
  );
  await isReady(node2);
  await allAnswer(EXAMPLE_MESH, lab.hosts);
  const { stdout } = await meshOn(host0, 'status');
  expect(stdout).toContain('every machine of 10.11.2.0/24 on eth1 (host0.conf names it)');
});
