/** A node, host0's machine and host0's memory go, and come back: whoever is not concerned notices nothing. */
import { globSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { host0Client } from '../../../src/cli/control-client.ts';
import { Lab } from '../../../src/lab/lab.ts';
import type { LabHost } from '../../../src/lab/lab-host.ts';
import { MEMBER_SILENCE_MS } from '../../../src/protocol/membership.ts';
import { pathsBelow } from '../../../src/protocol/paths.ts';
import type { Host0Status } from '../../../src/protocol/views.ts';
import { noDrift } from '../drift.ts';
import { PingSet } from '../ping-set.ts';
import { allTalk } from '../talk.ts';
import { until } from '../until.ts';

/** The silence, and five times the second in which everybody hears of it. */
const DROP_DEADLINE_MS = MEMBER_SILENCE_MS + 5_000;

let lab: Lab;
let host0: LabHost;
/** On one segment. */
let node1: LabHost;
let node3: LabHost;
/** On the other. */
let node2: LabHost;

beforeAll(async () => {
  lab = await Lab.up({ name: `outages-${process.pid}`, nodes: 3, segments: 2 });
  [host0, node1, node2, node3] = [lab.host('host0'), lab.host('node1'), lab.host('node2'), lab.host('node3')];
});

afterAll(async () => {
  await lab?.down();
});

async function epoch(): Promise<string> {
  return (await host0Client(pathsBelow(host0.root)).get<Host0Status>('/v1/status')).epoch;
}

test('a node is cut off until host0 has dropped it, and joined again', async ({ annotate }) => {
  using others = await PingSet.start([node2, node3], [node3, node2], [node3, host0], [host0, node2]);
  await lab.cutWire(node1);
  await until('host0 has dropped it', DROP_DEADLINE_MS, async () => {
    return !(await lab.memberList(node2)).includes(node1.member.ipv6);
  });
  await lab.healWire(node1);
  await annotate(`all talk after ${await allTalk(lab)} ms`);
  expect(await others.lost()).toEqual({});
  await noDrift(lab.hosts);
});

test("host0's store is lost: it learns everybody anew, and nobody notices", async ({ annotate }) => {
  using all = await PingSet.start([node1, node2], [node2, node3], [node3, host0], [host0, node1], [node1, host0]);
  const before = await epoch();
  await lab.stop(host0, 'host0', 'SIGKILL');
  for (const file of globSync(join(pathsBelow(host0.root).state, 'store.db*'))) rmSync(file);
  lab.start(host0, 'host0');
  const startMs = performance.now();
  await annotate(`all talk after ${await allTalk(lab)} ms`);
  await until('everybody is listed', 25_000, async () => {
    const list = await lab.memberList(node1).catch(() => '');
    return lab.hosts.every(({ member }) => list.includes(member.ipv6));
  });
  await annotate(`all listed after ${Math.round(performance.now() - startMs)} ms`);
  expect(await epoch()).not.toBe(before);
  await until(
    'the new epoch is settled',
    DROP_DEADLINE_MS,
    () => performance.now() - startMs > MEMBER_SILENCE_MS + 2_000,
  );
  expect(await all.lost()).toEqual({});
  await noDrift(lab.hosts);
});

test("host0's machine is switched off and on", async ({ annotate }) => {
  using others = await PingSet.start([node1, node3], [node3, node1]);
  await lab.rebootHost(host0);
  await annotate(`all talk after ${await allTalk(lab)} ms`);
  expect(await others.lost()).toEqual({});
  await noDrift(lab.hosts);
});
