/** The views of networks that host0 has given: their state with the reason, the other nodes, and the ports. */
import { expect, test } from 'vitest';

import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { manage, storeNetwork } from '../../../test/kit/networks.ts';
import { portLink } from '../../../test/kit/trace-cluster.ts';
import { KernelTables } from '../../kernel/mirror/kernel-tables.ts';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import { MeshError } from '../../model/error.ts';
import type { MachineId } from '../../model/machine.ts';
import type { NetworkState } from '../../protocol/documents/membership.ts';
import type { PortView } from '../../protocol/documents/views.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import { NOTHING_ASSIGNED } from '../assignment/assigned-objects.ts';
import { NodeAssignments } from '../assignment/node-assignments.ts';
import { type AgentWithGiven, givenNetworkViews, givenReasons } from './given-networks.ts';

const machine = '10eff964' as MachineId;
const blue = storeNetwork('blue', 0x1001);
const peers = [machine, '20eff964'].map((id) => ({ machine: id, name: `node-${id}`, underlay: '10.11.1.2', macs: [] }));

async function viewsOf(state: NetworkState, networks = [blue]) {
  return givenNetworkViews(await nodeWith(state, networks));
}

async function nodeWith(state: NetworkState, networks = [blue]): Promise<AgentWithGiven> {
  const clock = new ManualClock();
  const journal = new Journal(clock, 'agent', 'node1');
  const last = {
    kept: true,
    findings: [],
    load: async () => NOTHING_ASSIGNED,
    keep: async () => undefined,
    close: async () => undefined,
  };
  const assignments = new NodeAssignments({ machine, clock, journal, last, fileNetworks: () => [manage] });
  await assignments.load();
  assignments.serve({
    stateOf: () => state,
    takeUp: async () => undefined,
    localPorts: () => [],
    portState: () => ({ state: 'plugged' }),
    vtepOf: () => undefined,
  });
  const attachments = networks.map((network) => ({
    network,
    reasons: ['port'],
    peers: { kind: 'assigned', peers },
    services: [],
  }));
  const frame = { format: 1, ports: [], workloads: [], segments: [], nics: [] };
  await assignments.take(JSON.stringify({ ...frame, epoch: 'a', revision: 1, attachments }));
  const ports: PortView[] = [
    { interface: 'vm0', network: blue.id, networkName: 'blue', state: 'plugged' },
    { interface: 'vm1', network: manage.id, networkName: 'manage', state: 'plugged' },
  ];
  const br1001 = portLink(7, 'br1001');
  const address = { link: 7, length: 24, tentative: false, nodad: true, protocol: 200 } as const;
  const cache = KernelTables.of({
    links: [br1001],
    addresses: [
      { ...address, family: 4, address: '10.9.0.1' as Ipv4, scope: 'global' },
      { ...address, family: 6, address: 'fe80::7' as Ipv6, scope: 'link' },
    ],
    neighbours: [],
    fdb: [],
    routes: [],
  });
  return {
    input: { machine, assignments },
    cache,
    ports: { list: () => ports },
    networks: { reasonsFor: () => ['port'] },
  };
}

test('a given network with its state, the other nodes that hold it, and its ports', async () => {
  expect(await viewsOf({ phase: 'ready' })).toEqual([
    {
      network: expect.objectContaining({ name: 'blue', number: 0x1001 }),
      state: { phase: 'ready' },
      self: { mac: expect.any(String), ipv6: expect.stringMatching(/^fe80::/), addresses: ['10.9.0.1'] },
      peers: [
        {
          name: 'node-20eff964',
          machine: '20eff964',
          underlay: '10.11.1.2',
          mac: expect.any(String),
          ipv6: expect.stringMatching(/^fe80::/),
        },
      ],
      ports: ['vm0'],
      reasons: ['port'],
    },
  ]);
});

test('a network that waits or failed says why, also one that cannot be beside a network of a file', async () => {
  const pending: NetworkState = { phase: 'pending', why: 'its vxlan is being made' };
  expect(await viewsOf(pending)).toMatchObject([{ state: pending }]);
  const error = new MeshError('MESH_KERNEL_REFUSED', 'the kernel refuses vxlan1001').toJSON();
  expect(await viewsOf({ phase: 'failed', error })).toMatchObject([{ state: { phase: 'failed', error } }]);
  const namesake = storeNetwork('manage', 0x1002);
  expect(await viewsOf({ phase: 'ready' }, [blue, namesake])).toMatchObject([
    { network: { name: 'blue' }, state: { phase: 'ready' } },
    { network: { name: 'manage' }, state: { phase: 'failed', error: { message: expect.stringContaining('manage') } } },
  ]);
});

test('mesh explain says who gave the network, and why this node has it', async () => {
  const node = await nodeWith({ phase: 'ready' });
  expect(givenReasons(node, 'blue')).toEqual([
    'network blue: given by host0, number 0x1001; this node has ports in it: vm0',
    'devices: vxlan1001 in br1001, with addresses made of the number and the machine',
    'other nodes: node-20eff964',
  ]);
  expect(givenReasons(node, 'blue', 'node-20eff964')[2]).toBe(
    'node node-20eff964: holds the network, too; host0 names it',
  );
  expect(givenReasons(node, 'green')).toEqual([]);
});
