/** Source verification on node1 of the small cluster, for a request from host0's address. */
import { expect, test } from 'vitest';
import { manage } from '../../../test/kit/networks.ts';
import { BRIDGE, memberOf, portLink, stateAt } from '../../../test/kit/trace-cluster.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { KernelDump } from '../kernel/kernel-port.ts';
import { isVerifiedHost0 } from './host0-verification.ts';

const host0 = memberOf('host0');
const tap = portLink(20, 'tap0', { master: BRIDGE });

function verified(dump: (dump: KernelDump) => KernelDump = (whole) => whole, peer = host0.ipv6): boolean {
  return isVerifiedHost0(stateAt('node1', { dump }).kernel, manage, peer);
}

function withEntries(
  change: (entry: KernelDump['fdb'][number]) => object | undefined,
): (dump: KernelDump) => KernelDump {
  return (dump) => ({
    ...dump,
    links: [...dump.links, tap],
    fdb: dump.fdb.flatMap((entry) => {
      if (entry.mac !== host0.mac) return [entry];
      const changed = change(entry);
      return changed === undefined ? [] : [{ ...entry, ...changed }];
    }),
  });
}

test('host0 is verified when its entries are correct', () => {
  expect(verified()).toBe(true);
  expect(verified(withEntries(() => ({})))).toBe(true);
});

test.each<[string, boolean]>([
  ['a request from another member', verified(undefined, memberOf('node2').ipv6)],
  [
    'the FDB entry on the port of a guest',
    verified(withEntries(({ table }) => (table === 'master' ? { link: 20 } : {}))),
  ],
  ['an FDB entry that the bridge learnt', verified(withEntries(({ table }) => ({ externLearn: table === 'self' })))],
  [
    'an FDB entry of the VXLAN device that follows the sender',
    verified(withEntries(({ table }) => (table === 'self' ? { state: 'dynamic' } : {}))),
  ],
  ['no FDB entry', verified(withEntries(() => undefined))],
  ['no neighbour entry', verified((dump) => ({ ...dump, neighbours: [] }))],
  [
    'a neighbour entry with another Ethernet address',
    verified((dump) => ({
      ...dump,
      neighbours: dump.neighbours.map((entry) => ({ ...entry, mac: '02:00:00:00:00:99' as Mac })),
    })),
  ],
])('host0 is not verified with %s', (_what, outcome) => {
  expect(outcome).toBe(false);
});
