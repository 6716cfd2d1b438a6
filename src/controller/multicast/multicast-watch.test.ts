/** Between which nodes multicast passes, by what they tell, and who may have such a network. */
import { expect, test } from 'vitest';
import { networkOfType, vxlanType } from '../../../test/kit/networks.ts';
import type { Ipv4, Ipv4Cidr } from '../../model/address/ipv4.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { MachineWord } from '../../model/machine.ts';
import type { GroupHearing } from '../../protocol/documents/node-assignment.ts';
import { MulticastWatch } from './multicast-watch.ts';

const [A, B, C] = ['aaaaaaaa', 'bbbbbbbb', 'cccccccc'] as MachineWord[];
const NAMES: Readonly<Record<string, string>> = { aaaaaaaa: 'node1', bbbbbbbb: 'node2', cccccccc: 'node3' };
const SEGMENTS = [
  { subnet: '10.1.0.0/24' as Ipv4Cidr, device: 'eth0' },
  { subnet: '10.2.0.0/24' as Ipv4Cidr, device: 'eth1' },
];
const blue = {
  ...networkOfType(0xff01, vxlanType(0xff01, { dev: 'eth0', underlay: 'ipv6' }), {
    kind: 'multicast',
    group: 'ff05::ff01' as Ipv6,
  }),
  name: 'blue',
};

function hearing(...heard: readonly [MachineWord | undefined, number][]): GroupHearing {
  return {
    hears: heard.flatMap(([machine, hops]) => (machine === undefined ? [] : [{ machine, hops }])),
    settled: true,
  };
}

function watch(hearings: Readonly<Record<string, GroupHearing>>, places: Readonly<Record<string, string>> = {}) {
  return new MulticastWatch({
    networks: () => [blue],
    assignments: {
      holdersOf: () =>
        [A, B, C].filter((machine) => machine !== undefined && hearings[machine] !== undefined) as MachineWord[],
      nameOf: (machine) => NAMES[machine] ?? machine,
      reports: { hearingOf: (machine) => hearings[machine] },
    },
    places: {
      placeOf: (machine) => ({ name: NAMES[machine] ?? '', underlay: (places[machine] ?? '10.1.0.9') as Ipv4 }),
    },
    segments: () => SEGMENTS,
  });
}

test('nodes that all hear each other have no finding', () => {
  const reach = watch({ aaaaaaaa: hearing([B, 1]), bbbbbbbb: hearing([A, 1]) });
  expect(reach.viewOf(blue)).toEqual({ hears: ['node1', 'node2'], pairs: 2, silent: [], pending: [] });
  expect(reach.health()).toEqual([]);
});

test('silence is named with its direction; a node that has not listened for long enough is pending', () => {
  const reach = watch({
    aaaaaaaa: hearing([B, 1]),
    bbbbbbbb: hearing(),
    cccccccc: { hears: [], settled: false },
  });
  expect(reach.viewOf(blue)).toEqual({
    hears: ['node1', 'node2'],
    pairs: 1,
    silent: [{ from: 'node1', to: 'node2', why: 'silence' }],
    pending: ['node3'],
  });
  expect(reach.health()).toMatchObject([
    { code: 'MESH_MULTICAST_SILENT', object: 'blue', message: expect.stringContaining('node1 → node2') },
  ]);
});

test('a router that the hop limit does not allow for, and other segments, are told apart from silence', () => {
  const routed = watch({ aaaaaaaa: hearing([B, 8]), bbbbbbbb: hearing([A, 8]) });
  expect(routed.viewOf(blue)?.silent.map(({ why }) => why)).toEqual(['router', 'router']);
  expect(routed.health()[0]?.message).toContain('a router is between');
  const apart = watch({ aaaaaaaa: hearing(), bbbbbbbb: hearing() }, { aaaaaaaa: '10.1.0.2', bbbbbbbb: '10.2.0.2' });
  expect(apart.health()).toMatchObject([{ code: 'MESH_MULTICAST_SEGMENT' }]);
});

test('a node on another segment is refused, unless it is heard there', () => {
  const places = { aaaaaaaa: '10.1.0.2', bbbbbbbb: '10.2.0.2' };
  const refusing = watch({ aaaaaaaa: hearing() }, places);
  expect(() => refusing.admit(blue, B as MachineWord)).toThrow(
    expect.objectContaining({ code: 'MESH_MULTICAST_SEGMENT', message: expect.stringContaining('10.2.0.0/24') }),
  );
  refusing.admit(blue, A as MachineWord);
  refusing.admit({ ...blue, peers: { kind: 'assigned' } as const }, B as MachineWord);
  watch({ aaaaaaaa: hearing([B, 1]) }, places).admit(blue, B as MachineWord);
});
