/** What DHCP and DNS need of their network, and what each refusal says; and what nodes are told. */
import { expect, test } from 'vitest';
import { storeNetwork } from '../../../test/kit/networks.ts';
import type { Ipv4Cidr } from '../../model/address/ipv4.ts';
import { parseIpv4 } from '../../model/address/ipv4.ts';
import { type Ipv6Cidr, parseIpv6 } from '../../model/address/ipv6.ts';
import { parseMac } from '../../model/address/mac.ts';
import { MeshError } from '../../model/error.ts';
import { Misfit } from '../../model/form.ts';
import type { MachineWord } from '../../model/machine.ts';
import type { Network } from '../../model/network/network.ts';
import { type NetworkService, NetworkServiceShape } from '../../model/network/services/network-service.ts';
import { mustFitNetwork } from './address-service-rules.ts';
import { dhcp4Content, dhcp6Content, dnsContent } from './assigned-dhcp.ts';
import { assignedService } from './assigned-services.ts';
import type { NamedGuest } from './guest-names.ts';

const [V4, V6] = ['10.77.0.0/24' as Ipv4Cidr, 'fd77::/64' as Ipv6Cidr];
const blue = (...subnets: Network['subnets']): Network => ({ ...storeNetwork('blue', 0x1001), subnets });
const BOTH = blue({ cidr: V4 }, { cidr: V6 });
const A = 'a0000000' as MachineWord;
const MAC = parseMac('02:00:00:00:00:07');
const GUEST: NamedGuest = {
  mac: parseMac('02:00:00:00:00:08'),
  addresses: [parseIpv4('10.77.0.8'), parseIpv6('fd77::8'), parseIpv4('192.0.2.8')],
  name: 'vm8',
};

const service = (document: object): NetworkService => NetworkServiceShape.read(document);

/** The refusal, in one line; undefined where there is none. */
function refusal(network: Network, document: object, { others = [] as object[], nodes = 2 } = {}): string | undefined {
  try {
    mustFitNetwork(network, service(document), { services: others.map(service), guests: [] }, nodes);
    return undefined;
  } catch (thrown) {
    const { code, message, rule, remedy } = MeshError.from(thrown);
    expect(rule).toBeTruthy();
    expect(remedy).toBeTruthy();
    return `${code} ${message}`;
  }
}

const dhcp4 = (...ranges: string[]) => ({
  kind: 'dhcp4',
  ranges: ranges.map((text) => ({ first: text.split('-')[0], last: text.split('-')[1] })),
});
const reserved = (...hosts: object[]) => ({ kind: 'dhcp4', hosts });

test('what fits', () => {
  for (const document of [
    { kind: 'dhcp4' },
    dhcp4('10.77.0.10-10.77.0.19', '10.77.0.20-10.77.0.29'),
    dhcp4(),
    reserved({ mac: MAC, address: '10.77.0.7', name: 'web' }, { mac: GUEST.mac, name: 'mail' }),
    { kind: 'dhcp6' },
    { kind: 'dhcp6', mode: 'stateless' },
    { kind: 'dhcp6', hosts: [{ id: '00:03:00:01:02:00:00:00:00:07', address: 'fd77::7' }] },
    { kind: 'dns', domain: 'blue.example' },
  ])
    expect(refusal(BOTH, document)).toBeUndefined();
  expect(refusal(blue({ cidr: V4 }), { kind: 'dns' }, { others: [{ kind: 'dhcp4' }] })).toBeUndefined();
});

