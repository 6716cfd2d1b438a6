/** Two machines with one identity, and false reports: refused on both ends, without harm to other members. */
import { beforeAll, describe, expect, test } from 'vitest';
import { netnsPath } from '../../../src/kernel/netns.ts';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import { type ErrorDocument, MeshError } from '../../../src/model/error.ts';
import { host0Client } from '../../../src/protocol/calls/control-client.ts';
import { MEMBER_SILENCE_MS } from '../../../src/protocol/documents/membership.ts';
import { pathsBelow } from '../../../src/protocol/documents/paths.ts';
import type { MeshEvent } from '../../../src/protocol/journal/event.ts';
import { LONG } from '../../kit/long.ts';
import { isReady, noDrift, statusOf } from '../drift.ts';
import { forAllTests } from '../for-all-tests.ts';
import { meshOn } from '../mesh-command.ts';
import { PingSet } from '../ping-set.ts';
import { Pings } from '../pings.ts';
import { until } from '../until.ts';

const URL_IN_MESH = 'http://[fd42:2345:1234:9abc::1]:8000';
const REFUSED_DEADLINE_MS = 15_000;

const shared = forAllTests();
let lab: Lab;
let host0: LabHost;
let first: LabHost;
let other: LabHost;
let pings: Pings;

beforeAll(async () => {
  lab = shared.use(await Lab.build({ name: `identity-${process.pid}`, nodes: 4, segments: 2 }));
  host0 = lab.host('host0');
  first = lab.host('node1');
  other = lab.host('node2');
  lab.start(host0, 'host0');
  for (const host of [host0, first, other]) lab.start(host, 'agent');
  await lab.ready({ hosts: [host0, first, other] });
  pings = shared.use(await Pings.start(netnsPath(first.netns), other.member.ipv6));
});

async function members(): Promise<string[]> {
  return (await lab.memberList(other)).split('\n').slice(1, -1).toSorted();
}

async function eventsOf(host: LabHost): Promise<MeshEvent[]> {
  const { stdout } = await meshOn(host, 'events', '--json', '--level', 'debug');
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as MeshEvent);
}

describe.each([
  // The path on one segment is a part of the one over host0.
  ...(LONG ? [['on the same segment', 'node3'] as const] : []),
  ['on another segment', 'node4'] as const,
])('a second machine with the id of a member, %s', (_, name) => {
  let second: LabHost;

  test('is refused with the cause and the remedy on both ends; the first is unharmed', async ({ annotate }) => {
    second = { ...lab.host(name), machine: first.machine };
    const membersBefore = await members();
    const startMs = performance.now();
    lab.start(second, 'agent');
    const there = await until('the agent there says why', REFUSED_DEADLINE_MS, async () =>
      (await statusOf(second))?.health.find(({ code }) => code === 'MESH_MEMBER_DOUBLE'),
    );
    await annotate(`told after ${Math.round(performance.now() - startMs)} ms`);
    expect(there.message).toContain(`node1 at ${first.member.ipv4}`);
    expect(there.message).toContain(`${name} at ${second.member.ipv4}, which is refused`);
    expect(there.remedy).toContain('/etc/meshwork/machine');
    const { code, stdout } = await meshOn(second, 'status');
    expect(code).toBe(1);
    expect(stdout).toContain(`error MESH_MEMBER_DOUBLE`);

    const { health } = await host0Client(pathsBelow(host0.root)).ask('GET /v1/status');
    const here = health.find(({ message }) => message === there.message);
    expect(here).toMatchObject({ code: 'MESH_MEMBER_DOUBLE', remedy: there.remedy });
    const told = (await eventsOf(host0)).find(
      ({ kind, message }) => kind === 'member refused' && message === there.message,
    );
    expect(told).toMatchObject({ code: 'MESH_MEMBER_DOUBLE', remedy: there.remedy });

    using toHost0 = await PingSet.start([first, host0], [host0, first]);

    await until(
      'it has tried again, and again',
      5 * MEMBER_SILENCE_MS,
      () => performance.now() - startMs > MEMBER_SILENCE_MS + 3_000,
    );
    expect(await members()).toEqual(membersBefore);
    const kinds = (await eventsOf(host0)).filter(({ object }) => object === first.name).map(({ kind }) => kind);
    expect(kinds).toEqual(['member joined']);
    await isReady(first);
    expect(await pings.lost()).toBe('');
    // The second machine sends with the addresses of the first: host0's answers go to the one that sent last.
    await annotate(`lost between host0 and the first: ${JSON.stringify(await toHost0.lost())}`);
  });

  test('becomes a member as soon as it has an id of its own', async () => {
    await lab.stop(second, 'agent');
    lab.start(lab.host(name), 'agent');
    const hosts = [host0, first, other, lab.host(name)];
    await lab.ready({ hosts, deadlineMs: REFUSED_DEADLINE_MS });
    for (const host of hosts) await isReady(host);
    await noDrift(hosts);
    expect(await pings.lost()).toBe('');
  });
});

describe('a false report', () => {
  const name = 'node2';
  const instance = 'made-up';
  const state = { phase: 'ready' };

  test.each([
    ['names another machine', 'node1', 'node2', false, '403 MESH_MEMBER_FORGED'],
    ['says that another machine leaves', 'node1', 'node1', true, '403 MESH_MEMBER_FORGED'],
    ["gives another machine's IPv4", 'node2', 'node1', false, '409 MESH_MEMBER_DOUBLE'],
    ["gives host0's IPv4", 'node2', 'host0', false, '409 MESH_MEMBER_DOUBLE'],
  ])('is refused when it %s', async (_, machineOf, ipv4Of, leaving, refusal) => {
    const before = await members();
    const { machine } = lab.host(machineOf);
    const { ipv4 } = lab.host(ipv4Of).member;
    const report = JSON.stringify({ machine, name, instance, ipv4, state, ...(leaving && { leaving }) });
    const json = ['-H', 'content-type: application/json'];
    const put = [
      'curl',
      '-sg',
      '-w',
      '%{stderr}%{http_code}',
      '-X',
      'PUT',
      ...json,
      '-d',
      report,
      `${URL_IN_MESH}/self`,
    ];
    const { stdout, stderr } = await lab.exec(other, put);
    expect(`${stderr} ${MeshError.fromJSON(JSON.parse(stdout) as ErrorDocument).code}`).toBe(refusal);
    expect(await members()).toEqual(before);
    expect(await pings.lost()).toBe('');
  });
});
