/**
 * Which hops are found to differ on the path from node1 to node2, on another segment, for each fault of the three
 * machines.
 */
import { expect, test } from 'vitest';
import { BRIDGE, type HostName, memberOf, portLink, type Spoilt, stateAt } from '../../../test/kit/trace-cluster.ts';
import type { KernelDump } from '../../kernel/mirror/kernel-reader.ts';
import type { Link, Route } from '../../kernel/rtnl/objects.ts';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Mac } from '../../model/address/mac.ts';
import { MeshError } from '../../model/error.ts';
import type { PathPoint, TraceHop, TraceView } from '../../protocol/documents/trace.ts';
import { pathView } from './path-view.ts';
import { walk } from './walk.ts';

const node1 = memberOf('node1');
const node2 = memberOf('node2');

function walked(
  spoilt: Partial<Record<HostName, Spoilt>> = {},
  to: PathPoint = { member: node2.ipv6 },
): Pick<TraceView, 'forth' | 'back'> {
  const query = { from: { member: node1.ipv6 }, to };
  const part = (node: HostName) => ({ node, view: pathView(stateAt(node, spoilt[node]), query) });
  return walk({ first: part('node1'), between: part('host0'), last: part('node2') });
}

function faults({ forth, back }: Pick<TraceView, 'forth' | 'back'>): string[] {
  const text = (way: string) => (hop: TraceHop) =>
    hop.state === 'ok' ? [] : [`${way}: ${hop.node} ${hop.subject}: ${hop.held} | ${hop.wanted}`];
  return [...forth.flatMap(text('forth')), ...back.flatMap(text('back'))];
}

function links(change: (link: Link) => Link | undefined): Spoilt {
  return { dump: (dump) => ({ ...dump, links: dump.links.flatMap((link) => change(link) ?? []) }) };
}

function entries(change: (entry: KernelDump['fdb'][number]) => KernelDump['fdb'][number] | undefined): Spoilt {
  return { dump: (dump) => ({ ...dump, fdb: dump.fdb.flatMap((entry) => change(entry) ?? []) }) };
}

test('on a healthy path every hop is listed, and none differs', () => {
  const view = walked();
  expect(view.forth.map(({ node, subject }) => `${node} ${subject}`)).toEqual([
    'node1 bridge',
    'node1 neighbour',
    'node1 bridge entry',
    'node1 vxlan',
    'node1 vxlan entry',
    'node1 flood entry',
    'node1 route',
    'node1 underlay',
    'host0 underlay',
    'host0 forwarding',
    'host0 firewall',
    'host0 route',
    'host0 underlay',
    'node2 underlay',
    'node2 firewall',
    'node2 vxlan',
    'node2 bridge',
    'node2 address',
  ]);
  expect(faults(view)).toEqual([]);
  expect(view.forth.find(({ subject }) => subject === 'route')?.held).toBe(
    '10.11.1.2 goes via 10.11.0.1 through eth0 from 10.11.0.2',
  );
});

