/**
 * `mesh capture`: the packets of several nodes, inside and outside the mesh, in one file. Only host0 may capture on
 * another node.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { innerFrame, parseFrameFilter } from '../../../src/formats/capture/frame-filter.ts';
import { type PcapngPacket, PcapngReader } from '../../../src/formats/capture/pcapng.ts';
import { netnsPath } from '../../../src/kernel/netns.ts';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import { AGENT_PORT, CHANNEL_PORT } from '../../../src/protocol/documents/tcp-ports.ts';
import type { MeshEvent } from '../../../src/protocol/journal/event.ts';
import { inside } from '../../kit/namespaces.ts';
import { isReady, noDrift } from '../drift.ts';
import { forAllTests } from '../for-all-tests.ts';
import { until } from '../until.ts';

/** Usually the command and two streams have started after half a second. */
const BEGIN_DEADLINE_MS = 10_000;
const CAPTURE = 'capture?snap=256&for=5&filter=';

const shared = forAllTests();
let lab: Lab;
let host0: LabHost;
let node1: LabHost;
let node2: LabHost;
let directory: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'mesh-capture-'));
  shared.defer(() => rmSync(directory, { recursive: true }));
  lab = shared.use(await Lab.up({ name: `capture-${process.pid}`, nodes: 2, segments: 2 }));
  [host0, node1, node2] = [lab.host('host0'), lab.host('node1'), lab.host('node2')];
  await Promise.all(lab.hosts.map(isReady));
});

async function events(host: LabHost, kind: string): Promise<MeshEvent[]> {
  const { stdout } = await lab.exec(host, ['mesh', 'events', '--json']);
  const all = stdout.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as MeshEvent]));
  return all.filter((event) => event.kind === kind);
}

/** Runs a capture, and a ping from node1 to node2 as soon as the capture has begun on both. */
async function captured(asker: LabHost, ...options: readonly string[]) {
  const begun = async () =>
    (await events(node1, 'capture begun')).length + (await events(node2, 'capture begun')).length;
  const before = await begun();
  const capture = lab.exec(asker, ['mesh', 'capture', 'manage', '--for', '30', ...options]);
  await until('it has begun', BEGIN_DEADLINE_MS, async () => (await begun()) >= before + 2);
  const ping = await lab.exec(node1, ['mesh', 'ping', 'manage', 'node2']);
  expect(ping.code).toBe(0);
  return await capture;
}

interface Seen extends PcapngPacket {
  readonly interface: string;
}

function read(file: string): { seen: Seen[]; dropped: number[] } {
  const blocks = new PcapngReader().push(readFileSync(file));
  const names = blocks.flatMap((block) => (block.type === 'interface' ? [block.name] : []));
  return {
    seen: blocks.flatMap((block) =>
      block.type === 'packet' ? [{ ...block, interface: names[block.interfaceId] ?? '' }] : [],
    ),
    dropped: blocks.flatMap((block) => (block.type === 'statistics' ? [block.dropped] : [])),
  };
}

