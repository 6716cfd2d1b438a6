/** What changes around a mesh, such as a VPN or a file system that is not mounted, takes no working mesh away. */
import { renameSync } from 'node:fs';
import { dirname } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { netnsPath } from '../../../src/kernel/netns.ts';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import type { Finding } from '../../../src/protocol/documents/finding.ts';
import type { AgentStatus, Host0Status } from '../../../src/protocol/documents/views.ts';
import { fileOf } from '../../kit/lab-networks.ts';
import { inside } from '../../kit/namespaces.ts';
import { isReady, noDrift } from '../drift.ts';
import { forAllTests } from '../for-all-tests.ts';
import { Guest } from '../guest.ts';
import { meshOn } from '../mesh-command.ts';
import { Pings } from '../pings.ts';

/** Changed routes and files are looked at every five seconds. */
const FOUND_DEADLINE_MS = 25_000;

const shared = forAllTests();
let lab: Lab;
let pings: Pings[] = [];

beforeAll(async () => {
  lab = shared.use(await Lab.up({ name: `surroundings-${process.pid}`, nodes: 2, segments: 1 }));
  const [host0, node1, node2] = [lab.host('host0'), lab.host('node1'), lab.host('node2')];
  const guest = shared.use(Guest.behind(node1, 'tap0', 'fd42:2345:1234:9abc:9::1'));
  await meshOn(node1, 'port', 'plug', 'manage', guest.port);
  pings = [
    shared.use(await Pings.start(guest.netns, node2.member.ipv6)),
    shared.use(await Pings.start(netnsPath(node2.netns), host0.member.ipv6)),
  ];
});

function ip(host: LabHost, line: string): void {
  inside(netnsPath(host.netns), 'ip', ...line.split(' '));
}

/** Kills all processes of the host, starts them again, and waits until all hosts are ready. */
async function restart(host: LabHost): Promise<void> {
  const programs = host.role === 'host0' ? (['host0', 'agent'] as const) : (['agent'] as const);
  for (const program of programs) await lab.stop(host, program);
  for (const program of programs) lab.start(host, program);
  for (const each of lab.hosts) await isReady(each);
}

async function nothingLost(): Promise<void> {
  await noDrift(lab.hosts);
  expect(await Promise.all(pings.map((running) => running.lost()))).toEqual(pings.map(() => ''));
}

/** The findings of `mesh status` on the host about its network files. */
async function findings(host: LabHost): Promise<Finding[]> {
  const { stdout } = await meshOn(host, 'status', '--json');
  const { agent, host0 } = JSON.parse(stdout) as { agent: AgentStatus; host0?: Host0Status };
  return (host0 ?? agent).health.filter(({ code }) => /^MESH_(NET|CONF)_/.test(code));
}

describe.each(['node1', 'host0'])('on %s', (name) => {
  test('a route that covers the prefix, as a VPN adds one, is no fault', async () => {
    const host = lab.host(name);
    ip(host, 'tuntap add mode tun tun0');
    ip(host, 'link set tun0 up');
    ip(host, '-6 route add fc00::/7 dev tun0');
    await restart(host);
    expect(await findings(host)).toEqual([]);
    await nothingLost();
  });

  test('a route into the prefix is a finding, and the mesh stays', async () => {
    const host = lab.host(name);
    ip(host, '-6 route add fd42:2345:1234:9abc:7:7:7:0/112 dev tun0');
    const found = {
      code: 'MESH_NET_PREFIX_UNDERLAY',
      severity: 'warning',
      object: fileOf(host, 'manage'),
      message: expect.stringMatching(/ fd42:2345:1234:9abc:7:7:7:0\/112 on tun0$/),
      remedy: expect.stringMatching(/^Take fd42:2345:1234:9abc:7:7:7:0\/112 off tun0, or /),
    };
    await expect.poll(() => findings(host), { timeout: FOUND_DEADLINE_MS }).toMatchObject([found]);
    await restart(host);
    expect(await findings(host)).toMatchObject([found]);
    await nothingLost();
    ip(host, 'link delete tun0');
  });
});

test('a directory of network files that is gone is a finding, and the mesh stays', async () => {
  const host0 = lab.host('host0');
  const directory = dirname(fileOf(host0, 'manage'));
  renameSync(directory, `${directory}.away`);
  const found = { code: 'MESH_CONF_UNREADABLE', severity: 'error', object: directory };
  await expect.poll(() => findings(host0), { timeout: FOUND_DEADLINE_MS }).toMatchObject([found]);
  await restart(host0);
  expect(await findings(host0)).toMatchObject([found]);
  await nothingLost();
  renameSync(`${directory}.away`, directory);
  await expect.poll(() => findings(host0), { timeout: FOUND_DEADLINE_MS }).toEqual([]);
});
