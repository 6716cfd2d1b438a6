/** Invalid network files: each is reported with its fault, and the running networks go on. */
import { rmSync, writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { netnsPath } from '../../../src/kernel/netns.ts';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import { EXAMPLE_MESH } from '../../../src/lab/hosts/example-mesh.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import type { MeshError } from '../../../src/model/error.ts';
import { host0Client } from '../../../src/protocol/calls/control-client.ts';
import type { Finding } from '../../../src/protocol/documents/finding.ts';
import { MEMBER_SILENCE_MS } from '../../../src/protocol/documents/membership.ts';
import { pathsBelow } from '../../../src/protocol/documents/paths.ts';
import type { AgentStatus, Host0Status } from '../../../src/protocol/documents/views.ts';
import { fileOf, SECOND_MESH, writeMesh } from '../../kit/lab-networks.ts';
import { isReady, noDrift, statusOf } from '../drift.ts';
import { forAllTests } from '../for-all-tests.ts';
import { meshOn } from '../mesh-command.ts';
import { Pings } from '../pings.ts';
import { until } from '../until.ts';
import { BAD_FILES, confWith } from './bad-files.ts';

/** A changed file is noticed after 30 ms, and in force within a second. */
const TAKEN_DEADLINE_MS = 30_000;

const shared = forAllTests();
let lab: Lab;
let host0: LabHost;
let node1: LabHost;
let pings: Pings[] = [];

beforeAll(async () => {
  lab = shared.use(await Lab.up({ name: `files-${process.pid}`, nodes: 2, segments: 1 }));
  [host0, node1] = [lab.host('host0'), lab.host('node1')];
  const node2 = lab.host('node2');
  pings = [
    shared.use(await Pings.start(netnsPath(node2.netns), node1.member.ipv6)),
    shared.use(await Pings.start(netnsPath(node1.netns), host0.member.ipv6)),
  ];
});

async function losses(): Promise<string[]> {
  return await Promise.all(pings.map((running) => running.lost()));
}

/** The findings about network files in the documents of which `mesh status` on the host is made. */
async function findings(host: LabHost): Promise<Finding[]> {
  const agent = await statusOf(host);
  const daemon = host.role === 'host0' ? await host0Client(pathsBelow(host.root)).ask('GET /v1/status') : undefined;
  return aboutFiles(agent, daemon);
}

function aboutFiles(...views: readonly (AgentStatus | Host0Status | undefined)[]): Finding[] {
  return views.flatMap((view) => view?.health ?? []).filter(({ code }) => /^MESH_(NET|CONF)_/.test(code));
}

async function networksAt(host: LabHost): Promise<string[]> {
  return ((await statusOf(host))?.networks ?? []).map(({ network }) => network.name).toSorted();
}

/** Waits until the findings about the host's files are exactly `expected`. */
async function isFound(host: LabHost, expected: readonly unknown[]): Promise<void> {
  await expect.poll(() => findings(host), { timeout: TAKEN_DEADLINE_MS }).toEqual(expected);
}

describe.each(BAD_FILES)('$title', ({ content, code, message, line, column }) => {
  test('is reported by `mesh network check` and by `mesh status`, and disturbs nothing', async () => {
    const [good, bad] = [fileOf(node1, 'manage'), fileOf(node1, 'zzz')];
    writeFileSync(bad, content);
    const check = await meshOn(node1, 'network', 'check', good, bad, '--json');
    expect(check.code).toBe(1);
    const { errors } = JSON.parse(check.stdout) as { errors: MeshError[] };
    expect(errors).toEqual([
      expect.objectContaining({
        code,
        message: expect.stringMatching(message),
        rule: expect.any(String),
        remedy: expect.any(String),
        place: expect.objectContaining({ file: bad, line, column }),
      }),
    ]);
    const [{ message: said, remedy } = { message: '', remedy: '' }] = errors;
    await isFound(node1, [{ code, severity: 'error', object: bad, message: said, remedy }]);
    expect(await networksAt(node1)).toEqual([EXAMPLE_MESH.name]);
    await noDrift([node1]);
    expect(await losses()).toEqual(['', '']);
  });
});

test('while one file is bad no new file is accepted, and the accepted files survive a restart', async () => {
  writeFileSync(fileOf(node1, 'zzz'), confWith({ vni: 'abc' }));
  writeMesh(node1, SECOND_MESH);
  rmSync(fileOf(node1, 'manage'));
  await lab.stop(node1, 'agent', 'SIGKILL');
  lab.start(node1, 'agent');
  await isReady(node1);
  await isFound(node1, [expect.objectContaining({ code: 'MESH_NET_VNI_INVALID' })]);
  expect(await networksAt(node1)).toEqual([EXAMPLE_MESH.name]);
  await noDrift([node1]);
  expect(await losses()).toEqual(['', '']);
});

test('once the bad file is corrected, all files are accepted', async () => {
  writeMesh(node1, EXAMPLE_MESH);
  writeFileSync(fileOf(node1, 'zzz'), confWith({}));
  await until('the files are in force', TAKEN_DEADLINE_MS, async () => (await networksAt(node1)).length === 3);
  expect(await networksAt(node1)).toEqual(['bad', EXAMPLE_MESH.name, SECOND_MESH.name]);
  expect(await findings(node1)).not.toContainEqual(expect.objectContaining({ severity: 'error' }));
  for (const name of ['zzz', 'second']) rmSync(fileOf(node1, name));
  await until('the files are gone', TAKEN_DEADLINE_MS, async () => (await networksAt(node1)).length === 1);
  await noDrift([node1]);
  expect(await losses()).toEqual(['', '']);
});

test('host0 keeps its accepted files, too, also after a restart of its daemon', async () => {
  writeFileSync(fileOf(host0, 'zzz'), confWith({ vni: '456' }));
  writeMesh(host0, SECOND_MESH);
  const expected = [expect.objectContaining({ code: 'MESH_NET_VNI_TWICE', object: fileOf(host0, 'zzz') })];
  await isFound(host0, expected);
  await lab.stop(host0, 'host0', 'SIGKILL');
  lab.start(host0, 'host0');
  for (const host of lab.hosts) await isReady(host);
  await isFound(host0, expected);
  expect(await networksAt(host0)).toEqual([EXAMPLE_MESH.name]);

  rmSync(fileOf(host0, 'zzz'));
  await until('the files are in force', TAKEN_DEADLINE_MS, async () => (await networksAt(host0)).length === 2);
  expect(await findings(host0)).toEqual([]);
  rmSync(fileOf(host0, 'second'));
  await until('the second mesh is gone', TAKEN_DEADLINE_MS, async () => (await networksAt(host0)).length === 1);
  await noDrift(lab.hosts);
  expect(await losses()).toEqual(['', '']);
});

test('at a boot without state the valid files come up, and the others are reported', async () => {
  for (const running of pings) running[Symbol.dispose]();
  await lab.stop(node1, 'agent', 'SIGKILL');
  rmSync(pathsBelow(node1.root).state, { recursive: true });
  // Two files that collide with each other, and one file of every other kind.
  const others = BAD_FILES.filter(({ code }) => code !== 'MESH_NET_VNI_TWICE');
  for (const [index, { content }] of others.entries()) writeFileSync(fileOf(node1, `bad${index}`), content);
  writeFileSync(fileOf(node1, 'same1'), confWith({ name: 'same1', vni: '777' }));
  writeFileSync(fileOf(node1, 'same2'), confWith({ name: 'same2', vni: '777', prefix: 'fd42:2345:1234:9abf::/64' }));
  // A machine takes longer to boot than host0 waits for a member. Before that, the new boot would be a second program to host0.
  await until('host0 has dropped node1', 3 * MEMBER_SILENCE_MS, async () => {
    const [manage] = await host0Client(pathsBelow(host0.root)).ask('GET /v1/networks');
    return manage !== undefined && !manage.members.some(({ ipv6 }) => ipv6 === node1.member.ipv6);
  });
  await lab.rebootHost(node1);
  await lab.ready();
  expect(await networksAt(node1)).toEqual([EXAMPLE_MESH.name]);
  // By the command itself, for once.
  const { stdout } = await meshOn(node1, 'status', '--json');
  const { agent } = JSON.parse(stdout) as { agent: AgentStatus };
  const found = aboutFiles(agent);
  expect(found.map(({ code }) => code).toSorted()).toEqual(BAD_FILES.map(({ code }) => code).toSorted());
  await noDrift(lab.hosts);
});
