/** The routes over real HTTP on loopback; the test sets the source address of each request. */

import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { MemoryStore } from '../../../test/kit/memory-store.ts';
import { manage as network } from '../../../test/kit/networks.ts';
import { NO_TOKENS } from '../../../test/kit/no-tokens.ts';
import { Proofs } from '../../controller/admission/proofs.ts';
import { Membership } from '../../controller/membership/membership.ts';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { ErrorDocument } from '../../model/error.ts';
import { parseMachineId } from '../../model/machine.ts';
import { memberAddresses } from '../../model/network/member.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import { membershipApi } from './membership-api.ts';

const node = memberAddresses(network, parseMachineId('10eff964'));

let clock: ManualClock;
let server: Server;
let mesh: Membership;
let peer: string;
let taken: unknown[];

beforeEach(async () => {
  clock = new ManualClock();
  mesh = new Membership({
    network,
    name: 'host0',
    admit: () => {},
    proofs: new Proofs({ clock, tokens: NO_TOKENS, channels: () => undefined }),
    mustProve: false,
    machines: () => [],
    machineNamed: () => undefined,
    elsewhere: () => [],
    clock,
    store: new MemoryStore(),
    journal: new Journal(clock, 'host0', 'host0'),
    verification: { verify: async () => ({ mac: node.bridgeMac, ipv4: '10.11.0.2' as Ipv4 }) },
    host0AddressFor: () => '10.11.0.1' as Ipv4,
    subnets: () => [],
    onChange: () => {},
    onLoad: () => {},
  });
  peer = node.ipv6;
  taken = [];
  const api = membershipApi({
    onFault: (thrown) => {
      throw thrown;
    },
    connectionOf: () => ({ mesh, peer }),
    takeInventory: async (...words) => void taken.push(words),
  });
  server = createServer((request, response) => api.handle(request, response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
});

afterEach(() => {
  mesh.close();
  server.close();
  server.closeAllConnections();
});

async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  const { port } = server.address() as AddressInfo;
  return fetch(`http://127.0.0.1:${port}${path}`, init);
}

function put(leaving: boolean): Promise<Response> {
  const report = {
    machine: '10eff964',
    name: 'node',
    instance: 'boot',
    ipv4: '10.11.0.2',
    leaving,
    state: { phase: 'ready' },
  };
  return ask('/self', {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(report),
  });
}

async function codeOf(response: Response): Promise<string> {
  return `${response.status} ${((await response.json()) as ErrorDocument).code}`;
}

test.each(['/', '/?name=node', '/events'])('%s sends Retry-After while host0 starts', async (path) => {
  const response = await ask(path);
  expect(response.headers.get('retry-after')).toBe('1');
  expect(await codeOf(response)).toBe('503 MESH_HOST0_STARTING');
});

test.each([
  'fd42:2345:1234:9abd::2',
  'fe80::2%br456',
  '::ffff:10.11.0.2',
  '',
])('a peer at %j is refused', async (address) => {
  await mesh.start();
  peer = address;
  for (const path of ['/', '/events']) expect(await codeOf(await ask(path))).toBe('403 MESH_MEMBER_FORGED');
});

test('a poll makes the node a member, and the list has the seed’s format', async () => {
  await mesh.start();
  const response = await ask('/?name=node&machine=10eff964');
  const { bridgeMac, ipv6 } = memberAddresses(network, 'host0');
  expect(await response.text()).toBe(
    `host0 10.11.0.1 ${bridgeMac} ${ipv6}\nnode 10.11.0.2 ${node.bridgeMac} ${node.ipv6}\n`,
  );
  expect(response.headers.get('etag')).toMatch(/^"[0-9a-f]{16}\.1"$/);
});

test.each([
  '/?name=a%20b',
  '/?name=a&name=b',
  `/?name=${'a'.repeat(64)}`,
  '/?name=a&machine=x',
])('%s is refused', async (path) => {
  await mesh.start();
  expect(await codeOf(await ask(path))).toBe('400 MESH_MEMBER_REPORT_INVALID');
});

test('members that left are named until they are back', async () => {
  await mesh.start();
  expect(await (await put(false)).json()).toMatchObject({ accepted: true, version: { revision: 1 } });
  expect((await put(true)).status).toBe(200);
  expect((await ask('/')).headers.get('mesh-left')).toBe(node.bridgeMac);
  await put(false);
  expect((await ask('/')).headers.get('mesh-left')).toBeNull();
});

test('only members get a stream, and it ends when its member leaves', async () => {
  await mesh.start();
  expect(await codeOf(await ask('/events'))).toBe('403 MESH_MEMBER_NOT_ADMITTED');
  await ask('/?name=node&machine=10eff964');
  const stream = await ask('/events');
  expect(stream.status).toBe(200);
  await put(false);
  await put(true);
  await clock.pass(1_000);
  // The end of the stream, after what it brought.
  const events = (await stream.text()).match(/^event: .*$/gm);
  expect(events?.at(0)).toBe('event: snapshot');
  expect(events?.at(-1)).toBe('event: leave');
  expect(mesh.listeners).toBe(0);
  expect(await codeOf(await ask('/events'))).toBe('403 MESH_MEMBER_NOT_ADMITTED');
});

describe('an inventory', () => {
  const inventory = {
    system: { product: 'Box' },
    cpu: { model: 'AMD EPYC', threads: 4, cores: 2 },
    memoryBytes: 2 ** 30,
    disks: [{ name: 'sda', bytes: 1e12, rotates: true, model: 'Disk' }],
    nics: [{ name: 'eth0', mac: '52:54:00:00:00:01', driver: 'igb' }],
  };
  const tell = (document: unknown) =>
    ask('/inventory', {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(document),
    });

  test("belongs to the machine of the sender's address, whatever the body says", async () => {
    await mesh.start();
    await ask('/?name=node&machine=10eff964');
    expect((await tell({ ...inventory, machine: '2b1c0d3e' })).status).toBe(204);
    expect(taken).toEqual([['10eff964', inventory]]);
  });

  test('of a member with an agent is taken from that agent alone', async () => {
    await mesh.start();
    const state = { phase: 'ready' as const };
    await mesh.report(node.ipv6, {
      machine: parseMachineId('10eff964'),
      name: 'node',
      instance: 'boot-1',
      ipv4: '10.11.0.2' as Ipv4,
      state,
    });
    expect((await tell({ ...inventory, instance: 'boot-1' })).status).toBe(204);
    expect(taken).toEqual([['10eff964', inventory]]);
    for (const other of [inventory, { ...inventory, instance: 'boot-2' }]) {
      expect(await codeOf(await tell(other))).toBe('403 MESH_MEMBER_FORGED');
    }
    expect(taken).toHaveLength(1);
  });

  test('is refused from a node that is not a member with a machine id', async () => {
    await mesh.start();
    expect(await codeOf(await tell(inventory))).toBe('403 MESH_MEMBER_FORGED');
    await ask('/?name=node');
    expect(await codeOf(await tell(inventory))).toBe('403 MESH_MEMBER_FORGED');
    expect(taken).toEqual([]);
  });

  test.each([
    [{ ...inventory, memoryBytes: -1 }],
    [{ ...inventory, cpu: { threads: 1e300 } }],
    [{ ...inventory, system: { product: '\x1b[2J' } }],
    [{ ...inventory, system: { product: 'x'.repeat(129) } }],
    [{ ...inventory, nics: [{ name: 'eth0', mac: 'no' }] }],
    [{ ...inventory, disks: Array.from({ length: 65 }, () => inventory.disks[0]) }],
    [{ ...inventory, more: 'x'.repeat(70_000) }],
    [[]],
  ])('is refused when it is malformed (%#)', async (document) => {
    await mesh.start();
    await ask('/?name=node&machine=10eff964');
    const response = await tell(document);
    expect([400, 413, 422]).toContain(response.status);
    expect(taken).toEqual([]);
  });
});
