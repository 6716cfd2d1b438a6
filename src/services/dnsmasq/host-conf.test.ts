/** The configurations for networks with host addresses, and what dnsmasq itself says of them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runToEnd } from '../../../test/kit/command.ts';
import { networkOfType } from '../../../test/kit/networks.ts';
import { parseIpv4, parseIpv4Cidr } from '../../model/address/ipv4.ts';
import { ipv6Subnet, parseIpv6 } from '../../model/address/ipv6.ts';
import { parseMac } from '../../model/address/mac.ts';
import type { Network } from '../../model/network/network.ts';
import { LEASE_MAX_SEC } from '../../model/network/subnet.ts';
import { resolversIn, serversText } from './dns-part.ts';
import { type HostServing, hostConf, hostNames, hostReservations, isServedByHost } from './host-conf.ts';
import { reverseZones } from './reverse-zones.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'mw-host-conf-'));
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

const GIVEN = [
  { address: parseIpv4('10.7.0.1'), length: 24 },
  { address: parseIpv6('fd07::1'), length: 64 },
];

const network: Network = {
  ...networkOfType(0xa01, { kind: 'bridge' }, undefined, 1500),
  name: 'Foo "bar"',
  hostAddress: { kind: 'given' },
  subnets: [
    {
      cidr: parseIpv4Cidr('10.7.0.0/24'),
      hostAddress: parseIpv4('10.7.0.1'),
      localPtr: true,
      tftp: { root: '/srv/a, b' },
      dhcp: {
        ranges: [
          { first: parseIpv4('10.7.0.128'), last: parseIpv4('10.7.0.200') },
          { first: parseIpv4('10.7.0.201'), last: parseIpv4('10.7.0.254'), leaseSec: LEASE_MAX_SEC },
        ],
        hosts: [
          { mac: parseMac('02:00:00:00:00:01'), address: parseIpv4('10.7.0.5'), name: 'web', leaseSec: 600 },
          { name: 'old', address: parseIpv4('10.7.0.6') },
        ],
        leaseSec: 3_600,
        options: [{ number: 42, value: '10.7.0.9,10.7.0.10' }],
        bootp: { file: 'pxe,0', server: '10.7.0.9' },
      },
    },
    {
      cidr: ipv6Subnet(parseIpv6('fd07::'), 64),
      hostAddress: parseIpv6('fd07::1'),
      dhcp: {
        ranges: [{ first: parseIpv6('fd07::100'), last: parseIpv6('fd07::1ff') }],
        hosts: [{ id: '00:03:00:01:02:00:00:00:00:01', address: parseIpv6('fd07::5'), name: 'web' }],
        options: [],
      },
    },
  ],
  routing: { mode: 'nat', via: [], rules: [] },
  dns: {
    domain: 'example.net',
    localOnly: true,
    forwardPlainNames: false,
    hosts: [{ address: parseIpv4('10.7.0.3'), names: ['gate', 'www'] }],
    srv: [
      { service: 'sip', protocol: 'tcp', domain: 'example.net', target: 'web.example.net', port: 5060 },
      { service: 'none', protocol: 'udp' },
    ],
    txt: [{ name: 'note', value: 'a, "b"' }],
    forwarders: [{ address: parseIpv4('192.0.2.1'), port: 5353 }, { domain: 'corp' }],
  },
};

function serving(of: Network, more: Partial<HostServing> = {}): HostServing {
  return {
    ...{ network: of, device: 'bra01', given: GIVEN },
    reservationFile: join(directory, 'reservations'),
    hostsFile: join(directory, 'hosts'),
    serversFile: join(directory, 'servers'),
    leaseFile: join(directory, 'leases'),
    ...more,
  };
}

/** What dnsmasq says of a configuration; empty when it takes it. */
function judged(conf: string): string {
  const file = join(directory, 'conf');
  writeFileSync(file, conf);
  const { status, stderr } = runToEnd(['dnsmasq', '--test', `--conf-file=${file}`]);
  return status === 0 ? '' : stderr;
}

