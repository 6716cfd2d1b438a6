/** The operations that make a mesh, and the errno of a failed one, for tests of rtnetlink. */

import type { KernelOperation } from '../../src/kernel/rtnl/operation.ts';
import { parseIpv4 } from '../../src/model/address/ipv4.ts';
import { parseIpv6 } from '../../src/model/address/ipv6.ts';
import { parseMac } from '../../src/model/address/mac.ts';
import type { MeshError } from '../../src/model/error.ts';
import type { Vni } from '../../src/model/network/types/vxlan.ts';

/** MAC of another member, for FDB and neighbour entries of tests. */
export const peerMac = parseMac('02:00:00:00:00:07');
/** Underlay address of that member. */
export const peer = parseIpv4('10.0.0.7');
/** Attributes of the VXLAN device in `MESH`. */
export const vxlan = { vni: 456 as Vni, udpPort: 4789, learning: true, df: 'inherit' } as const;

const bridgeMac = parseMac('02:2f:55:d5:07:f4');
const vxlanMac = parseMac('02:7e:61:7a:4a:d5');

/** A mesh in one batch, whose operations use links that the batch makes. */
export const MESH: readonly KernelOperation[] = [
  { do: 'link-set', link: 'lo', change: { up: true } },
  { do: 'link-add', kind: 'bridge', name: 'br456', mac: bridgeMac, mtuBytes: 1380, group: 9 },
  { do: 'link-add', kind: 'vxlan', name: 'vxlan456', mac: vxlanMac, mtuBytes: 1380, master: 'br456', vxlan },
  { do: 'link-set', link: 'br456', change: { alias: 'meshwork:bridge:x', addressMode: 'none', up: true } },
  { do: 'link-set', link: 'vxlan456', change: { alias: 'meshwork:vxlan:x', addressMode: 'none', up: true } },
  { do: 'address-add', link: 'br456', address: parseIpv6('fd42::1'), length: 64, nodad: true },
  { do: 'address-add', link: 'br456', address: parseIpv4('10.3.0.1'), length: 24 },
];

/** The name of the errno that the kernel refused with, such as `EEXIST`; undefined when nothing failed. */
export function errnoOf(error: MeshError | undefined): string | undefined {
  return (error?.cause as { name: string } | undefined)?.name;
}
