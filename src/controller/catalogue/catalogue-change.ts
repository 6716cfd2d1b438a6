/** How changes of networks are asked for, answered, and told in the journal. */
import type { Network } from '../../model/network/network.ts';
import type { CatalogueChange } from '../../protocol/documents/catalogue.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import { groupWarning } from './catalogue-error.ts';
import type { WrittenDocument } from './network-record.ts';

/** How a change is asked for. */
export interface ChangeOptions {
  /** Says what would be done, and does nothing. */
  readonly dryRun?: boolean;
  /** The document in the store that the order is. */
  readonly written?: WrittenDocument;
}

/** The answer to an order. What was done is recorded. */
export function recordedChange(
  journal: Journal,
  change: CatalogueChange['change'],
  network: Network,
  { dryRun = false }: ChangeOptions,
  differences: readonly string[] = [],
): CatalogueChange {
  const warnings = [groupWarning(network)].flatMap((warning) => warning?.toJSON() ?? []);
  if (!dryRun && change !== 'unchanged') {
    const message = differences.length === 0 ? network.name : `${network.name}: ${differences.join(', ')}`;
    journal.record({ kind: `network ${change}`, message, network: network.id, object: network.name });
  }
  return { change, network, differences, warnings, dryRun };
}
