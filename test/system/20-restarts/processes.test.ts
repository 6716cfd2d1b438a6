/** Processes are killed, stopped and started again, and the mesh loses no packet. */
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { ForeignPort } from '../../../src/agent/ports/foreign-ports.ts';
import { PluggedPortsFile } from '../../../src/agent/ports/plugged-ports.ts';
import { netnsPath } from '../../../src/kernel/netns.ts';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import type { Ipv6 } from '../../../src/model/address/ipv6.ts';
import { MEMBER_SILENCE_MS } from '../../../src/protocol/documents/membership.ts';
import { pathsBelow } from '../../../src/protocol/documents/paths.ts';
import type { DaemonName } from '../../../src/protocol/http/service-manager.ts';
import { inside } from '../../kit/namespaces.ts';
import { isReady, noDrift, statusOf } from '../drift.ts';
import { forAllTests } from '../for-all-tests.ts';
import { Guest } from '../guest.ts';
import { withoutFrames } from '../kernel-picture.ts';
import { meshOn } from '../mesh-command.ts';
import { Pings } from '../pings.ts';
import { until } from '../until.ts';

/** An agent starts within half a second, and takes the steps of its first plan within another. */
const REPAIR_DEADLINE_MS = 15_000;

const shared = forAllTests();
let lab: Lab;
const pings = new Map<string, Pings>();

async function ping(from: string, netns: string, to: string, address: Ipv6): Promise<void> {
  pings.set(`${from} to ${to}`, shared.use(await Pings.start(netns, address)));
}

async function losses(): Promise<Record<string, string>> {
  const entries = [...pings].map(async ([pair, running]) => [pair, await running.lost()] as const);
  return Object.fromEntries(await Promise.all(entries));
}

function nothingLost(): Record<string, string> {
  return Object.fromEntries([...pings.keys()].map((pair) => [pair, '']));
}

beforeAll(async () => {
  lab = shared.use(await Lab.up({ name: `processes-${process.pid}`, nodes: 3, segments: 2 }));
  const [host0, node1, node2, node3] = ['host0', 'node1', 'node2', 'node3'].map((name) => lab.host(name));
  if (!host0 || !node1 || !node2 || !node3) throw new TypeError('a lab of four hosts');
  const put = shared.use(Guest.behind(node1, 'put0', 'fd42:2345:1234:9abc:9::1'));
  const plugged = shared.use(Guest.behind(node1, 'plugged0', 'fd42:2345:1234:9abc:9::2'));
  await lab.exec(node1, ['ip', 'link', 'set', put.port, 'master', 'br456']);
  await meshOn(node1, 'port', 'plug', 'manage', plugged.port);

  await ping('node2', netnsPath(node2.netns), 'node3', node3.member.ipv6);
  await ping('node2', netnsPath(node2.netns), 'node1', node1.member.ipv6);
  await ping('node1', netnsPath(node1.netns), 'host0', host0.member.ipv6);
  await ping('host0', netnsPath(host0.netns), 'node3', node3.member.ipv6);
  await ping('node3', netnsPath(node3.netns), 'a guest put on the bridge of node1', put.address);
  await ping('a guest plugged into node1', plugged.netns, 'node2', node2.member.ipv6);
});

/** Everything of the mesh in a host's kernel, without learnt entries. */
async function kept(host: LabHost): Promise<string> {
  const { stdout } = await lab.exec(host, [
    'sh',
    '-c',
    'ip -o link show; ip -o -6 address show dev br456; bridge fdb show dev vxlan456 | grep extern_learn; ip -6 neighbour show nud permanent; ip route; nft list ruleset',
  ]);
  return withoutFrames(stdout);
}

describe.each<[string, string, DaemonName]>([
  ["a node's agent", 'node1', 'agent'],
  ["host0's daemon", 'host0', 'host0'],
  ["host0's agent", 'host0', 'agent'],
])('%s', (_, name, program) => {
  test('is killed and started again, and nothing is lost', async () => {
    const host = lab.host(name);
    await lab.stop(host, program, 'SIGKILL');
    expect(await losses()).toEqual(nothingLost());
    lab.start(host, program);
    for (const each of lab.hosts) await isReady(each);
    expect(await losses()).toEqual(nothingLost());
    await noDrift(lab.hosts);
  });
});

