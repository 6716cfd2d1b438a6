/** What host0 needs of its NICs: those on which machines boot, and forwarding between its segments. */
import type { Segment, UnderlayNic } from '../../../protocol/documents/assignment.ts';
import type { Item } from '../../items/item.ts';
import type { Part } from '../part.ts';

/** NICs on which machines boot are up, and have the addresses that host0 gave them. */
export function nicPart(nics: readonly UnderlayNic[]): Part {
  return { key: 'nics', inputs: [nics], build: () => ({ items: nics.flatMap(nicItems) }) };
}

function nicItems({ device: link, address }: UnderlayNic): Item[] {
  const up: Item = { kind: 'underlay-link', link, up: true };
  if (address === undefined) return [up];
  return [up, { kind: 'underlay-address', link, address: address.ipv4, length: address.length }];
}

/** host0 with several segments forwards between their NICs. The ruleset lets only VXLAN through. */
export function forwardingPart(segments: readonly Segment[]): Part {
  const forwarding = segments.length < 2 ? [] : segments;
  return {
    key: 'forwarding',
    inputs: [segments],
    build: () => ({
      items: forwarding.map(({ device }) => ({
        kind: 'sysctl',
        path: ['net', 'ipv4', 'conf', device, 'forwarding'],
        value: '1',
        borrowed: true,
      })),
    }),
  };
}
