/** Proves that NICs on which machines boot are set up and get host0's address, and that foreign addresses stay. */

import { expect, test } from 'vitest';
import { nodeDocument } from '../../../test/kit/desired-input.ts';
import { KernelTables } from '../../kernel/mirror/kernel-tables.ts';
import type { Address, Link } from '../../kernel/rtnl/objects.ts';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { UnderlayNic } from '../../protocol/documents/assignment.ts';
import { OUR_PROTOCOL } from '../items/mark.ts';
import { observedItems } from '../kernel/observed.ts';
import { plan, printStep } from '../loop/plan.ts';
import { desiredItems } from './desired.ts';

const WANTED: readonly UnderlayNic[] = [
  { device: 'eth1', address: { ipv4: '10.11.0.1' as Ipv4, length: 25 } },
  { device: 'eth2' },
];

function address(link: number, ipv4: string, protocol: number): Address {
  return {
    family: 4,
    link,
    address: ipv4 as Ipv4,
    length: 25,
    scope: 'global',
    tentative: false,
    nodad: false,
    protocol,
  };
}

function steps(nics: readonly UnderlayNic[], up: readonly string[], addresses: readonly Address[]): string[] {
  const links = ['eth1', 'eth2', 'eth3'].map((name, i) => ({ index: i + 1, name, up: up.includes(name), alias: '' }));
  // Only these fields of a link matter here.
  const cache = KernelTables.of({ links: links as Link[], addresses, routes: [], neighbours: [], fdb: [] });
  const host0 = { role: 'host0', segments: [], nics } as const;
  const desired = desiredItems({
    routes: false,
    machine: 'host0',
    host0,
    document: nodeDocument([], { nics }),
    ports: [],
  });
  return plan(observedItems(cache, desired), desired, { mayDelete: () => true }).map(printStep);
}

test('a missing state or address is set, and a second plan is empty', () => {
  expect(steps(WANTED, ['eth2'], [])).toEqual([
    'ip link set eth1 up # down → up',
    'ip address add 10.11.0.1/25 dev eth1 proto 200',
  ]);
  expect(steps(WANTED, ['eth1', 'eth2'], [address(1, '10.11.0.1', OUR_PROTOCOL)])).toEqual([]);
});

test('a foreign address is accepted and stays; our own undesired address goes', () => {
  expect(steps(WANTED, ['eth1', 'eth2'], [address(1, '10.11.0.1', 0), address(2, '192.168.1.7', 0)])).toEqual([]);
  const ours = [address(1, '10.11.0.1', OUR_PROTOCOL), address(3, '10.11.0.129', OUR_PROTOCOL)];
  expect(steps([], [], [...ours, address(2, '192.168.1.7', 0)])).toEqual([
    'remove: ip address add 10.11.0.1/25 dev eth1 proto 200',
    'remove: ip address add 10.11.0.129/25 dev eth3 proto 200',
  ]);
});
