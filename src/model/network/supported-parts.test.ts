/**
 * Each field of the model has an effect that a test proves, or is refused when a network starts. A new field fails here until one
 * of the two is so.
 */

import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { networkOfType, vxlanType } from '../../../test/kit/networks.ts';
import { parseIpv4, parseIpv4Cidr } from '../address/ipv4.ts';
import type { Ipv6Cidr } from '../address/ipv6.ts';
import { ipv6Subnet, parseIpv6 } from '../address/ipv6.ts';
import type { Shape } from '../form.ts';
import { plainBridge } from './bridge.ts';
import type { Network } from './network.ts';
import { NetworkShape } from './network-shape.ts';
import { unsupportedError, unsupportedParts } from './supported-parts.ts';

const TYPES = 'src/agent/desired/types';
const settings = (title: string): Proof => ({ file: `${TYPES}/bridge-settings.test.ts`, title });
const byType = (title: string): Proof => ({ file: `${TYPES}/type-parts.test.ts`, title });
const addressing = (title: string): Proof => ({ file: `${TYPES}/host-addresses.test.ts`, title });
const inPlace = settings('MTU, description, hop limit, learning and MAC table change without a lost ping');
const hostConf = (title: string): Proof => ({ file: 'src/services/dnsmasq/host-conf.test.ts', title });
const routing = (title: string): Proof => ({ file: 'src/agent/desired/rules/routing/routing-rules.test.ts', title });
const rates: Proof = {
  file: 'src/agent/desired/rules/bandwidth-rules.test.ts',
  title: 'each direction has its rate',
};
const lines = byType('a plan has the lines that an administrator would type');
const catalogue: Proof = { file: 'src/controller/catalogue/network-catalogue.test.ts' };
const holders: Proof = { file: 'src/controller/assignments/assignments.test.ts' };

/** A test that proves an effect, by its file and the beginning of its title. */
interface Proof {
  readonly file: string;
  readonly title?: string;
}

const blue: Network = {
  ...networkOfType(0xff01, vxlanType(0xff01), { kind: 'assigned' }),
  hostAddress: { kind: 'given' },
  subnets: [{ cidr: parseIpv4Cidr('10.7.0.0/24'), hostAddress: parseIpv4('10.7.0.1') }],
  routing: { mode: 'isolated', via: [], rules: [] },
};
const [subnet] = blue.subnets;
if (subnet === undefined) throw new Error('no subnet');

const withSubnet = (part: object): Network => ({ ...blue, subnets: [{ ...subnet, ...part }] });
const withRouting = (part: object): Network => ({ ...blue, routing: { ...blue.routing, ...part } });
const withGuests = (part: object): Network => ({ ...blue, guests: { portGroups: [], ...part } });
const names = { hosts: [], srv: [], txt: [], forwarders: [] };
const bridged: Network = { ...blue, hostAddress: { kind: 'none' } };
const { bridge: _bridge, peers: _peers, ...unbridged } = blue;
const cards: Network = {
  ...unbridged,
  hostAddress: { kind: 'none' },
  subnets: [],
  type: { kind: 'hostdev', cards: ['0000:03:10.1'], managed: true },
};
const FAST = { averageBytesPerSec: 1_000_000, peakBytesPerSec: 2_000_000 };
const nat64 = { prefix: ipv6Subnet(parseIpv6('64:ff9b::'), 96), pool: parseIpv4Cidr('10.99.0.0/24') };

