/** What came of a storm, in words. Pure. */
import type { Loss } from '../pings.ts';
import { type Befallen, type Excuse, type Pair, type Span, touches, unexcused } from './excuse.ts';

export interface Seen {
  /** When the storm began; all times are those of `performance.now()`. */
  readonly startMs: number;
  readonly faults: readonly Befallen[];
  readonly excuses: readonly Excuse[];
  readonly pairs: readonly {
    readonly pair: Pair;
    readonly losses: readonly Loss[];
    /** When the machine under the lab lost some of its pings. */
    readonly machine: readonly Span[];
  }[];
}

/** So long before a loss, a fault is named beside it. */
const SUSPECT_MS = 5_000;

/** A sentence for each loss that no fault excuses. */
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

/** How often each fault came, and how long its worst outage was. */
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

/** The longest loss that began while the fault was the newest that excuses it. */
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
