/** What a node does when a network file changes: its reports to host0, and the members that it keeps. */
import { expect, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { manage, manageWith, memberNumber, mesh, withMtu } from '../../../test/kit/networks.ts';
import { sourceAgent } from '../../../test/kit/source-agent.ts';
import type { NetworkOutcome } from '../../disk/network-directory.ts';
import type { KernelEvent, Route } from '../../kernel/rtnl/objects.ts';
import { type Ipv4, parseIpv4Cidr, parseIpv4Interface } from '../../model/address/ipv4.ts';
import { parseMachineId } from '../../model/machine.ts';
import type { Mesh } from '../../model/network/mesh.ts';
import { Signal } from '../../model/signal.ts';
import {
  MEMBER_SILENCE_MS,
  type MembershipEvent,
  membershipMessage,
  type SelfReport,
} from '../../protocol/documents/membership.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import { OUR_PROTOCOL } from '../items/mark.ts';
import { VXLAN_TABLE } from '../items/route.ts';
import type { KernelPort } from '../kernel/kernel-port.ts';
import { NodeSource } from './node-source.ts';
import type { Transport } from './transport.ts';

const KERNEL: KernelPort = {
  events: new Signal<KernelEvent>(),
  apply: async () => [],
  dump: async () => ({ links: [], addresses: [], routes: [], neighbours: [], fdb: [] }),
  routes: async () => [],
  ipv4Routes: async () => [],
  drainEvents: () => undefined,
  routeTo: async (destination) => ({
    family: 4,
    destination,
    link: 1,
    source: '10.11.0.2' as Ipv4,
    table: 254,
    protocol: 2,
    scope: 253,
    metric: 0,
  }),
  listRuleset: async () => undefined,
  listBridgeSet: async () => '',
  listInetSet: async () => '',
  readSysctl: async () => undefined,
  close: async () => undefined,
};

/** A node in one mesh with two others, and host0, which accepts every report. */
async function node(disk?: string, held: readonly Route[] = []) {
  const clock = new ManualClock();
  const reports: SelfReport[] = [];
  const state = { streams: 0, openStreams: 0, disk, segments: ['10.11.0.0/24'], looks: 0, routes: [] as Route[] };
  let hear: (data: string) => void = () => undefined;
  let signOfLife: () => void = () => undefined;
  const changes = new Signal<NetworkOutcome>();
  const directory = {
    current: outcomeOf(manage),
    changes,
    start: async () => {
      changes.emit(directory.current);
      return directory.current;
    },
    close: async () => undefined,
  };
  const transport: Transport = {
    exchange: async (_target, { body = '' }) => {
      reports.push(JSON.parse(body) as SelfReport);
      return {
        status: 200,
        body: JSON.stringify({ accepted: true, version: { epoch: 'e', revision: 1 }, segments: state.segments }),
      };
    },
    openStream: (_target, _request, handlers) => {
      state.streams++;
      state.openStreams++;
      const [network = manage] = directory.current.networks;
      const version = { epoch: 'e', revision: 1 };
      const members = [memberNumber(network, 1), memberNumber(network, 2)];
      const segments = state.segments.map((segment) => parseIpv4Cidr(segment));
      const snapshot: MembershipEvent = { type: 'snapshot', version, members, segments };
      hear = (data) => handlers.onMessage({ event: 'join', data });
      handlers.onMessage(membershipMessage(snapshot));
      signOfLife = () => handlers.onHeard?.();
      signOfLife();
      return { close: () => state.openStreams-- };
    },
  };
  const source = new NodeSource({
    machine: parseMachineId('10eff964'),
    name: 'node9',
    instance: 'boot-1',
    clock,
    journal: new Journal(clock, 'agent', 'node9'),
    echo: async () => 1,
    transport,
    kernel: {
      ...KERNEL,
      ipv4Routes: async (matters) => {
        state.looks++;
        return state.routes.filter(matters);
      },
    },
    host0: ['10.11.0.1' as Ipv4],
    directory,
    lastKnown: {
      path: 'members.json',
      read: async () => state.disk,
      write: async (text) => {
        state.disk = text;
      },
    },
  });
  const underlayChanges = new Signal<Route | undefined>();
  const agent = { ...sourceAgent(), underlayChanges };
  for (const [link, address] of ['10.11.0.2/24', '172.17.0.1/16'].entries()) {
    const interfaceAddress = parseIpv4Interface(address);
    agent.cache.take({
      type: 'address',
      removed: false,
      echo: false,
      address: { family: 4, link, scope: 'global', ...interfaceAddress, tentative: false, nodad: true, protocol: 0 },
    });
  }
  for (const route of held) agent.cache.take({ type: 'route', removed: false, echo: false, route });
  await source.start(agent);
  await clock.pass(1_000);
  const change = async (...networks: Mesh[]) => {
    directory.current = outcomeOf(...networks);
    changes.emit(directory.current);
    await clock.pass(1_000);
  };
  const goodbyes = () => reports.filter(({ leaving }) => leaving === true).length;
  const names = () => source.attachments()[0]?.members.map(({ name }) => name);
  return {
    clock,
    source,
    state,
    change,
    goodbyes,
    names,
    underlayChanges,
    hear: (data: string) => hear(data),
    signOfLife: () => signOfLife(),
  };
}

function outcomeOf(...networks: Mesh[]): NetworkOutcome {
  return { networks, files: {}, errors: [], warnings: [] };
}

test('a changed MTU: the node does not leave, and keeps its stream and the same member objects', async () => {
  const { source, state, change, goodbyes, names } = await node();
  expect(names()).toEqual(['host0', 'node1', 'node2']);
  const before = source.attachments()[0];
  await change(withMtu(manage, 1400));
  expect(goodbyes()).toBe(0);
  expect(state).toMatchObject({ streams: 1, openStreams: 1 });
  const after = source.attachments()[0];
  expect(after?.network).toEqual(withMtu(manage, 1400));
  expect(after?.members).toBe(before?.members);
  expect(after?.host0Answers).toBe(true);
});

test.each([
  manageWith({ key: '457' }),
  manageWith({ name: 'office' }),
])('a changed key or name: the node leaves and joins again', async (other) => {
  const { source, state, change, goodbyes, names } = await node();
  await change(other);
  expect(goodbyes()).toBe(1);
  expect(state).toMatchObject({ streams: 2, openStreams: 1 });
  expect(names()).toEqual(['host0', 'node1', 'node2']);
  expect(source.attachments()[0]?.members[1]).toEqual(memberNumber(other, 1));
});

test('an added network leaves the other one alone', async () => {
  const { source, change, goodbyes } = await node();
  const before = source.attachments()[0];
  await change(manage, mesh('guests', 500));
  expect(goodbyes()).toBe(0);
  expect(source.attachments()).toHaveLength(2);
  expect(source.attachments()[0]?.members).toBe(before?.members);
});

test('members in the file are known again when the MTU was changed in between', async () => {
  const first = await node();
  await first.source.stop();
  const { disk } = first.state;
  expect(disk).toContain('node2');
  const second = await node(disk?.replace('"mtuBytes": 1380', '"mtuBytes": 1400'));
  expect(second.names()).toEqual(['host0', 'node1', 'node2']);
});

test('an event that is not in its form: the members stay, and the node looks for host0 again', async () => {
  const { clock, source, state, names, hear } = await node();
  const before = source.attachments()[0]?.members;
  const lie = { ...memberNumber(manage, 1), ipv4: '10.11.0.7 }\nadd table ip evil\n' };
  hear(JSON.stringify({ type: 'join', version: { epoch: 'e', revision: 2 }, member: lie }));
  expect(source.errorOf(manage.id)?.code).toBe('MESH_HOST0_MALFORMED');
  hear('{');
  expect(source.attachments()[0]?.members).toEqual(before);
  await clock.pass(2_000);
  expect(state.streams).toBe(1);
  await clock.pass(2_000);
  expect(source.errorOf(manage.id)).toBeUndefined();
  expect(names()).toEqual(['host0', 'node1', 'node2']);
  expect(state.streams).toBe(2);
});

test('a segment that overlaps a network of the node gets no route, is a finding, and is not kept for the next start', async () => {
  const { clock, source, state } = await node();
  expect(source.findings).toEqual([]);
  state.segments = ['10.11.0.0/24', '172.17.3.0/24', '10.12.0.0/24'];
  await clock.pass(5_000);
  const stance = source.host0Stance();
  expect(stance.segments).toEqual(['10.11.0.0/24', '10.12.0.0/24']);
  expect(source.findings).toEqual([expect.objectContaining({ code: 'MESH_HOST0_SEGMENT', object: '172.17.3.0/24' })]);
  await source.stop();
  expect(state.disk).toContain('10.12.0.0/24');
  expect(state.disk).not.toContain('172.17.3.0/24');
});

test('a segment to which the kernel has a route from before is kept until the list is settled', async () => {
  const route: Route = {
    family: 4,
    destination: parseIpv4Cidr('10.11.1.0/24'),
    link: 1,
    gateway: '10.11.0.1' as Ipv4,
    table: VXLAN_TABLE,
    protocol: OUR_PROTOCOL,
    scope: 0,
    metric: 0,
  };
  const foreign: Route = { ...route, destination: parseIpv4Cidr('10.11.2.0/24'), protocol: 4 };
  const { clock, source, signOfLife } = await node(undefined, [route, foreign]);
  expect(source.host0Stance().segments).toEqual(['10.11.0.0/24', '10.11.1.0/24']);
  for (let passedMs = 0; passedMs < 2 * MEMBER_SILENCE_MS; passedMs += 1_000) {
    signOfLife();
    await clock.pass(1_000);
  }
  expect(source.host0Stance().segments).toEqual(['10.11.0.0/24']);
});

test('a file of members that is damaged is a finding until it is written anew', async () => {
  const { clock, source, state, names } = await node('{"version":1,"meshes":[{}]}');
  expect(source.findings).toEqual([
    expect.objectContaining({ code: 'MESH_STATE_DAMAGED', severity: 'warning', object: 'members.json' }),
  ]);
  expect(names()).toEqual(['host0', 'node1', 'node2']);
  await clock.pass(20_000);
  expect(state.disk).toContain('node2');
  expect(source.findings).toEqual([]);
});

/** A route of a routing daemon. */
function bgpRoute(destination: string): Route {
  const plain = { family: 4, link: 2, table: 254, protocol: 186, scope: 0, metric: 20 } as const;
  return { ...plain, destination, gateway: '10.11.0.254' as Ipv4 };
}

test('5,000 addresses that come and go at once cause one look at the underlay', async () => {
  const { clock, state, underlayChanges } = await node();
  const before = state.looks;
  for (let change = 0; change < 10_000; change++) underlayChanges.emit(undefined);
  await clock.pass(2_000);
  expect(state.looks - before).toBe(1);
});

test('20,000 routes that lead past the segments cause no look, a route to a segment causes one, and counts if it leads somewhere', async () => {
  const { clock, source, state, underlayChanges } = await node();
  state.segments = ['10.11.0.0/24', '10.12.0.0/24'];
  await clock.pass(5_000);
  expect(source.host0Stance()).toMatchObject({
    segments: state.segments,
    reachable: expect.not.arrayContaining(['10.12.0.0/24']),
  });
  const before = state.looks;
  for (let i = 0; i < 20_000; i++) underlayChanges.emit(bgpRoute(`20.${i >> 8}.${i & 255}.0/24`));
  await clock.pass(2_000);
  expect(state.looks - before).toBe(0);
  const { link: _, ...blackhole } = bgpRoute('10.12.0.0/24');
  state.routes = [blackhole];
  underlayChanges.emit(blackhole);
  await clock.pass(2_000);
  expect(source.host0Stance()).toMatchObject({ reachable: expect.not.arrayContaining(['10.12.0.0/24']) });
  state.routes = [bgpRoute('20.1.2.0/24'), bgpRoute('10.12.0.0/24')];
  for (const route of state.routes) underlayChanges.emit(route);
  await clock.pass(2_000);
  expect(state.looks - before).toBe(2);
  expect(source.host0Stance()).toMatchObject({ reachable: expect.arrayContaining(['10.12.0.0/24']) });
});
