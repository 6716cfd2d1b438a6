/** Which ports of a node have a guest that is known, and how their taps are. */
import { expect, test } from 'vitest';
import { storeNetwork } from '../../../test/kit/networks.ts';
import { portLink } from '../../../test/kit/trace-cluster.ts';
import { KernelTables } from '../../kernel/mirror/kernel-tables.ts';
import { parseIpv4 } from '../../model/address/ipv4.ts';
import type { Ipv6Cidr } from '../../model/address/ipv6.ts';
import { parseMac } from '../../model/address/mac.ts';
import { MeshError } from '../../model/error.ts';
import type { AssignedPort } from '../../protocol/documents/node-assignment.ts';
import { GuestPorts, type TapPort, withGuests } from './guest-ports.ts';

const blue = storeNetwork('blue', 0x1001);
const mac = parseMac('02:00:00:00:00:1f');
const tap: TapPort = { id: '1f', tap: true, network: blue.id, link: 'v1f', mac };
const document = (...ports: readonly AssignedPort[]) => ({ ports, attachments: [] });
const plugged = { link: 'vm0', network: blue.id, plugged: true, unplugging: false };

test('a tap is a port without an interface of another program, and its guest has to keep to its addresses', () => {
  const [port] = withGuests([], document(tap));
  const guest = { portId: '1f', mac, tap: true, addresses: [], trusted: false };
  expect(port).toEqual({ ...plugged, link: 'v1f', guest });
});

test('a guest may send from the addresses that it forms in the prefixes which routers advertise', () => {
  const subnets = ['fd00:b1::/64', 'fd00:b2::/48', '10.7.0.0/24'].map((cidr) => ({ cidr: cidr as Ipv6Cidr }));
  const network = { ...blue, subnets: [...subnets, { cidr: 'fd00:b3::/64' as Ipv6Cidr, ra: false }] };
  const attachments = [{ network, reasons: [], peers: { kind: 'none' }, services: [] } as const];
  const [port] = withGuests([], { ports: [{ ...tap, addresses: [parseIpv4('10.7.0.5')] }], attachments });
  expect(port?.guest?.addresses).toEqual(['10.7.0.5', 'fd00:b1::ff:fe00:1f']);
});

test.each<[what: string, port: AssignedPort, guest: object | undefined]>([
  ['nothing known', { id: '2', network: blue.id, link: 'vm0', mac }, undefined],
  ['plugged by the administrator', { network: blue.id, link: 'vm0' }, undefined],
  [
    'addresses',
    { id: '2', network: blue.id, link: 'vm0', mac, addresses: [parseIpv4('10.0.0.5')] },
    { tap: false, trusted: false },
  ],
  ['a router', { id: '2', network: blue.id, link: 'vm0', mac, trusted: true }, { tap: false, trusted: true }],
])('an interface of another program: %s', (_, port, guest) => {
  const [found] = withGuests([plugged], document(port));
  if (guest === undefined) expect(found).toBe(plugged);
  else expect(found).toMatchObject({ ...plugged, guest });
  expect(withGuests([{ ...plugged, unplugging: true }], document(port))[0]).not.toHaveProperty('guest');
});

test('a tap is wanted with the reason, then plugged, then bound', () => {
  const world = {
    isReady: false,
    running: false,
    failure: undefined as MeshError | undefined,
    networks: [] as (typeof blue)[],
    whyNot: undefined as string | undefined,
  };
  const ports = new GuestPorts({
    taps: () => [tap],
    reconciler: {
      get cache() {
        const links = [{ ...portLink(2, 'v1f'), running: world.running }];
        return KernelTables.of({ links, addresses: [], neighbours: [], fdb: [], routes: [] });
      },
      isReady: () => world.isReady,
      failureOf: () => world.failure,
    },
    networks: () => world.networks,
    whyNot: () => world.whyNot,
    refusedAt: () => [{ kind: 'wrong-mac', frames: 3, macs: [] }],
  });
  const refused = [{ kind: 'wrong-mac', frames: 3, macs: [] }];
  const look = () => ports.stateOf(tap);
  expect(look()).toMatchObject({ state: 'wanted', why: expect.stringContaining('does not have the network') });
  world.networks = [blue];
  expect(look()).toMatchObject({ state: 'wanted', why: 'the tap v1f is being made' });
  world.whyNot = 'blue waits: its bridge is being made';
  expect(look()).toMatchObject({ why: world.whyNot });
  world.failure = new MeshError('MESH_KERNEL_REFUSED', 'make the tap v1f: EBUSY');
  expect(look()).toMatchObject({ why: 'make the tap v1f: EBUSY' });
  world.isReady = true;
  expect(look()).toEqual({ state: 'plugged', port: { bound: false, refused } });
  world.running = true;
  expect(look()).toEqual({ state: 'plugged', port: { bound: true, refused } });
  expect(ports.views()).toMatchObject([
    { interface: 'v1f', networkName: 'blue', state: 'plugged', bound: true, refused },
  ]);
});
