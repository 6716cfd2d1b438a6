/** Processes that are killed, stopped and started again: the mesh carries every packet meanwhile. */
import { beforeAll, describe, expect, test } from 'vitest';
import { netnsPath } from '../../../src/kernel/netns.ts';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import type { Program } from '../../../src/lab/hosts/installation.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import type { Ipv6 } from '../../../src/model/address/ipv6.ts';
import { MEMBER_SILENCE_MS } from '../../../src/protocol/documents/membership.ts';
import { isReady, noDrift, statusOf } from '../drift.ts';
import { forAllTests } from '../for-all-tests.ts';
import { Guest } from '../guest.ts';
import { Pings } from '../pings.ts';
import { until } from '../until.ts';

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
  await lab.exec(node1, ['mesh', 'port', 'plug', 'manage', plugged.port]);

  await ping('node2', netnsPath(node2.netns), 'node3', node3.member.ipv6);
  await ping('node2', netnsPath(node2.netns), 'node1', node1.member.ipv6);
  await ping('node1', netnsPath(node1.netns), 'host0', host0.member.ipv6);
  await ping('host0', netnsPath(host0.netns), 'node3', node3.member.ipv6);
  await ping('node3', netnsPath(node3.netns), 'a guest put on the bridge of node1', put.address);
  await ping('a guest plugged into node1', plugged.netns, 'node2', node2.member.ipv6);
});

/** Everything that a host's kernel keeps for the mesh, without what ages. */
async function kept(host: LabHost): Promise<string> {
  const { stdout } = await lab.exec(host, [
    'sh',
    '-c',
    'ip -o link show; ip -o -6 address show dev br456; bridge fdb show dev vxlan456 | grep extern_learn; ip -6 neighbour show nud permanent; ip route; nft list ruleset',
  ]);
  return stdout;
}

describe.each<[string, string, Program]>([
  ["a node's agent", 'node1', 'agent'],
  ["host0's daemon", 'host0', 'host0'],
  ["host0's agent", 'host0', 'agent'],
])('%s', (_, name, program) => {
  test('is killed and started again: nothing is lost', async () => {
    const host = lab.host(name);
    await lab.stop(host, program, 'SIGKILL');
    expect(await losses()).toEqual(nothingLost());
    lab.start(host, program);
    for (const each of lab.hosts) await isReady(each);
    expect(await losses()).toEqual(nothingLost());
    await noDrift(lab.hosts);
  });
});

test.each(['node1', 'host0'])('the agent of %s ends on SIGTERM, and leaves the kernel as it is', async (name) => {
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

test('nothing is lost either when all have seen enough to clear away what is left over', async () => {
  await until('all agents are that old', 5 * MEMBER_SILENCE_MS, async () => {
    const states = await Promise.all(lab.hosts.map(statusOf));
    return states.every((state) => state !== undefined && state.upSec * 1000 > MEMBER_SILENCE_MS + 2_000);
  });
  expect(await losses()).toEqual(nothingLost());
  await noDrift(lab.hosts);
  for (const running of pings.values()) expect(running.sent).toBeGreaterThan(1_000);
});