/** The fields that have an effect, with what proves it. A name ends the path; all fields below it count as named. */
const EFFECTS: Readonly<Record<string, Proof>> = {
  id: lines,
  number: lines,
  name: catalogue,
  // For people and other programs: they are kept and shown.
  uuid: { file: 'src/model/network/network-shape.test.ts', title: 'what is printed is read again as it was' },
  owner: { file: 'src/model/network/network-shape.test.ts', title: 'what is printed is read again as it was' },
  labels: { file: 'src/model/network/network-shape.test.ts', title: 'what is printed is read again as it was' },
  title: { file: 'src/model/network/network-shape.test.ts', title: 'what is printed is read again as it was' },
  description: inPlace,
  extra: { file: 'src/model/network/network-shape.test.ts', title: 'what is printed is read again as it was' },
  source: catalogue,
  'bridge.name': lines,
  'bridge.mac': settings('all bridges of a network have the Ethernet address that the network gives'),
  'bridge.stp': settings('a spanning tree is switched on and off in place'),
  'bridge.forwardDelaySec': settings('a spanning tree is switched on and off in place'),
  'bridge.macTable': settings('a managed MAC table learns from no port'),
  'type(vxlan).device': lines,
  'type(vxlan).vni': lines,
  'type(vxlan).udpPort': byType('guests of a network reach each other'),
  'type(vxlan).underlay': byType('a network that moves to the other underlay family'),
  'type(vxlan).local': {
    file: `${TYPES}/vxlan-settings.test.ts`,
    title: 'the source of a VXLAN is the one that the network gives',
  },
  'type(vxlan).dev': byType('a VXLAN goes with the underlay device'),
  'type(vxlan).hopLimit': { file: `${TYPES}/vxlan-settings.test.ts`, title: 'hop limit and learning are put right' },
  'type(vxlan).learning': { file: `${TYPES}/vxlan-settings.test.ts`, title: 'hop limit and learning are put right' },
  'type(foreign-bridge).name': byType('a port is plugged into a bridge of another program'),
  'type(macvtap)': {
    file: 'src/model/network/network-shape.test.ts',
    title: 'what is printed is read again as it was',
  },
  'peers(multicast).group': byType('guests of a network reach each other'),
  'peers(explicit).vteps[].address': byType('guests of a network reach each other'),
  'peers(explicit).vteps[].port': {
    file: 'src/agent/desired/peers/explicit.test.ts',
    title: 'VTEPs at other UDP ports are reached',
  },
  mtuBytes: inPlace,
  'hostAddress(derived).key': { file: 'src/model/network/member.test.ts' },
  'hostAddress(derived).prefix': { file: 'src/agent/loop/plan.test.ts' },
  'subnets[].cidr': addressing('another subnet changes in place'),
  'subnets[].ra': {
    file: 'src/controller/services/service-orders.test.ts',
    title: 'routers advertise the /64 subnets, but for those that say no',
  },
  'subnets[].hostAddress': {
    file: 'src/controller/pools/host-addresses.test.ts',
    title: 'another subnet brings other addresses, and given addresses are those of host0',
  },
  span: holders,
  'subnets[].dhcp': hostConf('a network with all parts'),
  'subnets[].localPtr': hostConf('a network with all parts'),
  'subnets[].tftp': hostConf('a network with all parts'),
  'dns.domain': hostConf('a network with all parts'),
  'dns.enabled': hostConf('DNS is off where the network says so'),
  'dns.localOnly': hostConf('a network with all parts'),
  'dns.forwardPlainNames': hostConf('a network with all parts'),
  'dns.hosts': hostConf('a network with all parts'),
  'dns.srv': hostConf('a network with all parts'),
  'dns.txt': hostConf('a network with all parts'),
  'dns.forwarders': hostConf('a network with all parts'),
  dnsmasqOptions: hostConf('DNS is off where the network says so'),
  routes: routing('static routes lead through a guest'),
  'routing.mode': routing('the modes routed, open and isolated'),
  'routing.via': routing('the modes routed, open and isolated'),
  'routing.policy': routing('port forwards and the rules of a network'),
  'routing.rules': routing('port forwards and the rules of a network'),
  'routing.nat': routing('guests of a NAT network reach outside'),
  'bandwidth.in.averageBytesPerSec': rates,
  'bandwidth.in.burstBytes': rates,
  'bandwidth.out.averageBytesPerSec': rates,
  'bandwidth.out.burstBytes': rates,
  // Guests of one network reach each other over IPv6 in any case: no rule of ours is between them.
  guestIpv6: routing('the modes routed, open and isolated'),
  'guests.isolation': routing('guests of one node are kept apart'),
  'guests.portGroups': routing('guests of one node are kept apart'),
};

