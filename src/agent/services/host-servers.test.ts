/** Which addresses a node takes for those of a guest that a rule names. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { storeNetwork } from '../../../test/kit/networks.ts';
import { type Ipv4Cidr, parseIpv4 } from '../../model/address/ipv4.ts';
import { parseMac } from '../../model/address/mac.ts';
import type { MachineWord } from '../../model/machine.ts';
import { plainBridge } from '../../model/network/bridge.ts';
import type { RoutingRule } from '../../model/network/routing.ts';
import type { DhcpHost } from '../../model/network/subnet.ts';
import { HostServers } from './host-servers.ts';

const OWN = '02:00:00:00:00:01';
const OTHER = '02:00:00:00:00:02';
const DUID = '00:03:00:01:02:00:00:00:00:01';
const OTHER_DUID = '00:03:00:01:02:00:00:00:00:02';

/** A node with a network, and a directory for its leases. */
function served(hosts: readonly DhcpHost[] = [], present: readonly string[] = []) {
  const directory = mkdtempSync(join(tmpdir(), 'mesh-host-servers-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const rule: RoutingRule = {
    direction: 'in',
    match: { protocol: 'tcp', ports: { first: 80, last: 80 } },
    verdict: 'accept',
    forwardTo: { guest: 'web' },
  };
  const address = parseIpv4('10.7.0.1');
  const network = {
    ...storeNetwork('blue', 0x1001),
    bridge: plainBridge('br1001'),
    subnets: [{ cidr: '10.7.0.0/24' as Ipv4Cidr, hostAddress: address, dhcp: { ranges: [], hosts, options: [] } }],
    routing: { mode: 'nat' as const, via: [], rules: [rule] },
  };
  const shown = (name: string) => ({ name, digest: '', ready: true, astray: false });
  const servers = new HostServers({
    machine: 'aaaaaaaa' as MachineWord,
    launcher: { running: () => undefined, errorOf: () => undefined, present: () => present.map(shown) },
    directories: { files: directory, leases: directory },
    wallTime: () => new Date(0),
  });
  const attachments = [{ network, hostAddresses: [{ address, length: 24 }], peers: { kind: 'none' as const } }];
  return { directory, network, servers, attachments };
}

/** The addresses of the guest `web`. */
function addressesOfWeb(hosts: readonly DhcpHost[], leases: readonly string[]): readonly string[] | undefined {
  const { directory, network, servers, attachments } = served(hosts);
  writeFileSync(join(directory, 'dnsmasq-1001.leases'), leases.map((lease) => `0 ${lease}\n`).join(''));
  servers.plan(attachments);
  const known = servers.guests(attachments, { ports: [], workloads: [] });
  return known.get(network.id)?.get('web')?.map(String);
}

const LEASES = [
  `${OWN} 10.7.0.10 * *`,
  `${OTHER} 10.7.0.66 web *`,
  `1 fd07::10 * ${DUID}`,
  `2 fd07::66 web ${OTHER_DUID}`,
];

test('a name that nothing else knows is that of the guest that tells it', () => {
  expect(addressesOfWeb([], LEASES)).toEqual(['10.7.0.66', 'fd07::66']);
});

test('a guest that tells the name of a reservation does not become the one that is meant', () => {
  expect(addressesOfWeb([{ name: 'web', mac: parseMac(OWN) }], LEASES)).toEqual(['10.7.0.10']);
  expect(addressesOfWeb([{ name: 'web', address: parseIpv4('10.7.0.9') }], LEASES)).toEqual(['10.7.0.9']);
});

test('a reservation by a DUID gives the lease of that guest', () => {
  expect(addressesOfWeb([{ name: 'web', id: DUID.toUpperCase() }], LEASES)).toEqual(['fd07::10']);
});

test('a guest of a port may send from what it has by a reservation or a lease, as soon as it has it', () => {
  const { directory, network, servers, attachments } = served([
    { mac: parseMac(OTHER), address: parseIpv4('10.7.0.9') },
  ]);
  servers.plan(attachments);
  const ports = [{ network: network.id, link: 'v1', id: '1', tap: true as const, mac: parseMac(OWN) }];
  const of = (mac: string) => servers.leased({ ports }).get(network.id)?.get(parseMac(mac))?.map(String);
  expect([of(OWN), of(OTHER)]).toEqual([undefined, ['10.7.0.9']]);
  expect(servers.knowsGuests).toBe(true);
  writeFileSync(join(directory, 'dnsmasq-1001.leases'), LEASES.map((lease) => `0 ${lease}\n`).join(''));
  const before = servers.leased({ ports });
  expect(of(OWN)).toBeUndefined();
  servers.look();
  expect(of(OWN)).toEqual(['10.7.0.10', 'fd07::10']);
  expect(of(OTHER)).toEqual(['10.7.0.9', '10.7.0.66', 'fd07::66']);
  const now = servers.leased({ ports });
  expect(now).not.toBe(before);
  servers.look();
  expect(servers.leased({ ports })).toBe(now);
  expect(servers.leased({ ports: [] }).size).toBe(0);
});

test('a file of leases that cannot be read is told, and none is none', () => {
  const { directory, network, servers, attachments } = served();
  servers.plan(attachments);
  expect(servers.leasesOf(network.id)).toEqual([]);
  const file = join(directory, 'dnsmasq-1001.leases');
  mkdirSync(file);
  expect(() => servers.leasesOf(network.id)).toThrow(
    expect.objectContaining({ code: 'MESH_DISK_REFUSED', object: file }),
  );
  expect(servers.guests(attachments, { ports: [], workloads: [] }).get(network.id)?.get('web')).toEqual([]);
});

test('the leases of a network go with it, once all networks of the node are known and its server has ended', () => {
  const running: string[] = ['dnsmasq-1002'];
  const { directory, network, servers, attachments } = served([], running);
  const files = ['dnsmasq-1001.leases', 'dnsmasq-1002.leases', 'dnsmasq-1003.leases'];
  for (const file of files) writeFileSync(join(directory, file), '');
  const left = () => readdirSync(directory).sort();
  servers.plan(attachments);
  expect(left()).toEqual(files);
  servers.plan(attachments, [network]);
  expect(left()).toEqual(files.slice(0, 2));
  running.pop();
  servers.plan(attachments, [network]);
  expect(left()).toEqual(files.slice(0, 1));
  servers.plan([], []);
  expect(left()).toEqual([]);
});