const named: Readonly<Record<string, readonly [spoilt: Partial<Record<HostName, Spoilt>>, first: string]>> = {
  'no neighbour entry': [
    { node1: { dump: (dump) => ({ ...dump, neighbours: dump.neighbours.filter(({ mac }) => mac !== node2.mac) }) } },
    // The kernel would ask for it, but the agent wants a permanent entry.
    `forth: node1 neighbour: there is no entry for ${node2.ipv6} | ${node2.ipv6} is at ${node2.mac} on br456`,
  ],
  'the receiver behind another bridge port': [
    {
      node1: {
        dump: (dump) => ({
          ...dump,
          links: [...dump.links, portLink(20, 'tap0', { master: BRIDGE })],
          fdb: dump.fdb.map((entry) =>
            entry.table === 'master' && entry.mac === node2.mac ? { ...entry, link: 20 } : entry,
          ),
        }),
      },
    },
    `forth: node1 bridge entry: ${node2.mac} is behind tap0 | ${node2.mac} is behind vxlan456`,
  ],
  'no FDB entry in the VXLAN device': [
    { node1: entries((entry) => (entry.table === 'self' && entry.mac === node2.mac ? undefined : entry)) },
    `forth: node1 vxlan entry: there is no entry for ${node2.mac} | ${node2.mac} leads to 10.11.1.2`,
  ],
  'a wrong remote VTEP': [
    {
      node1: entries((entry) =>
        entry.table === 'self' && entry.mac === node2.mac ? { ...entry, remoteVtep: '10.11.0.77' as Ipv4 } : entry,
      ),
    },
    `forth: node1 vxlan entry: ${node2.mac} leads to 10.11.0.77 | ${node2.mac} leads to 10.11.1.2`,
  ],
  'no flood entry': [
    { node1: entries((entry) => (entry.remoteVtep === node2.ipv4 && entry.mac !== node2.mac ? undefined : entry)) },
    'forth: node1 flood entry: flooded frames do not go to node2 | they go to 10.11.1.2',
  ],
  'no route': [
    { node1: { routes: (routes) => void routes.delete(node2.ipv4) } },
    'forth: node1 route: there is no route to 10.11.1.2 | 10.11.1.2 goes via 10.11.0.1',
  ],
  'a route via another gateway': [
    {
      node1: {
        routes: (routes) => {
          const route = routes.get(node2.ipv4) as Route;
          routes.set(node2.ipv4, { ...route, gateway: '10.11.0.9' as Ipv4 });
        },
      },
    },
    'forth: node1 route: 10.11.1.2 goes via 10.11.0.9 through eth0 from 10.11.0.2 | 10.11.1.2 goes via 10.11.0.1',
  ],
  'the VXLAN device down': [
    { node2: links((link) => (link.name === 'vxlan456' ? { ...link, up: false } : link)) },
    'forth: node2 vxlan: vxlan456: up false → true | vxlan456 is up and as `mesh explain vxlan456` shows',
  ],
  'the VXLAN device off its bridge': [
    { node2: links((link) => (link.name === 'vxlan456' ? { ...link, master: 0 } : link)) },
    'forth: node2 vxlan: vxlan456: master none → br456 | vxlan456 is up and as `mesh explain vxlan456` shows',
  ],
  'no bridge': [
    { node2: links((link) => (link.name === 'br456' ? undefined : link)) },
    // Its bridge ports are released, which is the first difference on the path.
    'forth: node2 vxlan: vxlan456: master none → br456 | vxlan456 is up and as `mesh explain vxlan456` shows',
  ],
  'a narrow underlay': [
    { node2: links((link) => (link.name === 'eth0' ? { ...link, mtuBytes: 1400 } : link)) },
    'forth: node2 underlay: eth0 is up, MTU 1400 | MTU 1430 at least',
  ],
  'a cable that is out': [
    { host0: links((link) => (link.name === 'eth2' ? { ...link, running: false } : link)) },
    'forth: host0 underlay: eth2 is up without a carrier, MTU 1500 | eth2 is up',
  ],
  'the sender not among the sources': [
    { node2: { firewall: (table) => table.replaceAll(/10\.11\.0\.2,? ?/g, '') } },
    'forth: node2 firewall: 10.11.0.2 is not in the set sources_456: its packets are dropped | table inet meshwork takes VXLAN of VNI 456 from 10.11.0.2',
  ],
  'no rules': [
    { node2: { firewall: () => undefined } },
    'forth: node2 firewall: there is no table inet meshwork | table inet meshwork takes VXLAN of VNI 456 from 10.11.0.2',
  ],
  "another program's rule in Meshwork's table": [
    { node2: { firewallDrift: 'changed by another program' } },
    "forth: node2 firewall: table inet meshwork takes VXLAN of VNI 456 from 10.11.0.2 (set sources_456), but the table differs from the agent's: changed by another program | table inet meshwork takes VXLAN of VNI 456 from 10.11.0.2 (set sources_456)",
  ],
  'host0 not forwarding': [
    { host0: links((link) => (link.name === 'eth1' ? { ...link, forwards: false } : link)) },
    'forth: host0 forwarding: packets that come in on eth1 are not forwarded | they are forwarded',
  ],
  "a segment's NIC missing in host0's rules": [
    { host0: { firewall: (table) => table.replace('elements = { "eth1",', 'elements = {') } },
    'forth: host0 firewall: the set segments lacks eth1: VXLAN from eth1 to eth2 is dropped | table inet meshwork lets VXLAN through from eth1 to eth2',
  ],
  "Docker's policy on host0": [
    {
      host0: {
        foreign:
          'table ip filter {\n\tchain FORWARD {\n\t\ttype filter hook forward priority 0; policy drop;\n\t}\n}\n',
      },
    },
    'forth: host0 firewall: ip filter FORWARD: policy drop drops VXLAN packets at the forward hook | they pass',
  ],
  "another program's rule at the receiver": [
    {
      node2: {
        foreign:
          'table inet edge {\n\tchain in {\n\t\ttype filter hook input priority 0; policy accept;\n\t\tip saddr 10.11.0.2 drop\n\t}\n}\n',
      },
    },
    'forth: node2 firewall: inet edge in: ip saddr 10.11.0.2 drop drops VXLAN packets at the input hook | they pass',
  ],
  'an underlay card that is a port of the mesh': [
    { node1: links((link) => (link.name === 'eth0' ? { ...link, master: BRIDGE } : link)) },
    "forth: node1 underlay: eth0 is a port of br456, a mesh's bridge, which takes all packets that come in on eth0 | eth0 takes packets for its own addresses",
  ],
  'an address that is gone': [
    { node1: { dump: (dump) => ({ ...dump, addresses: dump.addresses.filter(({ family }) => family === 6) }) } },
    'forth: node1 underlay: eth0 is up, MTU 1500, and this machine has no IPv4 address | it has one',
  ],
  'a receiver that is silent, with all tables as wanted': [
    { node1: { silent: [node2.ipv6] } },
    'forth: node1 agent: node2 answers no ping of node1 in manage | node2 answers',
  ],
  "the receiver not on the sender's list": [
    { node1: { members: (members) => members.filter(({ name }) => name !== 'node2') } },
    `forth: node1 member list: ${node2.ipv6} is not on the list of node1 | it is a member`,
  ],
  'a sender with a wrong address of the receiver': [
    {
      node1: {
        members: (members) =>
          members.map((member) => (member.name === 'node2' ? { ...member, ipv4: '10.11.0.1' as Ipv4 } : member)),
      },
    },
    'forth: node2 underlay: node2 has 10.11.1.2 | 10.11.0.1, where node1 sends to',
  ],
};

