/** The last known members survive a restart of the agent; a damaged or foreign file does not count. */
import { expect, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { board, member as memberOf, mesh } from '../../../test/kit/networks.ts';
import { KernelTables } from '../../kernel/mirror/kernel-tables.ts';
import type { FdbEntry, Link } from '../../kernel/rtnl/objects.ts';
import type { Ipv4, Ipv4Cidr } from '../../model/address/ipv4.ts';
import type { Member } from '../../model/network/member.ts';
import type { Mesh } from '../../model/network/mesh.ts';
import { formatMemberLine } from '../../protocol/documents/membership.ts';
import { meshDocument } from '../../protocol/documents/mesh-document.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import { asKernelHas, type KnownMesh, LastKnown } from './last-known.ts';

const SETTLE_MS = 10_000;
const RETRY_MS = 60_000;
const MESH = mesh('mesh456', 456);
const SEGMENTS = ['10.11.0.0/24', '10.11.1.0/24'] as Ipv4Cidr[];

function member(number: number): Member {
  return memberOf(MESH, board(number), `10.11.0.${number}`, `node${number}`);
}

/** A node with the file `disk`, and the meshes that it knows now. */
function node(disk?: string) {
  const clock = new ManualClock();
  const journal = new Journal(clock, 'agent', 'node1');
  const state = { disk, writes: 0, full: false, now: [] as readonly KnownMesh[] };
  const known = new LastKnown({
    clock,
    journal,
    now: () => state.now,
    text: {
      path: 'members.json',
      read: async () => state.disk,
      write: async (text) => {
        if (state.full) throw new Error('ENOSPC');
        state.disk = text;
        state.writes++;
      },
    },
  });
  const kinds = () => journal.recent().map(({ kind }) => kind);
  return { known, state, clock, kinds };
}

test('after a restart the members and segments of the same mesh are known, and of no other', async () => {
  const { known, state, clock } = node();
  state.now = [
    { network: MESH, members: [member(1), member(2)], segments: SEGMENTS },
    { network: mesh('mesh457', 457), members: [], segments: [] },
  ];
  known.changed();
  await clock.pass(SETTLE_MS);

  const next = node(state.disk);
  await next.known.load();
  expect(next.known.of(mesh('mesh456', 456))).toEqual(state.now[0]);
  expect(next.known.of(mesh('mesh457', 457))?.members).toEqual([]);
  expect(next.known.of(mesh('mesh456', 456, { key: '7' }))).toBeUndefined();
  expect(next.known.of(mesh('mesh458', 458))).toBeUndefined();
});

test('a changed network that is still the same mesh keeps its members', async () => {
  const { known, state } = node();
  state.now = [{ network: MESH, members: [member(1)], segments: SEGMENTS }];
  known.changed();
  await known.close();
  const now: Mesh = { ...MESH, mtuBytes: 1400 };
  expect(known.of(now)).toEqual({ network: now, members: [member(1)], segments: SEGMENTS });
  const next = node(state.disk);
  await next.known.load();
  expect(next.known.of(now)).toEqual({ network: now, members: [member(1)], segments: SEGMENTS });
  expect(next.known.of({ ...now, name: 'other' })).toBeUndefined();
});

test('the file of the version before is read', async () => {
  const { id, name } = MESH;
  const { devices, fabric } = meshDocument(MESH);
  const line = formatMemberLine(member(1));
  const text = { meshes: [{ network: { id, name, devices, fabric }, segments: SEGMENTS, members: [line] }] };
  const { known } = node(JSON.stringify(text));
  await known.load();
  expect(known.of(MESH)).toEqual({ network: MESH, members: [member(1)], segments: SEGMENTS });
});

test('a burst is written once, and an unchanged text is not written', async () => {
  const { known, state, clock } = node();
  for (let number = 1; number <= 20; number++) {
    state.now = [{ network: MESH, members: Array.from({ length: number }, (_, i) => member(i + 1)), segments: [] }];
    known.changed();
    await clock.pass(SETTLE_MS / 40);
  }
  await clock.pass(SETTLE_MS);
  expect(state.writes).toBe(1);
  expect(state.disk).toContain('node20 10.11.0.20 ');

  known.changed();
  await clock.pass(SETTLE_MS);
  const next = node(state.disk);
  await next.known.load();
  next.state.now = state.now;
  next.known.changed();
  await next.clock.pass(SETTLE_MS);
  expect([state.writes, next.state.writes]).toEqual([1, 0]);
});

test('a pending change is written when the agent ends', async () => {
  const { known, state } = node();
  state.now = [{ network: MESH, members: [member(1)], segments: [] }];
  known.changed();
  await known.close();
  expect(state.disk).toContain('node1');
});

test('a removed network is forgotten, and is a new one when it comes back', async () => {
  const { known, state, clock } = node();
  state.now = [{ network: MESH, members: [member(1)], segments: [] }];
  known.changed();
  await clock.pass(SETTLE_MS);
  expect(known.of(MESH)?.members).toHaveLength(1);
  state.now = [];
  known.changed();
  await clock.pass(SETTLE_MS);
  expect(known.of(MESH)).toBeUndefined();
  expect(state.disk).not.toContain('node1');
});

test('a full disk is journalled once, and the file is written when there is room', async () => {
  const { known, state, clock, kinds } = node();
  state.full = true;
  state.now = [{ network: MESH, members: [member(1)], segments: [] }];
  known.changed();
  await clock.pass(3 * RETRY_MS);
  expect(kinds()).toEqual(['members not kept']);
  state.full = false;
  await clock.pass(RETRY_MS);
  expect(state.disk).toContain('node1');
});

test.each([
  'no JSON',
  '{}',
  '{"version":2,"meshes":[]}',
  '{"version":1,"meshes":[{}]}',
  JSON.stringify({ version: 1, meshes: [{ network: MESH, segments: ['10.11.0.0/33'], members: [] }] }),
  JSON.stringify({ version: 1, meshes: [{ network: MESH, segments: [], members: ['node1 10.11.0.1'] }] }),
  JSON.stringify({
    version: 1,
    meshes: [{ network: MESH, segments: [], members: ['node1 10.11.0.1 02:00:00:00:00:01 fe80::1'] }],
  }),
  JSON.stringify({ version: 1, meshes: [{ network: {}, segments: [], members: [lineOf(member(1))] }] }),
])('a text that the agent did not write is ignored (%#)', async (text) => {
  const { known, kinds } = node(text);
  await known.load();
  expect(known.of(MESH)).toBeUndefined();
  expect(kinds()).toEqual(['members not remembered']);
});

test('the remote VTEP of an FDB entry is newer than the file', () => {
  const cache = new KernelTables();
  const link = 7;
  const self = { link, table: 'self', externLearn: true, sticky: false, state: 'permanent' } as const;
  cache.take({ type: 'link', removed: false, echo: false, link: { index: link, name: 'vxlan456', master: 0 } as Link });
  const entries: FdbEntry[] = [
    { ...self, mac: member(2).mac, remoteVtep: '10.11.0.99' as Ipv4 },
    { ...self, mac: member(3).mac, remoteVtep: '10.11.0.98' as Ipv4, externLearn: false },
  ];
  for (const entry of entries) cache.take({ type: 'fdb', removed: false, echo: false, entry });
  const known = { network: MESH, members: [member(1), member(2), member(3)], segments: [] };
  expect(asKernelHas(known, cache).map(({ ipv4 }) => ipv4)).toEqual(['10.11.0.1', '10.11.0.99', '10.11.0.3']);
  expect(asKernelHas(known, new KernelTables())).toEqual(known.members);
});

function lineOf({ name, ipv4, mac, ipv6 }: Member): string {
  return `${name} ${ipv4} ${mac} ${ipv6}`;
}
