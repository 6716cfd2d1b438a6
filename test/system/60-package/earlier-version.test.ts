/** Nodes and host0 of two versions in one cluster: each direction, and an upgrade of host0 in place. */
import { beforeAll, expect, test } from 'vitest';
import { netnsPath } from '../../../src/kernel/netns.ts';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import type { CommandOutcome } from '../../../src/lab/hosts/host-shell.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import { MEMBERSHIP_PORT } from '../../../src/protocol/documents/tcp-ports.ts';
import { inside } from '../../kit/namespaces.ts';
import { noDrift } from '../drift.ts';
import { EarlierVersion } from '../earlier-version.ts';
import { forAllTests } from '../for-all-tests.ts';
import { Guest } from '../guest.ts';
import { meshOn } from '../mesh-command.ts';
import { allReachable } from '../reach.ts';
import { until } from '../until.ts';

/**
 * The last commit before nodes and host0 began to speak as they do today: before a channel kept the memberships of a node. Whoever
 * changes a document that they exchange names the commit before the change here.
 */
const EARLIER_NODE = '1876ddb830bd9672700fa591003c493971a6ea14';
/** The same for host0, whose earlier commits need packages that are not installed any more. */
const EARLIER_HOST0 = '4900eefddd6918b6c370eac08f11edaebaabd873';

/** A node looks for host0 each second, and opens a channel within three. */
const DEADLINE_MS = 30_000;
/** A node with a stream of its own opens it within a second after its report. */
const STREAM_DEADLINE_MS = 15_000;

const shared = forAllTests();
let earlierNode: EarlierVersion;
let earlierHost0: EarlierVersion;
let lab: Lab;
let host0: LabHost;
let node1: LabHost;
let node2: LabHost;
let guest1: Guest;
let guest2: Guest;
let stopHost0: (() => Promise<void>)[];

beforeAll(async () => {
  earlierNode = shared.use(await EarlierVersion.build(EARLIER_NODE, ['agent', 'cli']));
  earlierHost0 = shared.use(await EarlierVersion.build(EARLIER_HOST0, ['host0', 'agent', 'cli']));
  lab = shared.use(await Lab.build({ name: `versions-${process.pid}`, nodes: 2, segments: 1 }));
  [host0, node1, node2] = [lab.host('host0'), lab.host('node1'), lab.host('node2')];
  guest1 = shared.use(Guest.behind(node1, 'vm1', 'fd99::11'));
  guest2 = shared.use(Guest.behind(node2, 'vm2', 'fd99::12'));
}, 120_000);

const today = (host: LabHost, ...words: readonly string[]): Promise<CommandOutcome> => meshOn(host, ...words);
const before = (host: LabHost, ...words: readonly string[]): Promise<CommandOutcome> =>
  (host === host0 ? earlierHost0 : earlierNode).mesh(lab, host, ...words);

const succeeds = async (outcome: Promise<CommandOutcome>): Promise<boolean> => (await outcome).code === 0;

/** Waits until the channel of a node stands, as the node says itself. */
async function channelStands(ask: typeof today, host: LabHost): Promise<void> {
  await until(`the channel of ${host.name} stands`, DEADLINE_MS, async () => {
    const { stdout } = await ask(host, 'status', '--json');
    return /"channel":\s*\{\s*"state":\s*"standing"/.test(stdout);
  });
}

/** How many connections a node has to host0's membership endpoint. A stream is one; a report has gone after some milliseconds. */
function membershipConnections({ netns }: LabHost): number {
  const filter = `( dport = :${MEMBERSHIP_PORT} )`;
  return inside(netnsPath(netns), 'ss', '-Htn', 'state', 'established', filter).split('\n').filter(Boolean).length;
}

test('a node of today and an earlier one are members of an earlier host0, and are given a network', async () => {
  stopHost0 = [earlierHost0.start(lab, host0, 'host0'), earlierHost0.start(lab, host0, 'agent')];
  lab.start(node1, 'agent');
  earlierNode.start(lab, node2, 'agent');
  await lab.ready({ deadlineMs: DEADLINE_MS });
  await channelStands(today, node1);
  await channelStands(before, node2);
  await until('blue is made', DEADLINE_MS, () => succeeds(before(host0, 'network', 'create', 'blue')));
  expect((await today(node1, 'port', 'plug', 'blue', 'vm1')).code).toBe(0);
  expect((await before(node2, 'port', 'plug', 'blue', 'vm2')).code).toBe(0);
  await allReachable(guest1.netns, [guest2.address]);
  // A node that its channel does not keep follows a stream inside the mesh.
  await until('node2 has a stream', STREAM_DEADLINE_MS, () => membershipConnections(node2) > 0);
});

test('host0 is upgraded: the earlier node stays a member with a stream of its own, the other one needs none', async () => {
  for (const stop of stopHost0) await stop();
  await lab.startHost0();
  await lab.ready({ deadlineMs: DEADLINE_MS });
  await channelStands(today, node1);
  await channelStands(before, node2);
  await until(
    'the channel keeps the membership of node1',
    STREAM_DEADLINE_MS,
    () => membershipConnections(node1) === 0,
  );
  await until('node2 has a stream', STREAM_DEADLINE_MS, () => membershipConnections(node2) > 0);
  await allReachable(guest1.netns, [guest2.address]);
  await noDrift([host0, node1]);
  // A network that is made now reaches both.
  await until('red is made', DEADLINE_MS, () => succeeds(today(host0, 'network', 'create', 'red')));
  const [guest3, guest4] = [Guest.behind(node1, 'vm3', 'fd98::11'), Guest.behind(node2, 'vm4', 'fd98::12')];
  for (const guest of [guest3, guest4]) shared.use(guest);
  expect((await today(node1, 'port', 'plug', 'red', 'vm3')).code).toBe(0);
  expect((await before(node2, 'port', 'plug', 'red', 'vm4')).code).toBe(0);
  await allReachable(guest3.netns, [guest4.address]);
});