test.each([
  ['a network without addresses', blue(), { kind: 'dhcp4' }, 'MESH_NET_NOT_SUPPORTED network blue has no IPv4 subnet'],
  ['a subnet of two', blue({ cidr: '10.77.0.0/30' as Ipv4Cidr }), { kind: 'dhcp4' }, 'has no IPv4 subnet'],
  ['DHCPv6 without a /64', blue({ cidr: V4 }), { kind: 'dhcp6' }, 'has no /64'],
  ['DNS that nobody could ask', blue({ cidr: V4 }), { kind: 'dns' }, 'has no address at which DNS could answer'],
  [
    'a range outside',
    BOTH,
    dhcp4('10.77.0.10-10.77.1.9'),
    'MESH_DHCP_RANGE the range 10.77.0.10-10.77.1.9 leaves the hosts of 10.77.0.0/24: 10.77.1.9',
  ],
  ['the broadcast address', BOTH, dhcp4('10.77.0.10-10.77.0.255'), 'leaves the hosts of 10.77.0.0/24: 10.77.0.255'],
  ['a range turned round', BOTH, dhcp4('10.77.0.19-10.77.0.10'), 'ends before it begins'],
  [
    'ranges that overlap',
    BOTH,
    dhcp4('10.77.0.10-10.77.0.19', '10.77.0.19-10.77.0.30'),
    'overlaps 10.77.0.10-10.77.0.19',
  ],
  [
    'fewer addresses than nodes',
    BOTH,
    dhcp4('10.77.0.10-10.77.0.10'),
    'MESH_DHCP_RANGE_SMALL 1 addresses are too few for 2 nodes',
  ],
  ['no address for the nodes', BOTH, dhcp4('10.77.0.2-10.77.0.253'), 'MESH_NET_ADDRESSES_EXHAUSTED'],
  [
    'a range with the gateway',
    BOTH,
    dhcp4('10.77.0.1-10.77.0.99'),
    "MESH_DHCP_RANGE the range 10.77.0.1-10.77.0.99 has 10.77.0.1, which is a router's",
  ],
  ['a range with a router', BOTH, { ...dhcp4('10.77.0.10-10.77.0.19'), routers: ['10.77.0.12'] }, 'has 10.77.0.12'],
  [
    'a reservation of the gateway',
    BOTH,
    reserved({ mac: MAC, address: '10.77.0.1' }),
    "MESH_DHCP_RESERVATION the reservation 02:00:00:00:00:07,10.77.0.1 has a router's address",
  ],
  [
    'a reservation of a router',
    BOTH,
    { ...reserved({ mac: MAC, address: '10.77.0.7' }), routers: ['10.77.0.7'] },
    "has a router's address",
  ],
  [
    'one address twice',
    BOTH,
    reserved({ mac: MAC, address: '10.77.0.7' }, { mac: GUEST.mac, address: '10.77.0.7' }),
    'MESH_DHCP_RESERVATION the reservation 02:00:00:00:00:08,10.77.0.7 has 10.77.0.7, which 02:00:00:00:00:07,10.77.0.7 has too',
  ],
  ['one guest twice', BOTH, reserved({ mac: MAC, name: 'a' }, { mac: MAC, name: 'b' }), 'has 02:00:00:00:00:07, which'],
  ['one name twice', BOTH, reserved({ mac: MAC, name: 'a' }, { mac: GUEST.mac, name: 'a' }), 'has a, which'],
  ['a reservation outside', BOTH, reserved({ mac: MAC, address: '10.78.0.7' }), 'is not in 10.77.0.0/24'],
  ['a reservation of nothing', BOTH, reserved({ mac: MAC }), 'reserves nothing'],
  ['a reservation for nobody', BOTH, { kind: 'dhcp6', hosts: [{ name: 'a' }] }, 'names no guest'],
])('%s is refused', (_, network, document, says) => {
  expect(refusal(network, document)).toContain(says);
});

test('names that are no names of hosts are refused, and upper case is read as lower case', () => {
  for (const name of [
    'a_b',
    'a b',
    '-a',
    'a-',
    '42',
    'a.b',
    '',
    'a\nb',
    'ü',
    'x'.repeat(64),
    'a"b',
    'a,b',
    'a#b',
    'ignore',
    'Infinite',
    '45m',
    '2d',
  ])
    expect(() => service(reserved({ mac: MAC, name })), name).toThrow(Misfit);
  for (const domain of ['a_b', 'a..b', '.a', 'a.', '42', 'blue.42', 'a/b', 'a\nb'])
    expect(() => service({ kind: 'dns', domain }), domain).toThrow(Misfit);
  expect(service(reserved({ mac: MAC, name: 'Web-1' }))).toMatchObject({ hosts: [{ name: 'web-1' }] });
  expect(service(reserved({ mac: MAC, name: 'infinite-1' }))).toMatchObject({ hosts: [{ name: 'infinite-1' }] });
  expect(service({ kind: 'dns', domain: 'Blue.Example' })).toMatchObject({ domain: 'blue.example' });
});

