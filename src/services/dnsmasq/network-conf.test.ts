/** The configuration of a network's dnsmasq as text, and what dnsmasq does by it. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type Ipv4, type Ipv4Cidr, parseIpv4 } from '../../model/address/ipv4.ts';
import { type Ipv6Cidr, parseIpv6 } from '../../model/address/ipv6.ts';
import { parseMac } from '../../model/address/mac.ts';
import type { MachineWord } from '../../model/machine.ts';
import type {
  AssignedDhcp4,
  AssignedDhcp6,
  AssignedDns,
  DnsmasqService,
} from '../../protocol/documents/service/assigned-dhcp.ts';
import { networkConf, networkHosts, networkReservations, servedHere } from './network-conf.ts';

const [HERE, THERE] = ['aaaaaaaa', 'bbbbbbbb'] as [MachineWord, MachineWord];
const MAC = parseMac('02:00:00:00:00:07');
const ip = (text: string) => parseIpv4(text);

const DHCP4: AssignedDhcp4 = {
  kind: 'dhcp4',
  id: 'four',
  subnet: '10.77.0.0/24' as Ipv4Cidr,
  servers: [
    { machine: HERE, address: ip('10.77.0.2'), ranges: [{ first: ip('10.77.0.128'), last: ip('10.77.0.190') }] },
    { machine: THERE, address: ip('10.77.0.3'), ranges: [{ first: ip('10.77.0.191'), last: ip('10.77.0.254') }] },
  ],
  hosts: [{ mac: MAC, address: ip('10.77.0.9'), name: 'web' }],
  leaseSec: 3600,
  routers: [ip('10.77.0.1')],
  domain: 'blue.example',
  mtuBytes: 1430,
};

const DHCP6: AssignedDhcp6 = {
  kind: 'dhcp6',
  id: 'six',
  prefix: 'fd77::/64' as Ipv6Cidr,
  mode: 'stateful',
  servers: [
    {
      machine: HERE,
      address: parseIpv6('fd77::a'),
      ranges: [{ first: parseIpv6('fd77::1:0'), last: parseIpv6('fd77::1:ff') }],
    },
  ],
  hosts: [{ mac: MAC, address: parseIpv6('fd77::9'), name: 'web' }],
  leaseSec: 3600,
};

const DNS: AssignedDns = {
  kind: 'dns',
  id: 'names',
  domain: 'blue.example',
  hosts: [{ address: ip('10.77.0.20'), names: ['db', 'db1'] }],
  srv: [],
  txt: [],
  forwarders: [{ address: ip('192.0.2.1') }, { address: ip('192.0.2.2'), domain: 'corp.example' }],
  localOnly: true,
  servers: [{ machine: HERE, address: parseIpv6('fd77::a') }],
  prefix: 'fd77::/64' as Ipv6Cidr,
};

function conf(services: readonly DnsmasqService[], machine = HERE, directory = '/f'): string {
  const [reservationFile, hostsFile, leaseFile] = [`${directory}/r`, `${directory}/h`, `${directory}/l`];
  return networkConf({ device: 'eth0', machine, services, reservationFile, hostsFile, leaseFile });
}

test('the configuration of a node with all services', () => {
  expect(conf([DHCP4, DHCP6, DNS])).toMatchInlineSnapshot(`
    "# Made by Meshwork; changes are overwritten.
    bind-dynamic
    interface=eth0
    except-interface=lo

    no-resolv
    no-hosts
    domain=blue.example
    local=/blue.example/
    expand-hosts
    addn-hosts=/f/h
    server=192.0.2.1
    server=/corp.example/192.0.2.2

    # The block of this node; reservations are in the whole subnet.
    dhcp-range=10.77.0.128,10.77.0.190,255.255.255.0,3600
    dhcp-option=option:router,10.77.0.1
    dhcp-option=option:dns-server,10.77.0.2,10.77.0.3
    dhcp-option=option:mtu,1430
    dhcp-option=option:domain-name,blue.example

    # For IPv6. The advertisements of the routers come from another program.
    dhcp-range=fd77::1:0,fd77::1:ff,64,3600
    dhcp-option=option6:dns-server,[fd77::a]

    dhcp-hostsfile=/f/r
    dhcp-leasefile=/f/l
    dhcp-lease-max=10000
    # A guest is known by its MAC.
    dhcp-ignore-clid
    "
  `);
  expect(networkReservations([DHCP4, DHCP6, DNS])).toMatchInlineSnapshot(`
    "02:00:00:00:00:07,10.77.0.9,web
    02:00:00:00:00:07,[fd77::9],web
    "
  `);
  expect(networkHosts([DHCP4, DHCP6, DNS])).toMatchInlineSnapshot(`
    "10.77.0.20 db db1
    "
  `);
});

test('the configuration of the other node has its own block and address, and no DHCPv6', () => {
  expect(conf([DHCP4, DHCP6, DNS], THERE)).toMatchInlineSnapshot(`
    "# Made by Meshwork; changes are overwritten.
    bind-dynamic
    interface=eth0
    except-interface=lo

    no-resolv
    no-hosts
    domain=blue.example
    local=/blue.example/
    expand-hosts
    addn-hosts=/f/h
    server=192.0.2.1
    server=/corp.example/192.0.2.2

    # The block of this node; reservations are in the whole subnet.
    dhcp-range=10.77.0.191,10.77.0.254,255.255.255.0,3600
    dhcp-option=option:router,10.77.0.1
    dhcp-option=option:dns-server,10.77.0.3,10.77.0.2
    dhcp-option=option:mtu,1430
    dhcp-option=option:domain-name,blue.example

    dhcp-hostsfile=/f/r
    dhcp-leasefile=/f/l
    dhcp-lease-max=10000
    # A guest is known by its MAC.
    dhcp-ignore-clid
    "
  `);
});

test('a node alone refuses addresses of other servers, gives reservations only, and answers no names', () => {
  const [first] = DHCP4.servers;
  const alone = { ...DHCP4, servers: first === undefined ? [] : [{ ...first, ranges: [] }] };
  expect(conf([alone])).toMatchInlineSnapshot(`
    "# Made by Meshwork; changes are overwritten.
    bind-dynamic
    interface=eth0
    except-interface=lo

    port=0
    no-resolv
    no-hosts

    # The block of this node; reservations are in the whole subnet.
    dhcp-range=10.77.0.0,static,255.255.255.0,3600
    dhcp-option=option:router,10.77.0.1
    dhcp-option=option:dns-server
    dhcp-option=option:mtu,1430
    dhcp-option=option:domain-name,blue.example
    dhcp-authoritative

    dhcp-hostsfile=/f/r
    dhcp-leasefile=/f/l
    dhcp-lease-max=10000
    # A guest is known by its MAC.
    dhcp-ignore-clid
    "
  `);
});

test('a node without a share serves nothing', () => {
  const nobody = 'cccccccc' as MachineWord;
  expect(servedHere([DHCP4, DHCP6, DNS], nobody)).toEqual({ dhcp4: undefined, dhcp6: undefined, dns: undefined });
});

test('dnsmasq takes each configuration', () => {
  const directory = mkdtempSync(join(tmpdir(), 'mw-dnsmasq-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  writeFileSync(join(directory, 'r'), networkReservations([DHCP4, DHCP6]));
  writeFileSync(join(directory, 'h'), networkHosts([DNS]));
  const file = join(directory, 'conf');
  const stateless: AssignedDhcp6 = { ...DHCP6, mode: 'stateless', hosts: [], servers: [] };
  const cases: readonly (readonly DnsmasqService[])[] = [
    [DHCP4, DHCP6, DNS],
    [DHCP4],
    [DHCP6],
    [DNS],
    [{ ...DHCP4, routers: [], resolvers: [ip('192.0.2.53') as Ipv4] }, stateless],
  ];
  for (const services of cases) {
    writeFileSync(file, conf(services, HERE, directory));
    const { stderr } = spawnSync('dnsmasq', ['--test', `--conf-file=${file}`], { encoding: 'utf8' });
    expect(stderr.trim()).toBe('dnsmasq: syntax check OK.');
  }
});
