/**
 * Which addresses each node gives in a network that several nodes serve at addresses of their own: host0 says so. A host0 of before does
 * not; the nodes then divide the ranges among themselves. Each range is divided into blocks, and each block has the node whose hash with the block is the highest: all nodes that know the same nodes come to the same answer, a node that
 * comes takes some blocks of each, and one that goes leaves the others what they have.
 */
import { genid } from '../../model/genid.ts';
import type { MachineWord } from '../../model/machine.ts';
import { blockCount, rangesOfBlocks } from '../../model/network/services/address-range.ts';
import { isServedByNodes } from '../../model/network/services/host-subnets.ts';
import type { DynamicRange } from '../../model/network/subnet.ts';
import type { NodeAttachment } from '../../protocol/documents/node-assignment.ts';
import type { DhcpFamily } from '../items/space/service-space.ts';

type SharedAttachment = Pick<NodeAttachment, 'network' | 'hostAddresses' | 'dhcpRanges'> &
  Partial<Pick<NodeAttachment, 'peers'>>;

const HASH_DIGITS = 16;

/** The ranges from which a node gives, by the subnet; undefined where it gives from all. */
export function hostShares(
  attachment: SharedAttachment,
  machine: MachineWord,
): ReadonlyMap<string, readonly DynamicRange[]> | undefined {
  const { network, peers, dhcpRanges } = attachment;
  if (!isServedByNodes(network)) return undefined;
  if (dhcpRanges !== undefined) return new Map(dhcpRanges.map(({ cidr, ranges }) => [cidr, ranges]));
  const others = peers?.kind === 'assigned' ? peers.peers.map((peer) => peer.machine) : [];
  const machines = [...new Set([machine, ...others])].sort();
  return new Map(
    network.subnets.flatMap(({ cidr, dhcp }) => {
      if (dhcp === undefined) return [];
      // Each range on its own: they may have leases of different times.
      const own = dhcp.ranges.flatMap((range, at) => {
        const blocks = Array.from({ length: blockCount([range]) }, (_, block) => block).filter(
          (block) => ownerOf([network.id, cidr, String(at), String(block)], machines) === machine,
        );
        const { leaseSec } = range;
        return rangesOfBlocks([range], blocks).map((part) => ({
          ...part,
          ...(leaseSec !== undefined && { leaseSec }),
        }));
      });
      return [[cidr, own] as const];
    }),
  );
}

/** The families in which guests of this node ask no other node: it has addresses for them. */
export function familiesOfHost(attachment: SharedAttachment, machine: MachineWord): readonly DhcpFamily[] {
  if ((attachment.hostAddresses ?? []).length === 0 || !isServedByNodes(attachment.network)) return [];
  const given = [...(hostShares(attachment, machine) ?? [])].flatMap(([cidr, ranges]): DhcpFamily[] =>
    ranges.length === 0 ? [] : [cidr.includes(':') ? 'ipv6' : 'ipv4'],
  );
  return [...new Set(given)].sort();
}

function ownerOf(parts: readonly string[], machines: readonly MachineWord[]): MachineWord | undefined {
  const hashed = machines.map((machine) => [genid([...parts, machine], HASH_DIGITS), machine] as const);
  return hashed.toSorted(([a], [b]) => (a < b ? 1 : -1))[0]?.[1];
}
