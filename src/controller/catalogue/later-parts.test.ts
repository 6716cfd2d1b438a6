import { expect, test } from 'vitest';
import { storeNetwork } from '../../../test/kit/networks.ts';
import { type Ipv4Cidr, parseIpv4 } from '../../model/address/ipv4.ts';
import { plainBridge } from '../../model/network/bridge.ts';
import type { NetworkDns } from '../../model/network/dns.ts';
import type { Network } from '../../model/network/network.ts';
import { NETWORK_RECORDS } from './network-record.ts';

const BLUE = storeNetwork('blue', 0x1000);
const NAMES: NetworkDns = { hosts: [], srv: [], txt: [], forwarders: [] };
const SRV = { service: 'sip', protocol: 'tcp', target: 'a.example', port: 5_060 };
const [FIRST, LAST] = [parseIpv4('10.7.0.10'), parseIpv4('10.7.0.20')];

function formatOf(parts: Partial<Network>): unknown {
  return JSON.parse(NETWORK_RECORDS.print({ network: { ...BLUE, ...parts } })).format;
}

function dhcp(leaseSec?: number): Partial<Network> {
  const range = { first: FIRST, last: LAST, ...(leaseSec !== undefined && { leaseSec }) };
  return {
    subnets: [{ cidr: '10.7.0.0/24' as Ipv4Cidr, dhcp: { ranges: [range], hosts: [], options: [], leaseSec: 600 } }],
  };
}

test.each<[string, Partial<Network>]>([
  ['nothing more', {}],
  ['names', { dns: { ...NAMES, domain: 'blue.example', srv: [SRV], forwarders: [{ address: FIRST }] } }],
  ['dynamic addresses', dhcp()],
  ['limits', { guests: { vlan: 7, portGroups: [] } }],
  ['a forward', { routing: { mode: 'routed', via: [], rules: [forwardTo({ address: FIRST })] } }],
])('a record of a network with %s is one of the first version', (_, parts) => {
  expect(formatOf(parts)).toBe(1);
});

test.each<[string, Partial<Network>]>([
  ['type', { type: { kind: 'hostdev', cards: [], managed: false } }],
  ['zone', { bridge: { ...plainBridge('br7'), zone: 'home' } }],
  ['nat', { routing: { mode: 'nat', via: [], rules: [], nat: { ipv6: true } } }],
  ['guest of a forward', { routing: { mode: 'routed', via: [], rules: [forwardTo({ guest: 'web' })] } }],
  ['guestIpv6', { guestIpv6: true }],
  ['bandwidth', { bandwidth: { in: { averageBytesPerSec: 1 } } }],
  ['dnsmasqOptions', { dnsmasqOptions: ['log-queries'] }],
  ['dns.enabled', { dns: { ...NAMES, enabled: false } }],
  ['dns.localOnly', { dns: { ...NAMES, localOnly: true } }],
  ['port of a forwarder', { dns: { ...NAMES, forwarders: [{ address: FIRST, port: 54 }] } }],
  ['protocol of a service', { dns: { ...NAMES, srv: [{ ...SRV, protocol: 'sctp' }] } }],
  ['trunk', { guests: { trunk: { tags: [7] }, portGroups: [] } }],
  ['trunk of a group', { guests: { portGroups: [{ name: 'a', isDefault: true, trunk: { tags: [7] } }] } }],
  ['leaseSec of a range', dhcp(900)],
])('a record of a network with a later part (%s) is one of the second version', (_, parts) => {
  expect(formatOf(parts)).toBe(2);
});

function forwardTo(target: NonNullable<Network['routing']['rules'][number]['forwardTo']>) {
  const match = { protocol: 'tcp', ports: { first: 80, last: 80 } } as const;
  return { direction: 'in', match, verdict: 'accept', forwardTo: target } as const;
}
