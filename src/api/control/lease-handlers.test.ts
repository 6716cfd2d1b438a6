/** The leases of a network where not every node answers. */
import { expect, test } from 'vitest';
import { parseIpv4 } from '../../model/address/ipv4.ts';
import { MeshError } from '../../model/error.ts';
import type { MachineWord } from '../../model/machine.ts';
import type { NetworkId } from '../../model/network/number.ts';
import type { GuestLease } from '../../protocol/documents/service/guest-lease.ts';
import type { AskedNodes } from './asked-nodes.ts';
import { networkLeases } from './lease-handlers.ts';

test('a node that host0 does not know any more is named, and the leases of the others are told', async () => {
  const lease: GuestLease = { address: parseIpv4('10.7.0.10') };
  const nodes: Pick<AskedNodes, 'answers'> = {
    async answers(word, ask) {
      if (word === 'bbbbbbbb') throw new MeshError('MESH_NODE_UNKNOWN', 'no node is called "bbbbbbbb"');
      const node = { ask: async () => [lease] } as unknown as Parameters<typeof ask>[0];
      return [{ node: 'node1', isOwn: false, answer: await ask(node) }];
    },
  };
  const dhcpServers = () => ({
    network: 'net-1001' as NetworkId,
    machines: ['aaaaaaaa', 'bbbbbbbb'] as MachineWord[],
  });
  expect(await networkLeases('blue', { dhcpServers }, nodes)).toEqual({
    leases: [{ ...lease, node: 'node1' }],
    silent: [{ node: 'bbbbbbbb', why: 'no node is called "bbbbbbbb"' }],
  });
});