/** The fields that are refused when a network starts, with a network that has one. */
const REFUSED: Readonly<Record<string, Network>> = {
  'type(hostdev)': cards,
  'bridge.zone': { ...blue, bridge: { ...plainBridge('brff01'), zone: 'trusted' } },
  'bandwidth.in.peakBytesPerSec': { ...blue, bandwidth: { in: FAST } },
  'bandwidth.out.peakBytesPerSec': { ...blue, bandwidth: { out: FAST } },
  'routing.nat64': withRouting({ nat64 }),
  'dns.register': { ...blue, dns: { ...names, register: true } },
  'guests.binding': withGuests({ binding: true }),
  'guests.bandwidth': withGuests({ bandwidth: {} }),
  'guests.vlan': withGuests({ vlan: 7 }),
  'guests.trunk': withGuests({ trunk: { tags: [7, 8] } }),
  'guests.trust': withGuests({ trust: true }),
};

/** The paths of all fields of a form; `type(vxlan).vni` is one of the objects whose kind is `vxlan`. */
function* fieldsOf({ outline }: Shape<unknown>, path: string): Generator<string> {
  switch (outline.kind) {
    case 'object': {
      const kind = outline.fields.kind?.outline;
      const place = kind?.kind === 'literal' ? `${path}(${kind.only})` : path;
      for (const [name, field] of Object.entries(outline.fields)) {
        if (name !== 'kind') yield* fieldsOf(field, place === '' ? name : `${place}.${name}`);
      }
      return;
    }
    case 'either':
      if (outline.shapes.some((shape) => shape.outline.kind === 'object')) {
        for (const shape of outline.shapes) yield* fieldsOf(shape, path);
        return;
      }
      break;
    case 'list':
      if (outline.of.outline.kind === 'object') {
        yield* fieldsOf(outline.of, `${path}[]`);
        return;
      }
      break;
  }
  yield path;
}

const FIELDS = [...new Set(fieldsOf(NetworkShape, ''))];