test.each(Object.entries(named))('%s', (_name, [spoilt, first]) => {
  expect(faults(walked(spoilt))[0]).toBe(first);
});

test('no hop promises that the agent puts back what it does not want or cannot have', () => {
  const gone = links((link) => (link.name === 'br456' ? undefined : link));
  const remedies = (spoilt: Spoilt) => walked({ node1: spoilt }).forth.flatMap(({ remedy }) => remedy ?? []);
  expect(remedies(gone)[0]).toContain("node1's agent puts this back within a second");
  const failure = new MeshError('MESH_KERNEL_REFUSED', 'no memory');
  expect(remedies({ ...gone, failure })[0]).toContain("node1's agent cannot put this back: no memory");
  const addressless = { dump: (dump: KernelDump) => ({ ...dump, addresses: [] }) };
  for (const remedy of remedies(addressless)) expect(remedy).not.toContain('puts this back');
});

test('a wrong entry is reported once, and not again at the receiver', () => {
  const wrong = entries((entry) =>
    entry.table === 'self' && entry.mac === node2.mac ? { ...entry, remoteVtep: '10.11.0.1' as Ipv4 } : entry,
  );
  expect(faults(walked({ node1: wrong }))).toHaveLength(1);
});

test('a fault of the way back is reported there', () => {
  const found = faults(walked({ node2: entries((entry) => (entry.mac === node1.mac ? undefined : entry)) }));
  expect(found).toEqual([
    `back: node2 bridge entry: there is no entry for ${node1.mac} | ${node1.mac} is behind vxlan456`,
    `back: node2 vxlan entry: there is no entry for ${node1.mac} | ${node1.mac} leads to 10.11.0.2`,
  ]);
});

test('an agent that does not answer is an unknown hop', () => {
  const query = { from: { member: node1.ipv6 }, to: { member: node2.ipv6 } };
  const view = pathView(stateAt('node1'), query);
  const { forth } = walk({ first: { node: 'node1', view }, between: undefined, last: { node: 'node2', silent: 'no' } });
  expect(forth.at(-1)).toMatchObject({ node: 'node2', subject: 'agent', state: 'unknown' });
});

test('an agent that this node cannot ask about the network is an unknown hop, and not said to be silent', () => {
  const query = { from: { member: node1.ipv6 }, to: { member: node2.ipv6 } };
  const first = { node: 'node1', view: pathView(stateAt('node1'), query) };
  const { forth } = walk({ first, between: undefined, last: { node: 'node2' } });
  const held = 'its part is not known here: about this network only host0 can ask it';
  expect(forth.at(-1)).toMatchObject({ node: 'node2', subject: 'agent', state: 'unknown', held });
});

test('a guest: its FDB entry, and the state of its port', () => {
  const mac = '52:54:00:00:00:07' as Mac;
  const guest = { member: node2.ipv6, guest: { mac } };
  const port = (up: boolean, mtuBytes = 1380): Spoilt => ({
    dump: (dump) => ({
      ...dump,
      links: [...dump.links, portLink(20, 'tap0', { master: BRIDGE, up, running: up, mtuBytes })],
      fdb: [...dump.fdb, { table: 'master', link: 20, mac, state: 'dynamic', externLearn: false, sticky: false }],
    }),
  });
  const well = walked({ node2: port(true) }, guest);
  expect(faults(well)).toEqual([]);
  expect(well.forth.at(-1)).toMatchObject({ subject: 'port', held: `${mac} is behind tap0, which is up, MTU 1380` });
  expect(faults(walked({ node2: port(false) }, guest))[0]).toBe(
    `forth: node2 port: ${mac} is behind tap0, which is down, MTU 1380 | ${mac} is behind a port of br456 that is up`,
  );
  expect(faults(walked({ node2: port(true, 1500) }, guest))[0]).toBe(
    `forth: node2 port: ${mac} is behind tap0, which is up, MTU 1500 | MTU 1380 at most, which manage carries`,
  );
});
