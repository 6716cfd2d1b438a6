/** What the catalogue says of its networks. Pure. */
import type { Network } from '../../model/network/network.ts';
import { claimedDevices } from '../../model/network/network-conflicts.ts';
import { hexNumber } from '../../model/network/number.ts';
import type { CatalogueView, NetworkActivity } from '../../protocol/documents/catalogue.ts';
import { unknownNetwork } from './catalogue-error.ts';
import type { Judgement } from './catalogue-state.ts';
import type { NetworkRecord } from './network-record.ts';
import type { NetworkUse } from './network-use.ts';

/** Whether a network of the store is active. */
function activityOf({ network, activeId, deleting }: NetworkRecord, use: NetworkUse): NetworkActivity {
  if (deleting) return { phase: 'deleting', nodes: use.nodes(network.id) ?? [] };
  return activeId === undefined ? { phase: 'stopped' } : { phase: 'active', id: activeId };
}

/** All networks with what is so of each, by number. */
export function viewsOf(
  all: readonly Network[],
  records: readonly NetworkRecord[],
  { refused, inForce }: Judgement,
  use: NetworkUse,
): readonly CatalogueView[] {
  const activities = new Map(records.map((record) => [record.network.id, activityOf(record, use)]));
  const views = all.map((network): CatalogueView => {
    const refusal = refused.get(network.id);
    if (refusal !== undefined) return { network, activity: { phase: 'refused', error: refusal.error.toJSON() } };
    const activity = activities.get(network.id) ?? { phase: 'active' };
    return { network: inForce.get(network.id) ?? network, activity };
  });
  return views.sort((a, b) => a.network.number - b.network.number);
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
