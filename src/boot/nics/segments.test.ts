/** Which segments nodes can be on, from host0's links and addresses. */
import { expect, test } from 'vitest';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { NicLink } from './boot-nic.ts';
import type { LinkAddress } from './nic-address.ts';
import { segmentsOf } from './segments.ts';

function link(index: number, name: string, extra: Partial<NicLink> = {}): NicLink {
  const mac = '02:00:00:00:00:01' as Mac;
  return { index, name, mac, kind: '', up: true, running: true, loopback: false, master: 0, alias: '', ...extra };
}

function ipv4(index: number, address: string, length = 24, scope: LinkAddress['scope'] = 'global'): LinkAddress {
  return { family: 4, link: index, address: address as Ipv4, length, scope };
}

const links = [
  link(1, 'lo', { loopback: true }),
  link(3, 'eth1', { kind: 'veth' }),
  link(2, 'eth0'),
  link(4, 'eth2', { up: false }),
  link(5, 'eth3', { master: 6 }),
  link(6, 'br0', { kind: 'bridge' }),
  link(7, 'tap0', { kind: 'tun' }),
  link(8, 'vxlan456', { kind: 'vxlan' }),
  link(9, 'mwport', { kind: 'veth', alias: 'meshwork:port:mesh-456' }),
];
const addresses = [
  ...links.map(({ index }) => ipv4(index, `10.${index}.0.1`)),
  ipv4(2, '10.2.0.9'),
  ipv4(2, '192.168.7.1', 25),
  ipv4(2, '10.99.0.1', 32),
  ipv4(3, '169.254.1.1', 16, 'link'),
];

test('each NIC that is up, or its bridge, is one segment for each subnet, in the order of the ifindexes', () => {
  expect(segmentsOf(links, addresses, undefined)).toEqual([
    { device: 'eth0', ipv4: '10.2.0.1', subnet: '10.2.0.0/24' },
    { device: 'eth0', ipv4: '192.168.7.1', subnet: '192.168.7.0/25' },
    { device: 'eth1', ipv4: '10.3.0.1', subnet: '10.3.0.0/24' },
    { device: 'br0', ipv4: '10.6.0.1', subnet: '10.6.0.0/24' },
  ]);
});

test('only the devices that the settings name are taken, whatever their kind', () => {
  const devices = segmentsOf(links, addresses, ['br0', 'eth1', 'nothing']).map(({ device }) => device);
  expect(devices).toEqual(['eth1', 'br0']);
});