/** Whether a name of a table is that of the field, or of an object around it. */
function isNamed(field: string, table: object): boolean {
  return Object.keys(table).some(
    (name) => field === name || (/^[[.(]/.test(field.slice(name.length)) && field.startsWith(name)),
  );
}

test('each field of a network has an effect, or is refused at the start', () => {
  expect(FIELDS.length).toBeGreaterThan(60);
  expect(FIELDS).toContain('type(vxlan).hopLimit');
  expect(FIELDS).toContain('routing.rules[].forwardTo.port');
  expect(FIELDS.filter((field) => !isNamed(field, EFFECTS) && !isNamed(field, REFUSED))).toEqual([]);
  expect(FIELDS.filter((field) => isNamed(field, EFFECTS) && isNamed(field, REFUSED))).toEqual([]);
  const names = [...Object.keys(EFFECTS), ...Object.keys(REFUSED)];
  expect(names.filter((name) => !FIELDS.some((field) => isNamed(field, { [name]: true })))).toEqual([]);
});

test.each(Object.entries(EFFECTS))('%s: a test proves the effect', (_, { file, title = '' }) => {
  expect(existsSync(file)).toBe(true);
  expect(readFileSync(file, 'utf8')).toContain(title);
});

test.each(Object.entries(REFUSED))('%s is refused', (name, network) => {
  const path = name.replace('[]', '.0').replace(/\(\w+\)/, '');
  expect(unsupportedParts(network).map((part) => part.path)).toEqual([path]);
  expect(unsupportedError(network)).toMatchObject({ code: 'MESH_NET_NOT_SUPPORTED', object: network.name });
});

/** Parts that have an effect only beside others. */
const MISPLACED: Readonly<Record<string, Network>> = {
  'subnets.0.dhcp': { ...withSubnet({ dhcp: { ranges: [], hosts: [], options: [] } }), hostAddress: { kind: 'none' } },
  dns: { ...bridged, dns: names },
  routes: { ...bridged, routes: [{ cidr: parseIpv4Cidr('10.9.0.0/16'), via: parseIpv4('10.7.0.9') }] },
  dnsmasqOptions: { ...bridged, dnsmasqOptions: ['log-queries'] },
  'routing.mode': { ...bridged, routing: { mode: 'nat', via: [], rules: [] } },
  'routing.via': withRouting({ via: ['eth0'] }),
  'routing.policy': withRouting({ mode: 'open', policy: { in: 'drop', out: 'accept' } }),
  'routing.rules.0.forwardTo': withRouting({
    mode: 'nat',
    rules: [{ direction: 'out', match: {}, verdict: 'accept', forwardTo: { guest: 'web' } }],
  }),
  'routing.rules.0.forwardTo.port': withRouting({
    mode: 'nat',
    rules: [
      {
        direction: 'in',
        match: { ports: { first: 1, last: 9 } },
        verdict: 'accept',
        forwardTo: { guest: 'web', port: 7 },
      },
    ],
  }),
};

test.each(Object.entries(MISPLACED))('%s is refused where it has no effect', (path, network) => {
  expect(unsupportedParts(network).map((part) => part.path)).toEqual([path]);
});

test.each([
  {},
  { protocol: 'tcp' },
  { protocol: 'icmp', ports: { first: 1, last: 9 } },
] as const)('a port forward without ports is refused: %j', (match) => {
  const rules = [{ direction: 'in', match, verdict: 'accept', forwardTo: { guest: 'web' } }] as const;
  const parts = unsupportedParts(withRouting({ mode: 'nat', rules }));
  expect(parts.map(({ path }) => path)).toEqual(['routing.rules.0.forwardTo']);
});

test('a network with addresses is not refused, nor one whose subnets are for its guests alone', () => {
  expect(unsupportedError(blue)).toBeUndefined();
  // Its services announce the subnets.
  expect(unsupportedParts({ ...blue, hostAddress: { kind: 'none' } })).toEqual([]);
  const derived = { kind: 'derived', key: '1', prefix: 'fd42::/64' as Ipv6Cidr } as const;
  expect(unsupportedParts({ ...blue, hostAddress: derived })).toMatchObject([{ path: 'subnets' }]);
  const { bridge: _, ...foreign } = { ...blue, type: { kind: 'foreign-bridge', name: 'virbr0' } as const };
  expect(unsupportedParts(foreign)).toMatchObject([{ path: 'hostAddress' }]);
});

test('a line for dnsmasq that would run as root is refused by its place', () => {
  const network: Network = { ...blue, dnsmasqOptions: ['log-queries', 'dhcp-script=/bin/x'] };
  expect(unsupportedParts(network)).toEqual([
    { path: 'dnsmasqOptions.1', remedy: expect.stringContaining('Leave dhcp-script out') },
  ]);
});

test('limits of the group of all ports are refused, and those of a group that a port names are kept', () => {
  const group = { name: 'fast', vlan: 7, bandwidth: { in: { averageBytesPerSec: 1_000 } } };
  const pathsOf = (isDefault: boolean) =>
    unsupportedParts(
      withGuests({
        portGroups: [
          { name: 'plain', isDefault: false },
          { ...group, isDefault },
        ],
      }),
    ).map(({ path }) => path);
  expect(pathsOf(false)).toEqual([]);
  expect(pathsOf(true)).toEqual(['guests.portGroups.1.bandwidth', 'guests.portGroups.1.vlan']);
});
