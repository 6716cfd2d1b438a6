/** Changes of network files and of host0's machine: which members stay, and what host0's agent is told. */

import { afterEach, expect, test } from 'vitest';
import { ManualClock } from '../../test/kit/manual-clock.ts';
import { MemoryStore } from '../../test/kit/memory-store.ts';
import { board, manage, manageWith, memberNumber, mesh, withMtu } from '../../test/kit/networks.ts';
import { NO_TOKENS } from '../../test/kit/no-tokens.ts';
import type { Admission } from '../formats/host0/host0-conf.ts';
import type { Ipv4, Ipv4Cidr } from '../model/address/ipv4.ts';
import type { Ipv6 } from '../model/address/ipv6.ts';
import type { Mesh } from '../model/network/mesh.ts';
import type { AssignedUnderlay, Assignment } from '../protocol/documents/assignment.ts';
import { Journal } from '../protocol/journal/journal.ts';
import { Controller } from './controller.ts';
import { membersPrefix } from './membership/member-record.ts';
import type { Membership } from './membership/membership.ts';
import type { VerifiedSource } from './membership/source-verification.ts';

const SEGMENT = { device: 'eth1', ipv4: '10.11.0.1' as Ipv4, subnet: '10.11.0.0/24' as Ipv4Cidr };

const opened: Controller[] = [];
afterEach(async () => {
  for (const controller of opened.splice(0)) await controller.close();
});

/** host0 with one mesh, and its own agent. */
async function host0({ admission }: { readonly admission: Admission | undefined } = { admission: 'open' }) {
  const clock = new ManualClock();
  const store = new MemoryStore();
  const journal = new Journal(clock, 'host0', 'host0');
  const seen = new Map<Ipv6, VerifiedSource>();
  const controller = new Controller({
    name: 'host0',
    version: '0',
    admission,
    tokens: NO_TOKENS,
    clock,
    store,
    journal,
    verification: { verify: async (_network, ipv6) => seen.get(ipv6) ?? {} },
  });
  opened.push(controller);
  const snapshots: Assignment[] = [];
  const underlays: AssignedUnderlay[] = [];
  controller.host0State.setSegments([SEGMENT]);
  const setNetworks = (...networks: Mesh[]) => controller.setNetworks({ networks, errors: [], warnings: [] });
  await setNetworks(manageWith({}));
  controller.followAssignment(({ event, data }) => {
    if (event === 'snapshot') snapshots.push(data);
    else if (event === 'underlay') underlays.push(data);
  });
  const meshNow = (): Membership => {
    const [membership] = controller.memberships.meshes;
    if (membership === undefined) throw new Error('no mesh');
    return membership;
  };
  const join = async (number: number, network = manage) => {
    const machine = board(number);
    const { name, ipv4, mac, ipv6 } = memberNumber(network, number);
    seen.set(ipv6, { mac, ipv4 });
    meshNow().hear(true);
    await meshNow().report(ipv6, { name, machine, instance: 'i', ipv4, state: { phase: 'ready' } });
  };
  const stored = async () => (await store.range(membersPrefix(manage.id))).entries;
  const kinds = () => journal.recent().map(({ kind }) => kind);
  return { seen, clock, controller, setNetworks, meshNow, join, stored, snapshots, underlays, kinds };
}

test('all machines may join until one has a folder, and then machines with a folder, unless it is set otherwise', async () => {
  const named = new Map([[board(2), 'two']]);
  const { controller, join, meshNow } = await host0({ admission: undefined });
  await join(1);
  controller.host0State.setMachineNames(named);
  await expect(join(3)).rejects.toMatchObject({ code: 'MESH_MEMBER_NOT_ADMITTED' });
  await join(2);
  await join(1);
  expect(meshNow().others()).toHaveLength(2);
  const open = await host0();
  open.controller.host0State.setMachineNames(named);
  await open.join(3);
});

test('a name belongs to one machine in all meshes', async () => {
  const { controller, setNetworks, join, seen } = await host0();
  const blue = mesh('blue', 7);
  await setNetworks(manageWith({}), blue);
  await join(1);
  const [, other] = controller.memberships.meshes;
  const nameIn = async (number: number) => {
    const { ipv4, mac, ipv6 } = memberNumber(blue, number);
    seen.set(ipv6, { mac, ipv4 });
    const state = { phase: 'ready' as const };
    await other?.report(ipv6, { name: 'node1', machine: board(number), instance: 'i', ipv4, state });
    return other?.others().find((member) => member.ipv6 === ipv6)?.name;
  };
  expect(memberNumber(manage, 1).name).toBe('node1');
  expect([await nameIn(2), await nameIn(1)]).toEqual(['node1-2', 'node1']);
});

test('another MTU keeps members and streams, and reaches host0’s agent', async () => {
  const { clock, setNetworks, meshNow, join, stored, snapshots, kinds } = await host0();
  await join(1);
  await join(2);
  const before = { mesh: meshNow(), stored: await stored(), version: meshNow().version };
  const events: string[] = [];
  meshNow().subscribe(undefined, before.version, ({ type }) => events.push(type));

  await setNetworks(withMtu(manage, 1400));
  expect(before.stored).toHaveLength(2);
  expect(await stored()).toEqual(before.stored);
  expect(meshNow()).toBe(before.mesh);
  expect(meshNow().version).toEqual(before.version);
  expect(meshNow().network).toEqual(withMtu(manage, 1400));
  expect(events).toEqual([]);
  expect(snapshots.at(-1)?.networks).toEqual([withMtu(manage, 1400)]);
  expect(snapshots.at(-1)?.members[manage.id]).toHaveLength(2);
  expect(kinds()).toContain('network changed');
  expect(kinds()).not.toContain('network removed');

  // A new member joins the same mesh, and streams from before get the event.
  await join(3);
  await clock.pass(1_000);
  expect(events).toEqual(['join']);
});

test.each([
  manageWith({ name: 'office' }),
  manageWith({ key: '457' }),
  manageWith({ prefix: 'fd42:2345:1234:beef::/64' }),
])('another name, key or prefix is another mesh, with no members', async (other) => {
  const { setNetworks, meshNow, join, stored, kinds } = await host0();
  await join(1);
  const before = meshNow();
  await setNetworks(other);
  expect(await stored()).toEqual([]);
  expect(meshNow()).not.toBe(before);
  expect(kinds()).toContain('network removed');
  await join(1, other);
  expect(await stored()).toHaveLength(1);
});

test('a network keeps its object when the files say the same, and a changed NIC or segment sends nothing else', async () => {
  const { controller, setNetworks, meshNow, snapshots, underlays, kinds } = await host0();
  const { network } = meshNow();
  await setNetworks(manageWith({}));
  expect(meshNow().network).toBe(network);
  expect(kinds()).not.toContain('network changed');

  const count = snapshots.length;
  controller.host0State.setNics([{ device: 'eth3' }]);
  controller.host0State.setSegments([SEGMENT, { ...SEGMENT, device: 'eth3' }]);
  const [forPort, forSegment] = underlays;
  expect(forPort).toEqual({ segments: [SEGMENT], nics: [{ device: 'eth3' }] });
  expect(forSegment?.segments).toHaveLength(2);

  // Equal NICs and segments, with keys in another order, send nothing.
  const { device, ipv4, subnet } = SEGMENT;
  controller.host0State.setNics([{ device: 'eth3' }]);
  controller.host0State.setSegments([
    { subnet, ipv4, device },
    { subnet, ipv4, device: 'eth3' },
  ]);
  expect(underlays).toHaveLength(2);
  expect(snapshots).toHaveLength(count);
});
