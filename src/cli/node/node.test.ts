/** What `mesh node` prints of nodes and machines: lists, hardware, boots; and which nodes a command reaches. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import * as documents from '../../../test/cli/documents.ts';
import { FakeDaemon } from '../../../test/cli/fake-daemon.ts';
import { mesh, STAND_INS } from '../../../test/cli/mesh.ts';
import type { MachineView } from '../../protocol/documents/machine-view.ts';
import { pathsBelow } from '../../protocol/documents/paths.ts';
import type { TimelineView } from '../../protocol/documents/timeline-view.ts';
import { Context } from '../context.ts';
import { followBoots, newsText } from './node-boot.ts';

let root: string;
let daemon: FakeDaemon;
let answers: Record<string, unknown>;
let machines: readonly MachineView[];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'mesh-cli-'));
  machines = documents.machines();
  answers = {
    'GET /v1/nodes': documents.nodes,
    'GET /v1/machines': machines,
    'GET /v1/boots': documents.boots,
    'GET /v1/boots/events': documents.boots.toReversed(),
  };
  daemon = new FakeDaemon(answers);
  await daemon.listen(pathsBelow(root).controlSock);
});

afterEach(async () => {
  await daemon.close();
  await rm(root, { recursive: true });
});

async function answer(line: string, columns?: number): Promise<string> {
  const terminal = columns === undefined ? {} : { columns };
  const { stdout, code } = await mesh(['--root', root, 'node', ...line.split(' ')], terminal);
  return code === 0 ? stdout : `${stdout}[exit ${code}]`;
}

describe('list', () => {
  test('nodes, machines that boot, and unknown ones', async () => {
    expect(await answer('list')).toMatchInlineSnapshot(`
      "NAME   MACHINE   STATE             IPV4       MESHES  HARDWARE                              FIRST       LAST
      host0  -         online            10.11.0.1  manage  -                                         -        0 s
      node1  10eff964  online            10.11.0.2  manage  Dell Inc. PowerEdge R620                3 d        0 s
      node2  2b1c0d3e  offline 1 min     10.12.0.2  manage  -                                         -      1 min
      node3  3c4d5e6f  stuck in overlay  -                  QEMU Standard PC (Q35 + ICH9, 2009)  10 min      1 min
      -      4d5e6f70  unknown           -                  -                                       1 d  1 h 6 min
      "
    `);
  });

  test('as documents', async () => {
    const listed = JSON.parse(await answer('list --json'));
    expect(listed.map(({ name, role, online }: Record<string, unknown>) => [name, role, online])).toEqual([
      ['host0', 'host0', true],
      ['node1', 'node', true],
      ['node2', 'node', false],
      ['node3', 'machine', false],
      [undefined, 'machine', false],
    ]);
    expect(listed[1]).toEqual({ ...documents.nodes[1], hardware: machines[0] });
    expect(listed[4]).toMatchObject({ machine: '4d5e6f70', meshes: [], hardware: machines[2] });
  });
});

describe('info', () => {
  test('of a node: its hardware, and the segment of each card', async () => {
    expect(await answer('info node1', 100)).toMatchInlineSnapshot(`
      "node        node1
      machine     10eff964
      role        node
      state       online
      ipv4        10.11.0.2
      hardware    Dell Inc. PowerEdge R620
      serial      8V5DTR1
      cpu         Intel(R) Xeon(R) CPU E5-2620 0 @ 2.00GHz, 6 cores, 12 threads
      memory      31.4 GiB
      first seen  3 d ago
      last boot   2 h ago: a member after 31.4 s

      MESH    STATE  MAC                IPV6
      manage  ready  02:2f:55:d5:07:f4  fd42:2345:1234:9abc:7647:6b77:cff:6931

      PART     WHAT                                     WHERE
      nvme0n1  512 GB solid SAMSUNG MZVLB512HAJQ-00000
      sda      1.0 TB rotating
      eth0     52:54:00:12:34:56 igb                    on the segment of host0's eth1, eth2
      eth1     52:54:00:12:34:57
      "
    `);
  });

  test('of a machine that is stuck', async () => {
    expect(await answer('info 3c4d5e6f', 100)).toMatchInlineSnapshot(`
      "node        node3
      machine     3c4d5e6f
      role        machine
      state       stuck in overlay
      hardware    QEMU Standard PC (Q35 + ICH9, 2009)
      first seen  10 min ago
      last boot   1 min ago: stuck in overlay: the machine reports from stage overlay: it does not unpack
      remedy      Give it more memory.

      PART  WHAT               WHERE
      card  52:54:00:00:00:03  on the segment of host0's eth1
      "
    `);
  });

  test('of a machine without a name', async () => {
    expect(await answer('info 4d5e6f70', 100)).toMatchInlineSnapshot(`
      "node        not named: mesh node adopt 4d5e6f70 NAME
      machine     4d5e6f70
      role        machine
      state       unknown
      first seen  1 d ago
      last boot   1 h 6 min ago

      PART  WHAT               WHERE
      card  52:54:00:00:00:04
      "
    `);
  });
});

describe('boot', () => {
  test('of all machines', async () => {
    expect(await answer('boot', 100)).toMatchInlineSnapshot(`
      "MACHINE  MAC                NIC   STATE   STAGE      AGE  CAUSE
      node3    52:54:00:00:00:03  eth1  stuck   overlay  1 min  the machine reports from stage overlay: i…
      node1    52:54:00:12:34:56  eth1  member  mesh      31 s
      "
    `);
  });

  test.each(['node3', '3c4d5e6f', '52:54:00:00:00:03'])('of one that is stuck, called %s', async (name) => {
    expect(await answer(`boot ${name}`)).toMatchInlineSnapshot(`
      "node3, 3c4d5e6f, 52:54:00:00:00:03 on eth1, 10.11.0.7: stuck after 90.0 s
        ✓ discover    0.0 s
        ✓ offer       0.9 s  10.11.0.7 from 10.11.0.1
        ✓ script      6.1 s  machine 3c4d5e6f
        ✓ kernel      7.0 s  loaded
        ✓ initrd      9.0 s  loaded
        ✗ overlay    21.0 s  it does not unpack
        · packages
        · agent
        · mesh
      Stuck in overlay: the machine reports from stage overlay: it does not unpack (MESH_BOOT_FAILED)
      Give it more memory.
      [exit 1]"
    `);
  });

  test.each([
    [{ atMs: 12_400, ms: 8_000, from: 'table' }, 'next stage by 12.4 s: offer may take 8.0 s, by default'],
    [
      { atMs: 46_900, ms: 46_000, from: 'learned', boots: 6 },
      'next stage by 46.9 s: offer may take 46.0 s, learned from 6 boots of Box\\x1b[2J, efi',
    ],
  ] as const)('of one that goes on, with its deadline, %o', async (due, text) => {
    const [{ trouble, ...stuck }] = documents.boots as [TimelineView];
    const view = { ...stuck, state: 'booting', stages: stuck.stages.slice(0, 2), model: 'Box\u001b[2J, efi', due };
    answers['GET /v1/boots'] = [view];
    expect((await answer('boot node3')).split('\n').slice(-2)).toEqual([`  ${text}`, '']);
    expect(JSON.parse(await answer('boot node3 --json'))).toEqual(view);
  });

  test('of one that is a member', async () => {
    expect(await answer('boot node1')).toContain('node1, 10eff964, 52:54:00:12:34:56 on eth1: member after 31.4 s');
    expect(JSON.parse(await answer('boot node1 --json'))).toEqual(documents.boots[1]);
  });

  test('of one that has not been seen', async () => {
    await expect(answer('boot node9')).rejects.toMatchObject({ code: 'MESH_NODE_UNKNOWN', object: 'node9' });
  });

  test('followed until the machine is a member', async () => {
    expect(await answer('boot node1 --follow')).toMatchInlineSnapshot(`
      "node1  ✓ discover    0.0 s
      node1  ✓ agent      30.0 s
      node1  ✓ mesh       31.4 s  manage
      node1 is a member after 31.4 s
      "
    `);
    const lines = (await answer('boot --follow --json')).trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toEqual(documents.boots.toReversed());
  });
});

test('machines that reboot are followed from their new boots on, until all are members', async () => {
  const [, before] = documents.boots;
  const since = '2026-11-21T07:00:00.000Z';
  const again = (state: string, count: number, more: object = {}) => ({
    ...{ ...before, state, began: '2026-11-21T07:00:04.000Z', stages: before?.stages.slice(0, count) },
    ...more,
  });
  const other = { mac: '52:54:00:00:00:05', machine: '2b1c0d3e', name: 'node2' };
  answers['GET /v1/boots/events'] = [before, again('booting', 1), again('member', 3), again('member', 3, other)];
  let shown = '';
  const stream = { write: (text: string) => (shown += text) };
  const context = new Context({ stdout: stream, stderr: stream, entries: STAND_INS }, () => ({ root }));
  await followBoots(context, ['10eff964', '2b1c0d3e'], since);
  const lines = shown.split('\n').map((line) => line.replace(/ {2,}/g, ' '));
  expect(lines.filter((line) => /discover|member/.test(line))).toEqual([
    'node1 ✓ discover 0.0 s',
    'node1 is a member after 31.4 s',
    'node2 ✓ discover 0.0 s',
    'node2 is a member after 31.4 s',
  ]);
});

describe('the news of a boot', () => {
  const [stuck] = documents.boots as [TimelineView];
  const { trouble, ...sound } = stuck;
  const [first, offer, script] = sound.stages;
  if (first === undefined || offer === undefined || script === undefined) throw new Error('the boot has three stages');
  const initrd = { stage: 'initrd' as const, atMs: offer.atMs, time: offer.time };
  // host0 sees that the file is asked for and that it has been sent; then the machine reports that the initrd runs.
  const views = [
    [first],
    [first, { ...initrd, detail: 'loading' }],
    [first, { ...initrd, detail: 'loaded' }],
    [first, initrd],
    [first, initrd, { ...script, stage: 'overlay' as const }],
  ].map((stages): TimelineView => ({ ...sound, state: 'booting', stages }));
  const news = (width: number | undefined) =>
    views.map((view, index) => newsText(view, views[index - 1], { paint: (_, text) => text, page: { width } }));
  const marks = (width: number | undefined) =>
    news(width)
      .join('')
      .match(/[✓▸] \w+/g);

  test('are one line for each stage where nobody watches', () => {
    expect(marks(undefined)).toEqual(['✓ discover', '✓ initrd', '✓ overlay']);
  });

  test('on a terminal say also that a file is loading', () => {
    expect(marks(80)).toEqual(['✓ discover', '▸ initrd', '✓ initrd', '✓ overlay']);
  });
});

describe('commands on nodes', () => {
  test('--all takes those that can be commanded, and names the others', async () => {
    const { machine, ...poller } = { ...documents.nodes[1], name: 'poller' };
    answers['GET /v1/nodes'] = [...documents.nodes, poller];
    const { stdout, stderr } = await mesh(['--root', root, 'node', 'ctl', '--all', 'true', '--json']);
    expect(JSON.parse(stdout).map(({ node, error }: Record<string, { code: string }>) => [node, error?.code])).toEqual([
      ['node1', 'MESH_NODE_NO_CONTROL'],
    ]);
    expect(stderr).toBe('Left out: poller does not say which machine it is.\n');
  });

  test.each([
    ['ctl true', 'MESH_USAGE', /no node is given/],
    ['ctl --all -n node1 true', 'MESH_USAGE', /both nodes and --all/],
    ['ctl -n node9 true', 'MESH_NODE_UNKNOWN', /no node is called "node9"/],
    ['ctl -n host0 true', 'MESH_USAGE', /host0 is this machine/],
    ['ctl -n node2 true', 'MESH_NODE_OFFLINE', /node2 is no member now: offline 1 min/],
    ['ctl -n node3 true', 'MESH_NODE_OFFLINE', /node3 is no member now: stuck in overlay/],
    ['reboot node1 4d5e6f70', 'MESH_NODE_OFFLINE', /4d5e6f70 is no member now: unknown/],
    ['ctl -n node1 true', 'MESH_NODE_NO_CONTROL', /node1 has never been given a host key/],
    ['logview node1', 'MESH_NODE_NO_CONTROL', /node1 has never been given a host key/],
  ])('%s', async (line, code, message) => {
    await expect(answer(line)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });
});
