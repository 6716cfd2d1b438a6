/** Which segments of host0 a node refuses, because a route to them would take over a network of the node itself. */
import { expect, test } from 'vitest';
import type { KernelTables } from '../../kernel/mirror/kernel-tables.ts';
import { type Ipv4, type Ipv4Cidr, parseIpv4 } from '../../model/address/ipv4.ts';
import { inTurn, judgeSegments, type UnderlayState } from './underlay.ts';

const cidrs = (...texts: string[]) => texts as Ipv4Cidr[];

/** A node on 10.11.0.0/24 with a bridge of containers, a tunnel and a router. */
const UNDERLAY: UnderlayState = {
  host0: '10.11.0.1' as Ipv4,
  local: '10.11.0.7' as Ipv4,
  onLink: true,
  segments: [],
  reachable: cidrs('10.11.0.0/24', '172.17.0.0/16', '10.50.0.0/16'),
  own: cidrs('10.11.0.0/24', '172.17.0.0/16', '10.50.0.0/16', '192.0.2.1/32'),
};

test.each([
  ['its own segment', '10.11.0.0/24'],
  ['its own segment, as host0 with a shorter mask sees it', '10.11.0.0/16'],
  ['another segment', '10.12.0.0/24'],
  ['a segment that it is on with another interface', '172.17.0.0/16'],
])('taken: %s', (_, segment) => {
  expect(judgeSegments(cidrs(segment), UNDERLAY)).toEqual({ taken: [segment], refused: [] });
});

test.each([
  ['a part of its own segment', '10.11.0.128/25', '10.11.0.0/24'],
  ['a part of its containers', '172.17.5.0/24', '172.17.0.0/16'],
  ['more than its containers', '172.16.0.0/12', '172.17.0.0/16'],
  ['one address behind its tunnel', '10.50.1.2/32', '10.50.0.0/16'],
  ['the router of its default route', '192.0.2.0/24', '192.0.2.1/32'],
])('refused: %s', (_, segment, own) => {
  const other = '10.12.0.0/24';
  expect(judgeSegments(cidrs(segment, other), UNDERLAY)).toEqual({ taken: [other], refused: [{ segment, own }] });
});

/** The addresses of a node on two segments. */
function nodeTables(): Pick<KernelTables, 'addresses'> {
  const common = {
    family: 4,
    length: 24,
    scope: 'global',
    nodad: false,
    tentative: false,
    protocol: 0,
  } as const;
  const addresses = ['10.11.0.7', '10.12.0.7'].map(
    (address, at) => [address, { ...common, link: 2 + at, address: parseIpv4(address) }] as const,
  );
  return { addresses: new Map(addresses) };
}

const HOST0S = ['10.11.0.1', '10.11.0.2', '10.12.0.1'] as Ipv4[];

test.each([
  ['the first choice', 0, HOST0S, '10.11.0.1'],
  ['the next in the same subnet', 1, HOST0S, '10.11.0.2'],
  ['the first again: the one in another subnet may be the same host0', 2, HOST0S, '10.11.0.1'],
  ['another than its own', 0, ['10.11.0.7', '10.11.0.1'] as Ipv4[], '10.11.0.1'],
  ['one of those behind routers', 1, ['10.50.0.1', '10.50.0.2'] as Ipv4[], '10.50.0.2'],
])('host0 is tried at %s', (_, turns, host0, first) => {
  expect(inTurn(host0, turns, nodeTables())[0]).toBe(first);
});
