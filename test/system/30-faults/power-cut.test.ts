/** Machines restart without host0: they find each other by their state files, and follow host0 when it is back. */
import { existsSync, globSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import { MEMBER_SILENCE_MS } from '../../../src/protocol/documents/membership.ts';
import { pathsBelow } from '../../../src/protocol/documents/paths.ts';
import { isReady, noDrift, statusOf } from '../drift.ts';
import { PingSet } from '../ping-set.ts';
import { areListed } from '../talk.ts';
import { until } from '../until.ts';

/** Five times the ten seconds within which a change is written. */
const WRITTEN_DEADLINE_MS = 50_000;
/** Five times the time of a first report that is not answered. */
const STATUS_DEADLINE_MS = 20_000;

let lab: Lab;
let host0: LabHost;
let node1: LabHost;
/** On the other segment, behind host0's machine. */
let node2: LabHost;
let node3: LabHost;

beforeAll(async () => {
  lab = await Lab.up({ name: `power-${process.pid}`, nodes: 3, segments: 2 });
  [host0, node1, node2, node3] = [lab.host('host0'), lab.host('node1'), lab.host('node2'), lab.host('node3')];
});

afterAll(async () => {
  await lab?.down();
});

/** Waits until the state file of the host has exactly the members `others`. */
async function hasWrittenDown(host: LabHost, others: readonly LabHost[]): Promise<void> {
  const file = join(pathsBelow(host.root).state, 'members.json');
  await until(`${host.name} has written down ${others.map(({ name }) => name)}`, WRITTEN_DEADLINE_MS, () => {
    const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
    return lab.hosts.every(
      ({ member }) => text.includes(member.mac) === others.some((other) => other.member === member),
    );
  });
}

async function entriesFor(host: LabHost, other: LabHost): Promise<number> {
  const { stdout } = await lab.exec(host, ['bridge', 'fdb', 'show']);
  return stdout.split('\n').filter((entry) => entry.startsWith(other.member.mac)).length;
}

test('all machines are switched off and on while the daemon of host0 is away, and reach each other', async () => {
  for (const host of [node1, node2, node3]) await hasWrittenDown(host, lab.hosts);
  await lab.stop(host0, 'host0', 'SIGKILL');
  for (const host of [node1, node2, node3]) await lab.rebootHost(host);
  await lab.ready({ hosts: [node1, node2, node3] });
  expect((await statusOf(node1))?.networks[0]?.host0Answers).toBe(false);
  // Scripts can trust the exit code, also while the members reach each other.
  await until('mesh status names host0, and ends with 1', STATUS_DEADLINE_MS, async () => {
    const { code, stdout } = await lab.exec(node1, ['mesh', 'status']);
    return code === 1 && stdout.includes('MESH_HOST0_UNREACHABLE');
  });
  await noDrift([node1, node2, node3]);
});

test('a member that left while a node was off is dropped once host0 is back, and no other', async () => {
  lab.start(host0, 'host0');
  for (const host of lab.hosts) await isReady(host);
  // On a busy machine host0 may have dropped a node that reported late, and its list may be on no disk yet.
  await hasWrittenDown(node1, lab.hosts);
  await lab.stop(node1, 'agent', 'SIGKILL');
  for (const file of globSync(join(pathsBelow(node2.root).nodeNetworks, '*.conf'))) rmSync(file);
  await areListed(lab, node3, [node1, node3]);
  await lab.stop(host0, 'host0', 'SIGKILL');

  await lab.rebootHost(node1);
  await lab.ready({ hosts: [node1, node3] });
  expect(await entriesFor(node1, node2)).toBe(2);
  using pings = await PingSet.start([node1, node3], [node3, node1]);
  lab.start(host0, 'host0');
  await until('node1 has dropped node2', 5 * MEMBER_SILENCE_MS, async () => (await entriesFor(node1, node2)) === 0);
  expect(await pings.lost()).toEqual({});
  await noDrift([host0, node1, node3]);
  await lab.stop(node1, 'agent', 'SIGTERM');
  await hasWrittenDown(node1, [host0, node1, node3]);
});
