/** Whose port is named when a member's entry does not stay. */
import { expect, test } from 'vitest';
import { KernelTables } from '../../kernel/mirror/kernel-tables.ts';
import type { FdbEntry, Link } from '../../kernel/rtnl/objects.ts';
import { parseMac } from '../../model/address/mac.ts';
import type { NetworkId } from '../../model/network/number.ts';
import type { FdbItem } from '../items/fdb.ts';
import { takenEntryRemedy } from './taken-entry.ts';

const mac = parseMac('02:00:00:00:00:03');
const wanted: FdbItem = {
  kind: 'fdb',
  table: 'master',
  network: 'mesh-456' as NetworkId,
  link: 'vxlan456',
  mac,
  state: 'dynamic',
  marked: true,
};

function cacheWith(entry: Pick<FdbEntry, 'link' | 'table'>): KernelTables {
  const link = (index: number, name: string, master: number) => ({ index, name, master, alias: '' }) as Link;
  return KernelTables.of({
    links: [link(1, 'br456', 0), link(2, 'vxlan456', 1), link(3, 'tap0', 1), link(4, 'tap1', 9)],
    addresses: [],
    routes: [],
    neighbours: [],
    fdb: [{ mac, state: 'dynamic', externLearn: false, ...entry } as FdbEntry],
  });
}

test('the port to which the entry has moved is named', () => {
  expect(takenEntryRemedy(cacheWith({ link: 3, table: 'master' }), wanted)).toContain(
    'The machine behind tap0 sends with',
  );
});

test.each([
  ['an entry behind the VXLAN', { link: 2, table: 'master' }],
  ['an entry of another bridge', { link: 4, table: 'master' }],
  ['an entry of the VXLAN itself', { link: 2, table: 'self' }],
] as const)('%s names no port', (_, entry) => {
  expect(takenEntryRemedy(cacheWith(entry), wanted)).toBeUndefined();
});
