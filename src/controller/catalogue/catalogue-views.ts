/** What the catalogue says of its networks. Pure. */
import { claimedDevices } from '../../model/network/network-conflicts.ts';
import { hexNumber } from '../../model/network/number.ts';
import type { CatalogueView, NetworkActivity } from '../../protocol/documents/catalogue.ts';
import { unknownNetwork } from './catalogue-error.ts';
import type { NetworkRecord } from './network-record.ts';
import type { NetworkUse } from './network-use.ts';

/** Whether a network of the store is active. */
export function activityOf({ network, activeId, deleting }: NetworkRecord, use: NetworkUse): NetworkActivity {
  if (deleting) return { phase: 'deleting', nodes: use.nodes(network.id) ?? [] };
  return activeId === undefined ? { phase: 'stopped' } : { phase: 'active', id: activeId };
}

/** The lowest number that no active network has. */
export function freeActiveId(records: readonly NetworkRecord[]): number {
  const taken = new Set(records.map(({ activeId }) => activeId));
  for (let id = 1; ; id++) if (!taken.has(id)) return id;
}

/** The network of this name, id, number or device. @throws MESH_NET_UNKNOWN */
export function calledNetwork(views: readonly CatalogueView[], wanted: string): CatalogueView {
  const found =
    views.find(({ network }) => network.name === wanted) ??
    views.find(({ network }) =>
      [network.id, `0x${hexNumber(network.number)}`, ...claimedDevices(network)].includes(wanted),
    );
  if (found !== undefined) return found;
  const networks = views.map(({ network }) => network);
  throw unknownNetwork(wanted, networks);
}
