import { expect, test } from 'vitest';
import { findTopology, shippedTopologies } from './shipped-topologies.ts';
import { readTopology } from './topology-file.ts';
import { topologySchema } from './topology-schema.ts';
import { linkOf, netsOf, planMachines } from './vm-plan.ts';
import { withCounts } from './vm-topology.ts';

const GOOD = 'roles:\n  node: { count: 2, nets: [0, 1] }\n';

test('a topology gives machines, nets and links', () => {
  const topology = readTopology(
    'mine.yaml',
    `${GOOD}  router: { count: 1, nets: [0, 1, 2], memoryMib: 256, overlays: [routers] }
machines:
  vm-002: { nets: [0, 3] }
nets:
  - { net: 5, mtuBytes: 9000 }
overlays: [cluster-net]
links:
  - { net: 1, lossPercent: 1 }
  - { net: 1, machine: vm-201, delayMs: 20 }
`,
  );
  expect(planMachines(topology)).toEqual([
    { number: 1, name: 'vm-001', role: 'node', nets: [0, 1], overlays: ['cluster-net'] },
    { number: 2, name: 'vm-002', role: 'node', nets: [0, 3], overlays: ['cluster-net'] },
    {
      number: 201,
      name: 'vm-201',
      role: 'router',
      nets: [0, 1, 2],
      memoryMib: 256,
      overlays: ['cluster-net', 'routers'],
    },
  ]);
  expect(netsOf(topology, [7])).toEqual([0, 1, 2, 3, 5, 7]);
  expect(linkOf(topology, 1, 'vm-201')).toEqual({ lossPercent: 1, delayMs: 20 });
  expect(planMachines(withCounts(topology, { node: 1, router: 0, tester: 1 })).map(({ name }) => name)).toEqual([
    'vm-001',
    'vm-221',
  ]);
});

test.each(shippedTopologies())('the topology %s that comes with labs is right', (name) => {
  const { topology } = findTopology(name);
  expect(topology.description).toMatch(/\.$/);
  expect(planMachines(topology).length).toBeGreaterThan(3);
});

test('editors get a schema', () => {
  expect(topologySchema()).toMatchObject({ required: ['roles'], properties: { overlays: { type: 'array' } } });
});

/** Each with the place of its fault, and what the error says. */
const BAD: readonly (readonly [fault: string, text: string, place: string, says: RegExp, remedy: RegExp])[] = [
  ['a tab', 'roles:\n\tnode: 1\n', '2:1', /indented by a tab/, /spaces/],
  ['a key twice', `${GOOD}overlays: []\noverlays: []\n`, '4:1', /overlays stands twice/, /Remove one/],
  ['an unknown key', `${GOOD}bridges: 3\n`, '3:1', /bridges does not fit/, /fields here are description/],
  ['no roles', 'description: none\n', '1:1', /roles does not fit/, /topology show default/],
  ['no machine', 'roles:\n  node: { count: 0, nets: [0] }\n', '1:1', /has no machine/, /count: 2/],
  [
    'too many machines',
    'roles:\n  router: { count: 21, nets: [0] }\n',
    '2:13',
    /cannot have 21 machines/,
    /20 at most/,
  ],
  [
    'a net too high',
    'roles:\n  node: { count: 1, nets: [0, 256] }\n',
    '2:31',
    /roles.node.nets.1 does not fit/,
    /from 0 to 255/,
  ],
  [
    'a first net that is not the internal one',
    'roles:\n  node: { count: 1, nets: [1, 0] }\n',
    '2:21',
    /nets does not fit/,
    /nets: \[0, 1\]/,
  ],
  [
    'a machine that is not there',
    `${GOOD}machines:\n  vm-003: { memoryMib: 256 }\n`,
    '4:3',
    /no machine vm-003/,
    /Raise the count of the role node/,
  ],
  ['a machine of no number', `${GOOD}machines:\n  vm-250x: {}\n`, '4:3', /does not fit/, /vm-001/],
  ['a prefix with host bits', `prefix: "fd00::1"\n${GOOD}`, '1:1', /prefix does not fit/, /prefix: "fd00::"/],
  [
    'an MTU that is too small for IPv6',
    `${GOOD}nets:\n  - { net: 1, mtuBytes: 1000 }\n`,
    '4:15',
    /mtuBytes does not fit/,
    /./,
  ],
  ['a net twice', `${GOOD}nets:\n  - { net: 1 }\n  - { net: 1 }\n`, '5:5', /net 1 stands twice/, /Remove one/],
  [
    'a host that is not in net 0',
    `${GOOD}nets:\n  - { net: 0, hostAddress: false }\n`,
    '4:15',
    /must have an address in net 0/,
    /Leave hostAddress out/,
  ],
  ['a link to nobody', `${GOOD}links:\n  - { net: 2, delayMs: 1 }\n`, '4:5', /no machine is in net 2/, /Name a net/],
  ['a link that says nothing', `${GOOD}links:\n  - { net: 1 }\n`, '4:5', /says nothing/, /lossPercent/],
  [
    'a loss of more than all',
    `${GOOD}links:\n  - { net: 1, lossPercent: 101 }\n`,
    '4:15',
    /lossPercent does not fit/,
    /./,
  ],
];

test.each(BAD)('%s is told at its place', (_, text, place, says, remedy) => {
  let error: { message: string; remedy?: string; rule?: string; place?: { line: number; column: number } } | undefined;
  try {
    readTopology('mine.yaml', text);
  } catch (thrown) {
    error = thrown as typeof error;
  }
  expect(error?.message).toMatch(says);
  expect(`${error?.place?.line}:${error?.place?.column}`).toBe(place);
  expect(`${error?.remedy ?? ''} ${error?.rule ?? ''}`).toMatch(remedy);
});

test('a topology that is not there names those that are', () => {
  expect(() => findTopology('dfault')).toThrow(
    expect.objectContaining({ remedy: expect.stringContaining('default, dual-path, multihop, zones') }),
  );
});