test('ports are reservations, after those of the administrator, and their names are answered', () => {
  const four = service(reserved({ mac: MAC, address: '10.77.0.7', name: 'web' }));
  const dns = service({ kind: 'dns', domain: 'blue.example', hosts: [{ address: '10.77.0.20', names: ['db'] }] });
  const shares = [{ machine: A, address: parseIpv4('10.77.0.2'), blocks: [0, 1] }];
  const around = { services: [four, dns, service({ kind: 'ra' })], guests: [GUEST] };
  if (four.kind !== 'dhcp4' || dns.kind !== 'dns') throw new Error('other kinds');
  expect(dhcp4Content(BOTH, four, { shares }, around)).toMatchObject({
    subnet: V4,
    servers: [{ machine: A, address: '10.77.0.2', ranges: [{ first: '10.77.0.128', last: '10.77.0.142' }] }],
    hosts: [
      { mac: MAC, address: '10.77.0.7', name: 'web' },
      { mac: GUEST.mac, address: '10.77.0.8', name: 'vm8' },
    ],
    domain: 'blue.example',
    routers: [],
  });
  const taken = { ...four, hosts: [{ mac: MAC, address: parseIpv4('10.77.0.8') }] };
  expect(dhcp4Content(BOTH, taken, { shares }, around).hosts).toEqual(taken.hosts);
  const led = {
    ...around,
    services: [...around.services, service({ kind: 'nat44', device: 'eth0', address: '198.51.100.10', length: 24 })],
  };
  expect(dhcp4Content(BOTH, four, { shares }, led).routers).toEqual(['10.77.0.1']);
  expect(dnsContent(BOTH, dns, { shares }, around).hosts).toEqual([
    { address: '10.77.0.20', names: ['db'] },
    { address: '10.77.0.7', names: ['web'] },
    { address: '10.77.0.8', names: ['vm8'] },
    { address: 'fd77::8', names: ['vm8'] },
    { address: '192.0.2.8', names: ['vm8'] },
    // What the guest forms by its Ethernet address.
    { address: 'fd77::ff:fe00:8', names: ['vm8'] },
  ]);
  const six = service({ kind: 'dhcp6' });
  if (six.kind !== 'dhcp6') throw new Error('another kind');
  expect(dhcp6Content(BOTH, six, { shares }, around).hosts).toEqual([
    { mac: GUEST.mac, address: 'fd77::8', name: 'vm8' },
  ]);
  // A service that goes has no servers, and its nodes give their addresses up.
  expect(dhcp4Content(BOTH, four, { shares, removing: true }, around).servers).toEqual([]);
  expect(dhcp4Content(blue(), four, { shares }, around)).toMatchObject({ servers: [], hosts: [{ mac: MAC }] });
});

test('a port keeps its address beside a reservation of its name, and no given address is dynamic', () => {
  const four = service(reserved({ mac: GUEST.mac, name: 'web' }));
  const six = service({ kind: 'dhcp6', hosts: [{ mac: GUEST.mac, name: 'web' }] });
  if (four.kind !== 'dhcp4' || six.kind !== 'dhcp6') throw new Error('other kinds');
  const shares = [
    { machine: A, address: parseIpv4('10.77.0.2'), blocks: Array.from({ length: 16 }, (_, block) => block) },
  ];
  const addresses = ['10.77.0.8', '10.77.0.130', '10.77.0.254'].map(parseIpv4);
  const guest = { ...GUEST, addresses: [...addresses, parseIpv6('fd77::8'), parseIpv6('fd77::1:0')] };
  const around = { services: [four, six], guests: [guest] };
  const network = blue({ cidr: V4, hostAddress: parseIpv4('10.77.0.200') }, { cidr: V6 });
  const given = dhcp4Content(network, four, { shares }, around);
  expect(given.hosts).toEqual([{ mac: GUEST.mac, address: '10.77.0.8', name: 'web' }]);
  // The first address is reserved. dnsmasq does not know the others, nor the gateway.
  expect(given.servers[0]?.ranges).toEqual([
    { first: '10.77.0.128', last: '10.77.0.129' },
    { first: '10.77.0.131', last: '10.77.0.199' },
    { first: '10.77.0.201', last: '10.77.0.253' },
  ]);
  const given6 = dhcp6Content(network, six, { shares }, around);
  expect(given6.hosts).toEqual([{ mac: GUEST.mac, address: 'fd77::8', name: 'web' }]);
  expect(given6.servers[0]?.ranges).toEqual([{ first: 'fd77::1:1', last: 'fd77::1:ffff' }]);
  // An address that the administrator has given to another guest stays with that one.
  const other = { ...four, hosts: [...four.hosts, { mac: MAC, address: parseIpv4('10.77.0.8') }] };
  expect(dhcp4Content(network, other, { shares }, around).hosts).toEqual([
    { mac: GUEST.mac, address: '10.77.0.130', name: 'web' },
    { mac: MAC, address: '10.77.0.8' },
  ]);
});

test('advertisements tell guests of DHCPv6', () => {
  const record = { format: 1, network: BOTH.number, service: service({ kind: 'ra' }), announced: [V6] } as const;
  const told = (...services: object[]) =>
    assignedService(BOTH, record, undefined, { services: services.map(service), guests: [] });
  expect(told()).not.toHaveProperty('advertisement.managed');
  expect(told({ kind: 'dhcp6' })).toMatchObject({ advertisement: { managed: true, otherConfig: true } });
  const stateless = told({ kind: 'dhcp6', mode: 'stateless' });
  expect(stateless).toMatchObject({ advertisement: { otherConfig: true } });
  expect(stateless).not.toHaveProperty('advertisement.managed');
});
