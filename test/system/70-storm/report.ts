/** The results of a storm as text. Pure. */
import type { Loss } from '../pings.ts';
import { type Excuse, type Pair, type PastFault, type Span, touches, unexcused } from './excuse.ts';

/** Everything that was recorded. */
export interface Seen {
  /** When the storm began; all times are those of `performance.now()`. */
  readonly startMs: number;
  readonly faults: readonly PastFault[];
  readonly excuses: readonly Excuse[];
  readonly pairs: readonly {
    readonly pair: Pair;
    readonly losses: readonly Loss[];
    /** When the machine under the lab may have lost pings of this pair. */
    readonly machine: readonly Span[];
  }[];
}

/** Faults that ended at most this long before a loss are named with it. */
const SUSPECT_MS = 5_000;

/** One sentence for each loss that no fault excuses. */
export function complaints({ startMs, faults, excuses, pairs }: Seen): string[] {
  return pairs.flatMap(({ pair, losses, machine }) => {
    const valid = [...excuses.filter((excuse) => touches(excuse, pair)), ...machine];
    return losses.flatMap((loss) => {
      const bare = unexcused(loss, valid);
      if (bare === undefined) return [];
      const { firstMs, lastMs } = bare;
      const suspects = faults
        .filter((fault) => fault.startMs <= lastMs && fault.endMs >= firstMs - SUSPECT_MS)
        .map(
          (fault) =>
            `${fault.kind} on ${fault.host} (${seconds(fault.startMs - startMs)} to ${seconds(fault.endMs - startMs)})`,
        );
      const { from, to } = pair;
      const what = `${from.name} to ${to.name} lost ${Math.round(lastMs - firstMs) + 1} ms from ${seconds(firstMs - startMs)} on`;
      return [`${what}, which no fault may cost; there were: ${suspects.join(', ') || 'none'}`];
    });
  });
}

/** A sentence with the number of faults of each kind, and the longest loss during each kind. */
export function summary({ startMs, faults, excuses, pairs }: Seen): string {
  const counts = new Map<string, number>();
  for (const { kind } of faults) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  const kinds = [...counts].map(([kind, count]) => {
    const worstMs = worst(
      excuses.filter(({ fault }) => fault.kind === kind),
      pairs,
    );
    return `${kind} ${count}${worstMs > 0 ? ` (${Math.round(worstMs)} ms)` : ''}`;
  });
  const lengthMs = Math.max(...faults.map(({ endMs }) => endMs)) - startMs;
  return `${faults.length} faults in ${seconds(lengthMs)}, with the longest loss beside each: ${kinds.join(', ')}`;
}

/** The longest loss that began while one of these faults lasted. */
function worst(own: readonly Excuse[], pairs: Seen['pairs']): number {
  const lengths = own.flatMap((excuse) =>
    pairs
      .filter(({ pair }) => touches(excuse, pair))
      .flatMap(({ losses }) => losses)
      .filter(({ firstMs }) => firstMs >= excuse.fromMs && firstMs <= excuse.fault.endMs)
      .map(({ firstMs, lastMs }) => lastMs - firstMs + 1),
  );
  return Math.max(0, ...lengths);
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