test('a network with all parts', () => {
  const conf = hostConf(serving(network));
  expect(judged(conf)).toBe('');
  expect(conf.replaceAll(directory, 'DIR')).toBe(`# Made by Meshwork; changes are overwritten.
bind-dynamic
interface=bra01
except-interface=lo

no-resolv
no-hosts
domain=example.net
local=/example.net/
expand-hosts
addn-hosts=DIR/hosts
srv-host=_sip._tcp.example.net,web.example.net,5060,0,0
srv-host=_none._udp
txt-record=note,"a, \\"b\\""
domain-needed
local=//
server="192.0.2.1#5353"
server=/corp/"#"
local=/0.7.10.in-addr.arpa/

enable-tftp
tftp-root="/srv/a, b"

dhcp-range=10.7.0.128,10.7.0.200,255.255.255.0,3600
dhcp-range=10.7.0.201,10.7.0.254,255.255.255.0,infinite
dhcp-option=42,10.7.0.9,10.7.0.10
dhcp-boot="pxe,0",,10.7.0.9

dhcp-range=fd07::100,fd07::1ff,64,3600

enable-ra

dhcp-hostsfile=DIR/reservations
dhcp-leasefile=DIR/leases
dhcp-lease-max=33151
dhcp-option=option:mtu,1500
dhcp-no-override
dhcp-authoritative
# A guest is known by its MAC.
dhcp-ignore-clid
`);
  expect(hostReservations(network)).toBe(
    '02:00:00:00:00:01,10.7.0.5,web,600\n10.7.0.6,old\nid:00:03:00:01:02:00:00:00:00:01,[fd07::5],web\n',
  );
  expect(hostNames(network)).toBe('10.7.0.3 gate www\n');
});

test('an isolated network tells of no way out, and forwards no names', () => {
  const { dns: _dns, ...rest } = network;
  const isolated: Network = { ...rest, routing: { mode: 'isolated', via: [], rules: [] } };
  const conf = hostConf(serving(isolated));
  expect(judged(conf)).toBe('');
  for (const line of ['dhcp-option=3', 'ra-param=bra01,0,0']) expect(conf.split('\n')).toContain(line);
  expect(conf).not.toContain('servers-file');
  const routed = hostConf(serving({ ...isolated, routing: { mode: 'routed', via: [], rules: [] } })).split('\n');
  for (const line of ['dhcp-option=3', 'ra-param=bra01,0,0']) expect(routed).not.toContain(line);
  expect(routed).toContain(`servers-file=${directory}/servers`);
  const forwarders = [{ address: parseIpv4('192.0.2.1') }];
  const elsewhere = { ...network, dns: { hosts: [], srv: [], txt: [], forwarders } };
  expect(hostConf(serving(elsewhere))).not.toContain('servers-file');
});

test('without ranges only reservations get addresses, and a node among others gives from its share', () => {
  const [four] = network.subnets;
  if (four?.dhcp === undefined) throw new Error('no subnet');
  const reserved = hostConf(serving({ ...network, subnets: [{ ...four, dhcp: { ...four.dhcp, ranges: [] } }] }));
  expect(reserved).toContain('dhcp-range=10.7.0.0,static,255.255.255.0,3600');
  const share = [{ first: parseIpv4('10.7.0.128'), last: parseIpv4('10.7.0.135') }];
  const shared = hostConf(serving(network, { shares: new Map([[four.cidr, share]]), hasOthers: true }));
  expect(shared).toContain('dhcp-range=10.7.0.128,10.7.0.135,255.255.255.0,3600');
  expect(shared).not.toContain('10.7.0.200');
  expect(shared).not.toContain('dhcp-authoritative');
});

test('DNS is off where the network says so, and raw lines come last, with the words of dnsmasq for a bad one', () => {
  const off: Network = { ...network, dns: { enabled: false, hosts: [], srv: [], txt: [], forwarders: [] } };
  expect(hostConf(serving(off))).toContain('port=0');
  expect(judged(hostConf(serving({ ...off, dnsmasqOptions: ['log-queries'] })))).toBe('');
  expect(judged(hostConf(serving({ ...off, dnsmasqOptions: ['foo=bar'] })))).toMatch(/bad option at line \d+/);
  expect(isServedByHost(network, [])).toBe(false);
  expect(isServedByHost(network, GIVEN)).toBe(true);
  const bare = { ...off, subnets: [{ cidr: parseIpv4Cidr('10.7.0.0/24'), hostAddress: parseIpv4('10.7.0.1') }] };
  expect(isServedByHost(bare, GIVEN)).toBe(false);
});

test('the zones of a subnet whose prefix does not end with a label are several', () => {
  expect(reverseZones(parseIpv4Cidr('10.7.0.0/16'))).toEqual(['7.10.in-addr.arpa']);
  expect(reverseZones(parseIpv4Cidr('10.7.2.0/23'))).toEqual(['2.7.10.in-addr.arpa', '3.7.10.in-addr.arpa']);
  expect(reverseZones(ipv6Subnet(parseIpv6('fd07::'), 32))).toEqual(['0.0.0.0.7.0.d.f.ip6.arpa']);
  expect(reverseZones(ipv6Subnet(parseIpv6('fd07::'), 31))).toHaveLength(2);
});

test('the servers that a machine asks are those of its resolv.conf', () => {
  const text = '# a\nnameserver 192.0.2.1\nsearch x\n nameserver  2001:db8::1\nnameserver fe80::1%eth0\nnameserver x\n';
  expect(serversText(resolversIn(text))).toBe('server=192.0.2.1\nserver=2001:db8::1\n');
});
