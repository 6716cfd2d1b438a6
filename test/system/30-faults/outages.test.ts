/** A node is cut off or gets another IPv4, host0 restarts or loses its store: no host drops a member, and all reach each other again. */
import { globSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import { parseIpv4 } from '../../../src/model/address/ipv4.ts';
import { host0Client } from '../../../src/protocol/calls/control-client.ts';
import { MEMBER_SILENCE_MS } from '../../../src/protocol/documents/membership.ts';
import { pathsBelow } from '../../../src/protocol/documents/paths.ts';
import { LONG } from '../../kit/long.ts';
import { isReady, noDrift } from '../drift.ts';
import { forAllTests } from '../for-all-tests.ts';
import { droppedDuring } from '../forwarding-watch.ts';
import { PingSet } from '../ping-set.ts';
import { allTalk, areListed } from '../talk.ts';
import { until } from '../until.ts';

const shared = forAllTests();
let lab: Lab;
let host0: LabHost;
let node1: LabHost;
let node2: LabHost;
/** On the same segment as node1. */
let node3: LabHost;

beforeAll(async () => {
  lab = shared.use(await Lab.up({ name: `outages-${process.pid}`, nodes: 3, segments: 2 }));
  [host0, node1, node2, node3] = [lab.host('host0'), lab.host('node1'), lab.host('node2'), lab.host('node3')];
});

/** The nodes with their present addresses, which the tests change. */
function nodes(): LabHost[] {
  return lab.hosts.filter(({ role }) => role === 'node');
}

/** Waits until all pairs answer, all are listed and there is no drift. @returns how long that took, as text */
async function allIsWell(): Promise<string> {
  const talkMs = await allTalk(lab);
  const listMs = await areListed(lab, node3, nodes());
  for (const host of lab.hosts) await isReady(host);
  await noDrift(lab.hosts);
  return `all talk after ${talkMs} ms, and are listed after ${talkMs + listMs} ms`;
}

async function epoch(): Promise<string> {
  return (await host0Client(pathsBelow(host0.root)).ask('GET /v1/status')).epoch;
}

function loseStore(): void {
  for (const file of globSync(join(pathsBelow(host0.root).state, 'store.db*'))) rmSync(file);
}

test('a node that was cut off until all had dropped it drops no member, and joins again', async ({ annotate }) => {
  using others = await PingSet.start([node1, node3], [node3, host0], [host0, node1]);
  const dropped = await droppedDuring(lab, lab.hosts, async () => {
    await lab.cutCables(node2);
    await areListed(lab, node3, [node1, node3]);
    await until('node1 has no entry for it', 5 * MEMBER_SILENCE_MS, async () => {
      const { stdout } = await lab.exec(node1, ['bridge', 'fdb', 'show', 'dev', 'vxlan456']);
      return !stdout.includes(node2.member.mac);
    });
    await lab.healCables(node2);
    await annotate(await allIsWell());
  });
  expect(dropped).toEqual({ host0: ['node2'], node1: ['node2'], node3: ['node2'] });
  expect(await others.lost()).toEqual({});
});

test('a node gets another IPv4', async ({ annotate }) => {
  using others = await PingSet.start([node1, node3], [node3, host0], [host0, node1]);
  const dropped = await droppedDuring(lab, lab.hosts, async () => {
    await lab.setIpv4(node2, parseIpv4('10.11.1.77'));
    await annotate(await allIsWell());
  });
  expect(dropped).toEqual({});
  expect(await others.lost()).toEqual({});
});

// Its store is lost as well in the last test, which is the harder case.
if (LONG) {
  test("host0's machine is switched off and on", async ({ annotate }) => {
    using others = await PingSet.start([node1, node3], [node3, node1]);
    const dropped = await droppedDuring(lab, nodes(), async () => {
      await lab.rebootHost(host0);
      await annotate(await allIsWell());
    });
    expect(dropped).toEqual({});
    expect(await others.lost()).toEqual({});
  });
}

test("host0's store is lost", async ({ annotate }) => {
  using all = await PingSet.start([node1, node2], [node2, node3], [node3, host0], [host0, node2]);
  const dropped = await droppedDuring(lab, lab.hosts, async () => {
    const before = await epoch();
    await lab.stop(host0, 'host0', 'SIGKILL');
    loseStore();
    lab.start(host0, 'host0');
    await annotate(await allIsWell());
    expect(await epoch()).not.toBe(before);
  });
  expect(dropped).toEqual({});
  expect(await all.lost()).toEqual({});
});

test("host0's machine comes back without its store, and its list removes nothing for nine seconds", async ({
  annotate,
}) => {
  using others = await PingSet.start([node1, node3], [node3, node1]);
  const dropped = await droppedDuring(lab, nodes(), async () => {
    for (const program of ['agent', 'host0'] as const) await lab.stop(host0, program, 'SIGKILL');
    loseStore();
    await lab.rebootHost(host0);
    await annotate(await allIsWell());
    const sinceMs = performance.now();
    await until('the agents have collected garbage', 5 * MEMBER_SILENCE_MS, () => {
      return performance.now() - sinceMs > MEMBER_SILENCE_MS + 2_000;
    });
    await noDrift(lab.hosts);
  });
  expect(dropped).toEqual({});
  expect(await others.lost()).toEqual({});
});
