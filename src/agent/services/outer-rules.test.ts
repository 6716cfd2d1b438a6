/** The whole text of the rules of a way out. What they let through is in routed-places.test.ts and outer-places.test.ts. */
import { expect, test } from 'vitest';
import type { Ipv4, Ipv4Cidr } from '../../model/address/ipv4.ts';
import type { Ipv6, Ipv6Cidr } from '../../model/address/ipv6.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { OuterPlace } from '../items/space/outer-place.ts';
import { isOuterTable, outerScript } from './outer-rules.ts';

const OUTER: OuterPlace = {
  device: 'eth0',
  mac: '02:6d:00:00:00:01' as Mac,
  addresses: [{ address: '198.51.100.10' as Ipv4, length: 24 }],
  gateways: [],
  blocks: [],
  vxlanPorts: [4789],
  sources: [],
  routed: [],
};
const address = '198.51.100.10' as Ipv4;

test('guests share a row of addresses and ports; a subnet of IPv6 is routed', () => {
  const outer: OuterPlace = {
    ...OUTER,
    sources: [
      {
        from: ['10.20.0.0/24', '10.21.0.0/24'],
        to: { first: '198.51.100.11' as Ipv4, last: '198.51.100.14' as Ipv4 },
        ports: { first: 1024, last: 65_535 },
      },
    ],
    routed: ['fd64::/64' as Ipv6Cidr],
  };
  expect(outerScript(outer)).toMatchInlineSnapshot(`
    "table inet meshwork-outer
    delete table inet meshwork-outer
    table inet meshwork-outer {
      chain made-05834436a48ebe25 {
      }
      chain source {
        type nat hook postrouting priority srcnat; policy accept;
        oifname "outer" ip saddr { 10.20.0.0/24, 10.21.0.0/24 } meta l4proto { tcp, udp } snat ip to 198.51.100.11-198.51.100.14:1024-65535 persistent
        oifname "outer" ip saddr { 10.20.0.0/24, 10.21.0.0/24 } snat ip to 198.51.100.11-198.51.100.14 persistent
      }
      chain through {
        type filter hook forward priority filter; policy accept;
        oifname "outer" udp dport { 4789, 8005 } drop
        iifname "outer" udp dport { 4789, 8005 } drop
        oifname "outer" tcp dport { 8000, 8001, 8002, 8003, 8004 } drop
        iifname "eth0" oifname "outer" ip saddr { 10.20.0.0/24, 10.21.0.0/24 } accept
        iifname "outer" oifname "eth0" ip daddr { 10.20.0.0/24, 10.21.0.0/24 } ct state established,related accept
        iifname "eth0" oifname "outer" ip6 saddr { fd64::/64 } accept
        iifname "outer" oifname "eth0" ip6 daddr { fd64::/64 } accept
        iifname "outer" drop
        oifname "outer" drop
      }
      chain into {
        type filter hook input priority filter; policy accept;
        iifname "outer" ct state established,related accept
        iifname "outer" meta l4proto { icmp, ipv6-icmp } accept
        iifname "outer" drop
      }
    }
    "
  `);
});

test('guests share the address of the router; a subnet of IPv4 is routed', () => {
  const outer: OuterPlace = {
    ...OUTER,
    sources: [{ from: ['10.20.0.0/24'], to: { first: address, last: address } }],
    routed: ['10.22.0.0/24' as Ipv4Cidr],
  };
  expect(outerScript(outer)).toMatchInlineSnapshot(`
    "table inet meshwork-outer
    delete table inet meshwork-outer
    table inet meshwork-outer {
      chain made-b873b7962a6058e5 {
      }
      chain source {
        type nat hook postrouting priority srcnat; policy accept;
        oifname "outer" ip saddr { 10.20.0.0/24 } snat ip to 198.51.100.10
      }
      chain through {
        type filter hook forward priority filter; policy accept;
        oifname "outer" udp dport { 4789, 8005 } drop
        iifname "outer" udp dport { 4789, 8005 } drop
        oifname "outer" tcp dport { 8000, 8001, 8002, 8003, 8004 } drop
        iifname "eth0" oifname "outer" ip saddr { 10.20.0.0/24 } accept
        iifname "outer" oifname "eth0" ip daddr { 10.20.0.0/24 } ct state established,related accept
        iifname "eth0" oifname "outer" ip saddr { 10.22.0.0/24 } accept
        iifname "outer" oifname "eth0" ip daddr { 10.22.0.0/24 } accept
        iifname "outer" drop
        oifname "outer" drop
      }
      chain into {
        type filter hook input priority filter; policy accept;
        iifname "outer" ct state established,related accept
        iifname "outer" meta l4proto { icmp, ipv6-icmp } accept
        iifname "outer" drop
      }
    }
    "
  `);
});

test('outside asks no server of guests anything, of either family', () => {
  const servers = ['10.22.0.2' as Ipv4, 'fd64::52' as Ipv6];
  const lines = outerScript({ ...OUTER, routed: ['fd64::/64' as Ipv6Cidr], servers }).split('\n');
  const at = (text: string) => lines.findIndex((line) => line.includes(text));
  for (const match of ['ip daddr { 10.22.0.2 }', 'ip6 daddr { fd64::52 }']) {
    expect(lines[at(match)]).toContain('ct state != { established, related } meta l4proto != { icmp, ipv6-icmp } drop');
    expect(at(match)).toBeLessThan(at('ip6 daddr { fd64::/64 } accept'));
  }
});

test('a text that is no address goes into no script', () => {
  const bad = '10.0.0.0/8 } accept; add rule x' as Ipv4;
  for (const outer of [
    { ...OUTER, sources: [{ from: [bad], to: { first: address, last: address } }] },
    { ...OUTER, sources: [{ from: ['10.0.0.0/8'], to: { first: address, last: bad } }] },
    { ...OUTER, routed: [bad as string as Ipv4Cidr] },
  ])
    expect(() => outerScript(outer)).toThrow('is not one element of an nft set');
});

test('the rules of another way out are others', () => {
  expect(isOuterTable(OUTER, undefined)).toBe(false);
  expect(isOuterTable(OUTER, outerScript({ ...OUTER, routed: ['10.22.0.0/24' as Ipv4Cidr] }))).toBe(false);
});
