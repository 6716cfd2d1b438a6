/** The form of networks in documents: what is printed is read again, and what does not fit is said with its place. */
import { describe, expect, test } from 'vitest';
import { seedOfRun } from '../../../test/kit/damage.ts';
import { manage } from '../../../test/kit/networks.ts';
import { randomFrom } from '../../../test/kit/random.ts';
import { randomNetwork } from '../../../test/kit/random-network.ts';
import { Misfit } from '../form.ts';
import { NetworkShape } from './network-shape.ts';

function printedAndRead(network: unknown): unknown {
  return NetworkShape.read(JSON.parse(JSON.stringify(network)), true);
}

test('what is printed is read again as it was, the parts without effect too', () => {
  const seed = seedOfRun();
  const random = randomFrom(seed);
  expect(printedAndRead(manage)).toEqual(manage);
  for (let round = 0; round < 500; round++) {
    const network = randomNetwork(random);
    expect(printedAndRead(network), `seed ${seed}, round ${round}`).toEqual(network);
  }
});

const blue = {
  id: 'net-ff01',
  number: 0xff01,
  name: 'blue',
  bridge: { name: 'brff01' },
  type: { kind: 'vxlan', device: 'vxlanff01', vni: 0xff01, udpPort: 4789, underlay: 'ipv4', learning: true },
  peers: { kind: 'assigned' },
  mtuBytes: 1450,
  hostAddress: { kind: 'none' },
  routing: { mode: 'isolated' },
  span: { kind: 'on-demand' },
  source: 'store',
};

test('what a document need not say gets its value', () => {
  expect(NetworkShape.read(blue, true)).toEqual({
    ...blue,
    labels: {},
    bridge: { name: 'brff01', stp: false, forwardDelaySec: 0, macTable: 'learned' },
    subnets: [],
    routes: [],
    routing: { mode: 'isolated', via: [], rules: [] },
    extra: {},
  });
});

function misfitOf(document: unknown): Misfit {
  try {
    printedAndRead(document);
  } catch (error) {
    if (error instanceof Misfit) return error;
  }
  throw new Error('the document fits');
}

const subnet = { cidr: '10.7.0.0/24' };

describe('what does not fit', () => {
  test.each<[object, string, string]>([
    [{ ...blue, name: 'two words' }, 'name', 'A name is one word'],
    [{ ...blue, name: undefined }, 'name', 'A name is one word'],
    [{ ...blue, mtu: 1400 }, 'mtu', 'The fields here are id, number, name,'],
    [{ ...blue, mtuBytes: 900 }, 'mtuBytes', 'A whole number from 1280 to 65535.'],
    [{ ...blue, number: 0 }, 'number', 'a whole number from 1 to 16777215.'],
    [{ ...blue, id: 'net-65281' }, 'id', 'The identifier of network 65281 is net-ff01.'],
    [{ ...blue, type: { ...blue.type, vni: 1 << 24 } }, 'type.vni', 'A VNI is a whole number from 1 to 16777215.'],
    [{ ...blue, type: { ...blue.type, port: 4789 } }, 'type.port', 'The fields here are kind, device, vni, udpPort,'],
    [{ ...blue, type: { kind: 'geneve' } }, 'type.kind', 'One of vxlan, bridge, foreign-bridge, macvtap, hostdev.'],
    [{ ...blue, type: { kind: 'bridge' } }, 'peers', 'A network of the type bridge has no peers.'],
    [{ ...blue, bridge: undefined }, 'bridge', 'A network of the type vxlan has a bridge.'],
    [{ ...blue, peers: undefined }, 'peers', 'A network of the type vxlan has peers.'],
    [{ ...blue, peers: { kind: 'membership' } }, 'hostAddress', 'derived from its key, in its prefix.'],
    [{ ...blue, peers: { kind: 'multicast', group: 'ff05::1' } }, 'peers', 'names the underlay device'],
    [
      { ...blue, peers: { kind: 'multicast', group: 'ff05::1' }, type: { ...blue.type, dev: 'eth1' } },
      'peers',
      'The group ff05::1 is one of ipv6.',
    ],
    [{ ...blue, peers: { kind: 'multicast', group: 'fd42::1' } }, 'peers.group', 'A multicast group'],
    [{ ...blue, hostAddress: { kind: 'given' } }, 'hostAddress', 'stands in a subnet.'],
    [{ ...blue, subnets: [{ cidr: '10.7.0.1/24' }] }, 'subnets.0.cidr', 'without host bits'],
    [
      { ...blue, subnets: [{ ...subnet, hostAddress: '10.8.0.1' }] },
      'subnets.0.hostAddress',
      'in the subnet 10.7.0.0/24',
    ],
    [
      { ...blue, subnets: [{ ...subnet, dhcp: { ranges: [{ first: '10.7.0.2', last: '10.7.1.9' }] } }] },
      'subnets.0.dhcp.ranges.0.last',
      'in the subnet 10.7.0.0/24',
    ],
    [{ ...blue, routes: [{ cidr: '10.9.0.0/16', via: 'fd42::1' }] }, 'routes.0.via', 'of the same family'],
    [{ ...blue, routing: { mode: 'bridged' } }, 'routing.mode', 'One of isolated, routed, nat, open, none.'],
    [
      { ...blue, routing: { mode: 'nat', nat: { addresses: { first: '10.0.0.9', last: '10.0.0.2' } } } },
      'routing.nat.addresses',
      'the lowest one first',
    ],
    [{ ...blue, routing: { mode: 'nat', nat: { ports: { first: 9, last: 2 } } } }, 'routing.nat.ports', 'lowest one'],
    [
      { ...blue, routing: { mode: 'routed', nat: { ipv6: true } } },
      'routing.nat',
      'of the mode routed hides no guests',
    ],
    [
      { ...blue, routing: { mode: 'nat', rules: [{ direction: 'in', match: {}, verdict: 'accept', forwardTo: {} }] } },
      'routing.rules.0.forwardTo',
      'An address, or the name of a guest',
    ],
    [
      { ...blue, dns: { forwarders: [{ port: 53 }] } },
      'dns.forwarders.0',
      'has an address, or a domain for which the servers of the host are asked',
    ],
    [{ ...blue, dns: { srv: [{ service: 'x', protocol: 'a b' }] } }, 'dns.srv.0.protocol', 'One word'],
    [
      { ...blue, subnets: [{ ...subnet, dhcp: { hosts: [{ name: 'a', leaseSec: 60 }] } }] },
      'subnets.0.dhcp.hosts.0.leaseSec',
      'A whole number from 120 to 4294967295.',
    ],
    [{ ...blue, guests: { isolation: 'yes' } }, 'guests.isolation', 'true or false.'],
    [{ ...blue, labels: [] }, 'labels', 'An object, in braces.'],
  ])('%o: %s', (document, place, rule) => {
    const { path, words } = misfitOf(document);
    expect(path.join('.')).toBe(place);
    expect(words?.rule).toContain(rule);
  });
});
