/** A node's IPv4 becomes another, and two machines come with one id: whoever was there first stays, wherever it goes. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { host0Client } from '../../../src/cli/control-client.ts';
import { Lab } from '../../../src/lab/lab.ts';
import type { LabHost } from '../../../src/lab/lab-host.ts';
import { parseIpv4 } from '../../../src/model/ipv4.ts';
import type { MeshEvent } from '../../../src/protocol/event.ts';
import { MEMBER_SILENCE_MS } from '../../../src/protocol/membership.ts';
import { pathsBelow } from '../../../src/protocol/paths.ts';
import type { AgentStatus, Host0Status } from '../../../src/protocol/views.ts';
import { isReady, noDrift, statusOf } from '../drift.ts';
import { droppedDuring } from '../forwarding-watch.ts';
import { PingSet } from '../ping-set.ts';
import { allTalk, areListed } from '../talk.ts';
import { until } from '../until.ts';

const REFUSED_DEADLINE_MS = 15_000;

let lab: Lab;
let host0: LabHost;
/** Whose id others take, and whose address changes. */
let node1: LabHost;
/** On the other wire. */
let node2: LabHost;
/** Those that run as themselves. */
let running: LabHost[];

beforeAll(async () => {
  lab = await Lab.build({ name: `addresses-${process.pid}`, nodes: 4, segments: 2 });
  [host0, node1, node2] = [lab.host('host0'), lab.host('node1'), lab.host('node2')];
  running = [host0, node1, node2];
  lab.start(host0, 'host0');
  for (const host of running) lab.start(host, 'agent');
  await lab.ready({ hosts: running });
  for (const host of running) await isReady(host);
});

afterAll(async () => {
  await lab?.down();
});

/** What `mesh status` says on `host`. */
async function shownBy(host: LabHost): Promise<AgentStatus> {
  const { stdout } = await lab.exec(host, ['mesh', 'status', '--json']);
  return (JSON.parse(stdout) as { agent: AgentStatus }).agent;
}

/** Whom host0 refused, as `mesh events` says, oldest first. */
async function refusals(): Promise<MeshEvent[]> {
  const { stdout } = await lab.exec(host0, ['mesh', 'events', '--json']);
  const events = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as MeshEvent);
  return events.filter(({ kind }) => kind === 'member refused');
}

describe.each([
  ['on its wire', 'node3'],
  ['on another wire', 'node4'],
])('a second machine with the id of a member, %s', (_, name) => {
  test('is refused, with cause and remedy on both ends; the first is unharmed', async ({ annotate }) => {
    const second = { ...lab.host(name), machine: node1.machine };
    using others = await PingSet.start([node1, node2], [node2, node1], [host0, node2]);
    using toHost0 = await PingSet.start([node1, host0], [host0, node1]);
    const startMs = performance.now();
    lab.start(second, 'agent');
    const there = await until('it is told why', REFUSED_DEADLINE_MS, async () => {
      return (await statusOf(second))?.health.find(({ code }) => code === 'MESH_MEMBER_DOUBLE');
    });
    await annotate(`refused after ${Math.round(performance.now() - startMs)} ms`);
    expect(there.message).toContain(`node1 at ${node1.member.ipv4}`);
    expect(there.message).toContain(`${name} at ${second.member.ipv4}, which is refused`);
    expect(there.remedy).toContain('/etc/meshwork/machine');
    expect((await shownBy(second)).health).toEqual([there]);

    const { health } = await host0Client(pathsBelow(host0.root)).get<Host0Status>('/v1/status');
    expect(health).toContainEqual(
      expect.objectContaining({ code: there.code, message: there.message, remedy: there.remedy }),
    );
    expect((await refusals()).at(-1)).toMatchObject({ code: there.code, message: there.message, remedy: there.remedy });

    await until('it has gone on trying for longer than a member may be silent', 5 * MEMBER_SILENCE_MS, () => {
      return performance.now() - startMs > MEMBER_SILENCE_MS + 3_000;
    });
    await areListed(lab, node2, [node1, node2]);
    expect(await others.lost()).toEqual({});
    await annotate(`lost between the first and host0: ${JSON.stringify(await toHost0.lost())}`);
  });

  test('becomes a member as soon as it has an id of its own', async () => {
    const host = lab.host(name);
    await lab.stop(host, 'agent');
    running.push(host);
    using others = await PingSet.start([node1, node2]);
    lab.start(host, 'agent');
    await lab.ready({ hosts: running, deadlineMs: REFUSED_DEADLINE_MS });
    for (const each of running) await isReady(each);
    await noDrift(running);
    expect(await others.lost()).toEqual({});
  });
});

test("a node's IPv4 becomes another: all follow, and nobody is dropped", async ({ annotate }) => {
  using others = await PingSet.start([node2, lab.host('node3')], [host0, node2]);
  const dropped = await droppedDuring(lab, lab.hosts, async () => {
    await lab.setIpv4(node1, parseIpv4('10.11.0.77'));
    const talkMs = await allTalk(lab);
    const listMs = await areListed(lab, node2, lab.hosts.slice(1));
    await annotate(`all talk after ${talkMs} ms, and are listed after ${talkMs + listMs} ms`);
    await noDrift(lab.hosts);
  });
  expect(dropped).toEqual({});
  expect(await others.lost()).toEqual({});
});