test.each(['node1', 'host0'])('the agent of %s ends on SIGTERM without changing the kernel', async (name) => {
  const host = lab.host(name);
  const before = await kept(host);
  await lab.stop(host, 'agent', 'SIGTERM');
  expect(await kept(host)).toBe(before);
  expect(await losses()).toEqual(nothingLost());
  lab.start(host, 'agent');
  await isReady(host);
  expect(await kept(host)).toBe(before);
  await noDrift(lab.hosts);
});

describe.each(['node1', 'host0'])('ports of %s', (name) => {
  test('are unplugged when `mesh port unplug` has answered, and nothing is left to do', async () => {
    const host = lab.host(name);
    using guest = await pluggedInto(host, 'off0', 1);
    expect(await mesh(host, 'port', 'unplug', 'off0')).toBe('off0 is no longer plugged.\n');
    expect(masterOf(host, 'off0')).toBeUndefined();
    expect(await mesh(host, 'plan')).toBe('Nothing to do: everything is as it should be.\n');
    expect(withoutFrames((await lab.exec(host, ['nft', 'list', 'ruleset'])).stdout)).not.toContain('off0');
    inside(netnsPath(host.netns), 'ip', 'link', 'delete', guest.port);
  });

  test('are unplugged after a restart if the agent was killed before it could', async () => {
    const host = lab.host(name);
    using off = await pluggedInto(host, 'off0', 2);
    using moved = await pluggedInto(host, 'moved0', 3);
    await lab.stop(host, 'agent', 'SIGKILL');
    const file = new PluggedPortsFile(join(pathsBelow(host.root).state, 'ports.json'));
    const { plugged } = await file.read();
    const killed = ({ link }: ForeignPort) => [off.port, moved.port].includes(link);
    const others = plugged.filter((port) => !killed(port));
    await file.write({ plugged: others, unplugging: plugged.filter(killed) });
    const ip = (...words: string[]) => inside(netnsPath(host.netns), 'ip', 'link', ...words);
    ip('add', 'other0', 'type', 'bridge');
    ip('set', moved.port, 'master', 'other0');

    lab.start(host, 'agent');
    await until('the port is off', REPAIR_DEADLINE_MS, () => masterOf(host, off.port) === undefined);
    await isReady(host);
    await noDrift([host]);
    expect(masterOf(host, moved.port)).toBe('other0');
    await until(
      'the agent has recorded it',
      REPAIR_DEADLINE_MS,
      async () => (await file.read()).unplugging.length === 0,
    );
    expect(await file.read()).toEqual({ plugged: others, unplugging: [] });
    expect(await losses()).toEqual(nothingLost());
    for (const device of [off.port, moved.port, 'other0']) ip('delete', device);
  });
});

/** Makes a guest, and plugs it into the mesh. @param number for the guest's address, different for each guest of a host */
async function pluggedInto(host: LabHost, port: string, number: number): Promise<Guest> {
  const guest = Guest.behind(host, port, `fd42:2345:1234:9abc:9::${host.name === 'host0' ? 'a' : 'b'}${number}`);
  expect(await mesh(host, 'port', 'plug', 'manage', port)).toBe(`${port} is plugged into manage.\n`);
  expect(masterOf(host, port)).toBe('br456');
  return guest;
}

/** Runs `mesh` on the host. @returns its output */
async function mesh(host: LabHost, ...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await meshOn(host, ...words);
  expect([code, stderr]).toEqual([0, '']);
  return stdout;
}

function masterOf({ netns }: LabHost, port: string): string | undefined {
  const line = inside(netnsPath(netns), 'ip', '-oneline', 'link', 'show', port);
  return / master (\S+)/.exec(line)?.[1];
}

test('nothing is lost when the agents collect garbage after nine seconds', async () => {
  await until('all agents have run for that long', 5 * MEMBER_SILENCE_MS, async () => {
    const states = await Promise.all(lab.hosts.map(statusOf));
    return states.every((state) => state !== undefined && state.upSec * 1000 > MEMBER_SILENCE_MS + 2_000);
  });
  expect(await losses()).toEqual(nothingLost());
  await noDrift(lab.hosts);
  for (const running of pings.values()) expect(running.sent).toBeGreaterThan(1_000);
});
