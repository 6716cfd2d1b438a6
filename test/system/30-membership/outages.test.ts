/** What a mesh goes through and comes out of whole: a partition, host0's machine or store gone, an address changed. */
import { readdirSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { netnsPath } from '../../../src/kernel/netns.ts';
import { Lab } from '../../../src/lab/lab.ts';
import type { LabHost } from '../../../src/lab/lab-host.ts';
import { parseIpv4 } from '../../../src/model/ipv4.ts';
import { MEMBER_SILENCE_MS, parseMemberList } from '../../../src/protocol/membership.ts';
import { pathsBelow } from '../../../src/protocol/paths.ts';
import { isReady, noDrift } from '../drift.ts';
import { ForwardingWatch } from '../forwarding-watch.ts';
import { Pings } from '../pings.ts';
import { until } from '../until.ts';

/** Five times what is promised. */
const TALK_AGAIN_MS = 25_000;

let lab: Lab;
let host0: LabHost;
let node1: LabHost;
let node2: LabHost;
let node3: LabHost;
/** node1 and node3 share a wire, and nothing that happens here is about them. */
let pings: Pings;

beforeAll(async () => {
  lab = await Lab.up({ name: `outages-${process.pid}`, nodes: 3, segments: 2 });
  host0 = lab.host('host0');
  node1 = lab.host('node1');
  node2 = lab.host('node2');
  node3 = lab.host('node3');
  pings = await Pings.start(netnsPath(node1.netns), node3.member.ipv6);
});

afterAll(async () => {
  pings?.close();
  await lab?.down();
});

/** Runs `outage` while the forwarding of `hosts` is watched. @returns whom each of them stopped forwarding to meanwhile */
async function droppedDuring(
  hosts: readonly LabHost[],
  outage: () => Promise<void>,
): Promise<Record<string, readonly string[]>> {
  const watches = new Map<string, ForwardingWatch>();
  try {
    for (const host of hosts) watches.set(host.name, await ForwardingWatch.of(host));
    await outage();
    const dropped: Record<string, readonly string[]> = {};
    for (const [name, watch] of watches) dropped[name] = await watch.dropped(lab.hosts);
    return dropped;
  } finally {
    for (const watch of watches.values()) await watch.close();
  }
}

async function allTalk(): Promise<void> {
  await lab.ready({ deadlineMs: TALK_AGAIN_MS });
  for (const host of lab.hosts) await isReady(host);
  await noDrift(lab.hosts);
}

async function listed(): Promise<string[]> {
  const members = parseMemberList(await lab.memberList(host0));
  return members.map(({ name, ipv4 }) => `${name} ${ipv4}`).toSorted();
}

function everybody(): string[] {
  return lab.hosts.map(({ name, member }) => `${name} ${member.ipv4}`);
}

function loseStore(): void {
  const { state } = pathsBelow(host0.root);
  for (const file of readdirSync(state)) if (file.startsWith('store.db')) rmSync(`${state}/${file}`);
}

test('a partition until a node was dropped: only that one is, and it drops nobody', async () => {
  const dropped = await droppedDuring(lab.hosts, async () => {
    await lab.cutWire(node2);
    await until('node2 was dropped', 5 * MEMBER_SILENCE_MS, async () => !(await listed()).join().includes('node2'));
    await until('node1 has no row for it', TALK_AGAIN_MS, async () => {
      const { stdout } = await lab.exec(node1, ['bridge', 'fdb', 'show', 'dev', 'vxlan456']);
      return !stdout.includes(node2.member.mac);
    });
    await lab.healWire(node2);
    await allTalk();
  });
  expect(dropped).toEqual({ host0: ['node2'], node1: ['node2'], node2: [], node3: ['node2'] });
  expect(await listed()).toEqual(everybody());
  expect(await pings.lost()).toBe('');
});

test("host0's machine is rebooted: nobody drops anybody", async () => {
  const dropped = await droppedDuring([node1, node2, node3], async () => {
    await lab.rebootHost(host0);
    await allTalk();
  });
  expect(dropped).toEqual({ node1: [], node2: [], node3: [] });
  expect(await listed()).toEqual(everybody());
  expect(await pings.lost()).toBe('');
});

test("host0's store is lost: nobody drops anybody, and all are members again", async () => {
  const dropped = await droppedDuring(lab.hosts, async () => {
    await lab.stop(host0, 'host0', 'SIGKILL');
    loseStore();
    lab.start(host0, 'host0');
    await allTalk();
    await until('all are members', TALK_AGAIN_MS, async () => (await listed()).length === lab.hosts.length);
  });
  expect(dropped).toEqual({ host0: [], node1: [], node2: [], node3: [] });
  expect(await listed()).toEqual(everybody());
  expect(await pings.lost()).toBe('');
});

test("host0's machine is rebooted, and comes back without its store", async () => {
  const dropped = await droppedDuring([node1, node2, node3], async () => {
    await lab.stop(host0, 'agent', 'SIGKILL');
    await lab.stop(host0, 'host0', 'SIGKILL');
    loseStore();
    await lab.rebootHost(host0);
    await allTalk();
    await until('all are members', TALK_AGAIN_MS, async () => (await listed()).length === lab.hosts.length);
  });
  expect(dropped).toEqual({ node1: [], node2: [], node3: [] });
  expect(await listed()).toEqual(everybody());
  expect(await pings.lost()).toBe('');
});

test("a node's IPv4 changes: all follow, and nobody is dropped", async () => {
  const dropped = await droppedDuring(lab.hosts, async () => {
    await lab.setIpv4(node2, parseIpv4('10.11.1.77'));
    await allTalk();
  });
  expect(dropped).toEqual({ host0: [], node1: [], node2: [], node3: [] });
  expect(await listed()).toEqual(everybody());
  expect(await pings.lost()).toBe('');
});

test('nine seconds later still nobody is dropped', async () => {
  const dropped = await droppedDuring(lab.hosts, async () => {
    const since = performance.now();
    await until('all have seen enough to clear away what is left over', 5 * MEMBER_SILENCE_MS, () => {
      return performance.now() - since > MEMBER_SILENCE_MS + 2_000;
    });
    await allTalk();
  });
  expect(dropped).toEqual({ host0: [], node1: [], node2: [], node3: [] });
  expect(await pings.lost()).toBe('');
  expect(pings.sent).toBeGreaterThan(10_000);
});