test('a ping is captured on both nodes, inside and outside the mesh, in the order of time', async () => {
  const file = join(directory, 'ping.pcapng');
  const filter = `icmp6 host ${node1.member.ipv6} host ${node2.member.ipv6}`;
  const { code, stderr } = await captured(
    host0,
    '--nodes',
    'node1,node2',
    '--filter',
    filter,
    '--count',
    '16',
    '--output',
    file,
  );
  expect([code, stderr]).toEqual([0, expect.stringContaining('capturing in manage on node1, node2')]);
  expect(statSync(file).mode & 0o777).toBe(0o600);

  const { seen, dropped } = read(file);
  expect(seen).toHaveLength(16);
  const times = seen.map(({ timeNs }) => timeNs);
  expect(times).toEqual(times.toSorted((a, b) => Number(a - b)));
  // The first echo request passes these four points in this order, and its reply in the opposite order.
  const way = ['node1:vxlan456 (inner)', 'node1:eth0 (outer)', 'node2:eth0 (outer)', 'node2:vxlan456 (inner)'];
  const frames = seen.map((packet) => [packet.interface, icmpType(packet)]);
  expect(new Set(frames.slice(0, 4).map(([name]) => name))).toEqual(new Set(way));
  expect(frames.slice(0, 8).map(([, type]) => type)).toEqual([128, 128, 128, 128, 129, 129, 129, 129]);
  expect(
    frames
      .slice(0, 8)
      .filter(([, type]) => type === 129)
      .map(([name]) => name),
  ).toHaveLength(4);
  expect(dropped).toEqual([0, 0, 0, 0]);

  const text = execFileSync('tcpdump', ['-nr', file], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  expect(text.match(/^[\d:.]+ IP6 .* ICMP6, echo request/gm)).toHaveLength(4);
  expect(text.match(/^[\d:.]+ IP .*4789: VXLAN, .* vni 456\n.* ICMP6, echo reply/gm)).toHaveLength(4);
  expect((await events(node2, 'capture begun')).at(-1)?.message).toMatch(/^host0 captures on vxlan456, eth0/);
});

/** 128 and 129 are echo request and reply (RFC 4443 §4). */
function icmpType(packet: Seen): number | undefined {
  const inner = packet.interface.endsWith('(outer)') ? innerFrame(packet.bytes) : packet.bytes;
  return inner[54];
}

test('a capture on all members, written to a pipe, does not contain its own packets', async () => {
  const file = join(directory, 'all.pcapng');
  // The shell's pipe stands for Wireshark's.
  const pipe = `mesh capture manage --output - --for 3 >${file}`;
  const { code, stderr } = await lab.exec(host0, ['sh', '-c', pipe]);
  expect([code, stderr]).toEqual([0, expect.stringMatching(/host0:vxlan456 \(inner\): \d+ packets/)]);
  const { seen } = read(file);
  const names = new Set(seen.map((packet) => packet.interface));
  for (const name of ['host0:eth1 (outer)', 'host0:eth2 (outer)', 'node1:eth0 (outer)', 'node2:vxlan456 (inner)']) {
    expect(names).toContain(name);
  }
  const ours = [AGENT_PORT, CHANNEL_PORT].map((port) => parseFrameFilter(`tcp port ${port}`));
  const inner = ({ interface: name, bytes }: Seen) => (name.endsWith('(outer)') ? innerFrame(bytes) : bytes);
  expect(seen.filter((packet) => ours.some((isOurs) => isOurs(inner(packet))))).toEqual([]);
});

test('a capture ends when its reader goes away', async () => {
  const { stdout } = await lab.exec(host0, ['sh', '-c', 'mesh capture manage | head -c 28 | od -An -tx4 -N4']);
  expect(stdout.trim()).toBe('0a0d0d0a');
  await until('every capture has ended', BEGIN_DEADLINE_MS, async () => {
    const counts = await Promise.all(
      ['capture begun', 'capture ended'].map(async (kind) => (await events(node1, kind)).length),
    );
    return counts[0] === counts[1];
  });
});

test('a node may capture on itself, and on no other node', async () => {
  const own = await lab.exec(node1, ['mesh', 'capture', 'manage', '--for', '1', '-o', join(directory, 'own.pcapng')]);
  expect(own.stdout).toContain('node1:vxlan456 (inner)');
  const other = await lab.exec(node1, ['mesh', 'capture', 'manage', '--nodes', 'node2', '-o', join(directory, 'no')]);
  expect([other.code, other.stderr]).toEqual([4, expect.stringContaining('node1 may not capture on node2')]);
  // Inside the mesh nobody gets a capture, not even host0.
  for (const asker of [node1, host0]) expect(statusOf(netnsPath(asker.netns), node2)).toBe('404');
  await noDrift(lab.hosts);
});

/** The HTTP status of a direct request for a capture; 000 without an answer. */
function statusOf(netns: string, node: LabHost): string {
  const url = `http://[${node.member.ipv6}]:${AGENT_PORT}/${CAPTURE}`;
  return inside(netns, 'sh', '-c', `curl -sg -o /dev/null -m 1 -w '%{http_code}' '${url}' || true`);
}
