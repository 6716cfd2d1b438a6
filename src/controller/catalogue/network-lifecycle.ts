/** What becomes of networks: told for each change, whichever command, document or file made it. */
import type { Network } from '../../model/network/network.ts';
import { sameNetwork } from '../../model/network/network-equality.ts';
import type { LifecycleNews } from '../../protocol/documents/catalogue.ts';
import { isActive, liveOf, type NetworkRecord } from './network-record.ts';

type LifecycleKind = LifecycleNews['kind'];

/** One change of one network. */
export interface LifecycleEvent {
  readonly kind: LifecycleKind;
  /** The network after the change; one that is gone, as it was. */
  readonly network: Network;
}

/**
 * What a change of a record means.
 * @param isDefinition whether a command has defined the network, and not only changed a part
 */
export function lifecycleOf(
  before: NetworkRecord | undefined,
  after: NetworkRecord | undefined,
  isDefinition = false,
): readonly LifecycleEvent[] {
  const [was, is] = [before && isActive(before), after && isActive(after)].map(Boolean);
  const [wasDefined, isDefined] = [before, after].map(isDefinedIn);
  const kinds: LifecycleKind[] = [];
  if (isDefined && !wasDefined) kinds.push('defined');
  if (is && !was) kinds.push('started');
  if (was && !is) kinds.push('stopped');
  if (wasDefined && !isDefined) kinds.push('undefined');
  const isTold = isDefinition || (before !== undefined && after !== undefined && !isSame(before, after));
  if (kinds.length === 0 && before !== undefined && after !== undefined && isTold)
    kinds.push(isDefinition ? 'defined' : 'updated');
  const record = after ?? before;
  return record === undefined ? [] : kinds.map((kind) => ({ kind, network: liveOf(record) }));
}

/** What a change of the meshes in force means: a mesh of a file is defined and active at once. */
export function lifecycleOfMeshes(before: readonly Network[], after: readonly Network[]): readonly LifecycleEvent[] {
  const known = new Map(before.map((network) => [network.id, network]));
  const present = new Set(after.map(({ id }) => id));
  const gone = before.filter(({ id }) => !present.has(id));
  return [
    ...gone.flatMap((network) => eventsOf(network, 'stopped', 'undefined')),
    ...after.flatMap((network) => {
      const old = known.get(network.id);
      if (old === undefined) return eventsOf(network, 'defined', 'started');
      return sameNetwork(old, network) ? [] : eventsOf(network, 'updated');
    }),
  ];
}

function eventsOf(network: Network, ...kinds: readonly LifecycleKind[]): readonly LifecycleEvent[] {
  return kinds.map((kind) => ({ kind, network }));
}

function isDefinedIn(record: NetworkRecord | undefined): boolean {
  return record !== undefined && record.persistent !== false && record.deleting !== true;
}

function isSame(before: NetworkRecord, after: NetworkRecord): boolean {
  return sameNetwork(before.network, after.network) && sameNetwork(liveOf(before), liveOf(after));
}
