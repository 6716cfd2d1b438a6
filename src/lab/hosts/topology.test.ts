/** The plan of a lab: names, addresses and ids, and the sizes that are refused. */
import { describe, expect, test } from 'vitest';
import { parseIpv4 } from '../../model/address/ipv4.ts';
import { machineIdOf } from '../../model/machine.ts';
import { NO_ADDRESS, planTopology, underlayNeighbours, withIpv4 } from './topology.ts';
import { namespacesOf } from './underlay.ts';

describe('planTopology', () => {
  const topology = planTopology({ name: 'default', nodes: 3, segments: 2 });

  test('host0 has a NIC on every segment; nodes are spread over the segments in turn', () => {
    expect(
      topology.hosts.map(({ name, netns, host0, ports }) => [
        name,
        netns,
        host0,
        ...ports.map(({ device, bridge, underlayEnd, ipv4 }) => `${device} ${bridge} ${underlayEnd} ${ipv4}`),
      ]),
    ).toEqual([
      ['host0', 'mw-default-host0', '10.11.0.1', 'eth1 seg0 host0-1 10.11.0.1', 'eth2 seg1 host0-2 10.11.1.1'],
      ['node1', 'mw-default-node1', '10.11.0.1', 'eth0 seg0 node1 10.11.0.2'],
      ['node2', 'mw-default-node2', '10.11.1.1', 'eth0 seg1 node2 10.11.1.2'],
      ['node3', 'mw-default-node3', '10.11.0.1', 'eth0 seg0 node3 10.11.0.3'],
    ]);
    expect(topology.underlay).toBe('mw-default-underlay');
    expect(topology.bridges).toEqual(['seg0', 'seg1']);
  });

  test('the same lab has the same plan, another lab other machines', () => {
    expect(planTopology({ name: 'default', nodes: 3, segments: 2 })).toEqual(topology);
    const other = planTopology({ name: 'other', nodes: 3, segments: 2 });
    expect(other.hosts[1]?.machine).not.toBe(topology.hosts[1]?.machine);
  });

  test('no two NICs share an address, a MAC or an underlay end, at the largest size', () => {
    const ports = planTopology({ name: 'big', nodes: 2 * 253, segments: 2 }).hosts.flatMap((host) => host.ports);
    for (const key of ['ipv4', 'mac', 'underlayEnd'] as const) {
      expect(new Set(ports.map((port) => port[key])).size).toBe(2 * 253 + 2);
    }
    expect(ports.at(-1)?.ipv4).toBe('10.11.1.254');
  });

  test('neighbours are the hosts on the same segment', () => {
    const seen = (name: string) => {
      const host = topology.hosts.find((candidate) => candidate.name === name);
      return host && underlayNeighbours(topology, host).map(({ device, ipv4 }) => `${device} ${ipv4}`);
    };
    expect(seen('host0')).toEqual(['eth1 10.11.0.2', 'eth1 10.11.0.3', 'eth2 10.11.1.2']);
    expect(seen('node1')).toEqual(['eth0 10.11.0.1', 'eth0 10.11.0.3']);
    expect(seen('node2')).toEqual(['eth0 10.11.1.1']);
  });

  test.each([
    ['../x', 3, 2],
    ['-a', 3, 2],
    ['', 3, 2],
    ['a'.repeat(33), 3, 2],
    ['a', 507, 2],
    ['a', 1.5, 2],
    ['a', 3, 0],
    ['a', 3, 257],
  ])('refuses name %j, %d nodes, %d segments', (name, nodes, segments) => {
    expect(() => planTopology({ name, nodes, segments })).toThrow(expect.objectContaining({ code: 'MESH_USAGE' }));
  });
});

describe('a lab of machines', () => {
  const machines = { firmware: ['bios', 'uefi'], foreignDhcp: true } as const;
  const topology = planTopology({ name: 'boxes', nodes: 2, segments: 1, machines });

  test('machine ids are derived from the firmware UUIDs', () => {
    const [host0, node1, node2] = topology.hosts;
    expect(host0?.emulated).toBeUndefined();
    expect([node1?.emulated?.firmware, node2?.emulated?.firmware]).toEqual(['bios', 'uefi']);
    expect(node1?.machine).toBe(machineIdOf(node1?.emulated?.uuid ?? ''));
    expect([node1, node2].map((node) => node?.ports[0]?.underlayEnd)).toEqual(['tap1', 'tap2']);
    expect(node1?.machine).not.toBe(node2?.machine);
  });

  test('machine ids are derived from the network cards if all UUIDs are the same', () => {
    const alike = planTopology({ name: 'boxes', nodes: 2, segments: 1, machines: { ...machines, templateUuid: true } });
    const [, node1, node2] = alike.hosts;
    expect(node1?.emulated?.uuid).toBe(node2?.emulated?.uuid);
    expect(node1?.machine).toBe(machineIdOf(node1?.ports[0]?.mac ?? ''));
    expect(node1?.machine).not.toBe(node2?.machine);
  });

  test('names each namespace once, with the foreign server, the underlay last', () => {
    expect(namespacesOf(topology)).toEqual(['mw-boxes-host0', 'mw-boxes-foreign', 'mw-boxes-underlay']);
  });

  test('a machine has no address until DHCP gave one', () => {
    expect(topology.hosts[1]?.member.ipv4).toBe(NO_ADDRESS);
    const ipv4 = parseIpv4('10.11.0.140');
    expect(withIpv4(topology, 'node1', ipv4).hosts[1]?.member.ipv4).toBe(ipv4);
  });

  test.each([0, 65])('refuses %d machines', (count) => {
    const firmware = Array.from({ length: count }, () => 'bios' as const);
    const size = { name: 'boxes', nodes: 1, segments: 1, machines: { firmware, foreignDhcp: false } };
    expect(() => planTopology(size)).toThrow(expect.objectContaining({ code: 'MESH_USAGE' }));
  });
});
