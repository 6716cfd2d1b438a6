/** node1 of the small cluster, asked by somebody who speaks from host0's address. */
import { expect, test } from 'vitest';
import { manage } from '../../../test/kit/networks.ts';
import { BRIDGE, memberOf, portLink, stateAt } from '../../../test/kit/trace-cluster.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { KernelDump } from '../kernel/kernel-port.ts';
import { isVerifiedHost0 } from './host0-verification.ts';

const host0 = memberOf('host0');
const tap = portLink(20, 'tap0', { master: BRIDGE });

function believed(dump: (dump: KernelDump) => KernelDump = (whole) => whole, peer = host0.ipv6): boolean {
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

test('host0 is believed where its entries are as they should be', () => {
  expect(believed()).toBe(true);
  expect(believed(withEntries(() => ({})))).toBe(true);
});

test.each<[string, boolean]>([
  ['another member', believed(undefined, memberOf('node2').ipv6)],
  [
    'its entry behind a port of a guest',
    believed(withEntries(({ table }) => (table === 'master' ? { link: 20 } : {}))),
  ],
  ['its entry learnt, and not ours', believed(withEntries(({ table }) => ({ externLearn: table === 'self' })))],
  [
    'an entry that follows the sender',
    believed(withEntries(({ table }) => (table === 'self' ? { state: 'dynamic' } : {}))),
  ],
  ['no entry', believed(withEntries(() => undefined))],
  ['no neighbour entry', believed((dump) => ({ ...dump, neighbours: [] }))],
  [
    'a neighbour entry of somebody else’s',
    believed((dump) => ({
      ...dump,
      neighbours: dump.neighbours.map((entry) => ({ ...entry, mac: '02:00:00:00:00:99' as Mac })),
    })),
  ],
])('not with %s', (_what, outcome) => {
  expect(outcome).toBe(false);
});
