/**
 * Networks whose forwarding tables are full of learnt Ethernet addresses. A sender with made-up addresses fills them; so
 * would twelve thousand guests.
 */

import type { KernelTables } from '../../kernel/mirror/kernel-tables.ts';
import type { Mesh } from '../../model/network/mesh.ts';
import type { Finding } from '../../protocol/documents/finding.ts';
import { LEARNED_MAX } from '../desired/types/bridge.ts';

/** A network with a full table. */
export interface FullTable {
  readonly network: Mesh;
  /** The device that learns no more. */
  readonly device: string;
  /** How many addresses it has learnt. */
  readonly learned: number;
  /** Where most of them came from: a remote VTEP, or a port of the bridge; with their number. */
  readonly from: { readonly what: string; readonly count: number };
}

/** Some learnt entries are of members, and are not among the others. */
const FULL = LEARNED_MAX * 0.95;

/** The full tables by the last dump of the kernel, at most one for each network. */
export function fullTables(cache: KernelTables, networks: readonly Mesh[]): FullTable[] {
  // There are few of them, and often none at all.
  const { others } = cache;
  if (others.reduce((sum, { count }) => sum + count, 0) < FULL) return [];
  return networks.flatMap((network): FullTable[] => {
    const [vxlan, bridge] = [network.type.device, network.bridge.name].map((name) => cache.linkNamed(name)?.index);
    const sent = others.filter(({ table, link }) => table === 'self' && link === vxlan);
    const behind = others.filter(({ table, link }) => table === 'master' && cache.links.get(link)?.master === bridge);
    const tables = [
      { device: network.type.device, counts: sent },
      { device: network.bridge.name, counts: behind },
    ];
    return tables
      .flatMap(({ device, counts }) => {
        const learned = counts.reduce((sum, { count }) => sum + count, 0);
        const [most] = counts.toSorted((a, b) => b.count - a.count);
        if (most === undefined || learned < FULL) return [];
        const what = most.remoteVtep ?? cache.links.get(most.link)?.name ?? 'a port';
        return [{ network, device, learned, from: { what, count: most.count } }];
      })
      .slice(0, 1);
  });
}

/** @param nameOf the member at an underlay address, for people */
export function fullTableFinding(
  { network, device, learned, from }: FullTable,
  nameOf: (ipv4: string) => string | undefined,
): Finding {
  const name = nameOf(from.what);
  const sender = name === undefined ? from.what : `${name} (${from.what})`;
  return {
    code: 'MESH_TABLE_FULL',
    severity: 'warning',
    object: network.name,
    message: `${device} has learnt ${learned} Ethernet addresses and learns no more: ${from.count} of them came from ${sender}`,
    remedy: `Frames to other guests go to every member, and a new machine may have to wait. If ${sender} does not have that many guests, a program there sends from made-up addresses: find it with \`mesh capture ${network.name}\`, and unplug it. Learnt addresses go after five minutes.`,
  };
}
