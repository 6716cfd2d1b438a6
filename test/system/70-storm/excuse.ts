/** Which losses of packets the faults of a storm excuse. Pure. */
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import type { Loss } from '../pings.ts';

/** A process that is needed for the repair: the agent of the machine, or host0, which tells the others. */
export type Helper = 'agent' | 'host0';

/** How many packets a kind of fault may cost the pairs of its machine. */
export interface Cost {
  /** Losses are excused until so long after its end, if every helper runs. */
  readonly settlesMs: number;
  /** No packet may be lost, also while the fault lasts. */
  readonly free?: boolean;
  /** For a fault of host0: pairs on different segments, whose path leads through host0, may lose packets, too. */
  readonly transit?: boolean;
  /** The repair needs host0, which must tell the other members. */
  readonly throughHost0?: boolean;
}

/** A fault that has happened; the times are those of `performance.now()`. */
export interface PastFault {
  readonly kind: string;
  readonly host: string;
  readonly startMs: number;
  /** When the fault had been undone, or had been made if it is not undone. */
  readonly endMs: number;
  readonly cost: Cost;
  /** The helper that was away from the start to the end. */
  readonly withholds?: Helper;
}

/** Two hosts of a ping. */
export interface Pair {
  readonly from: LabHost;
  readonly to: LabHost;
}

/** A time span on the clock of `performance.now()`. */
export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

/** The time in which a fault excuses losses. */
export interface Excuse extends Span {
  readonly fault: PastFault;
}

/**
 * An excuse begins earlier than its fault: a ping that is on its way at that moment was sent before. Beside other tests a packet may wait
 * so long for a processor.
 */
const UNDER_WAY_MS = 100;

/** The excuse of each fault that may cost packets, extended while a helper was away. */
export function excuses(faults: readonly PastFault[]): Excuse[] {
  const own = faults
    .filter(({ cost }) => !cost.free)
    .map((fault) => {
      const alone = excuse(fault);
      const known = extended(alone, absences(faults, 'agent', fault.host));
      // A restarted agent knows the members of its state file; host0 must tell it of the newest ones.
      return { known, needsHost0: fault.cost.throughHost0 === true || known.toMs > alone.toMs };
    });
  // A fault by which host0 loses packets also keeps it from telling the others.
  const host0Away = [
    ...absences(faults, 'host0'),
    ...own.map(({ known }) => known).filter(({ fault }) => fault.host === 'host0'),
  ];
  return own.map(({ known, needsHost0 }) => (needsHost0 ? extended(known, host0Away) : known));
}

function absences(faults: readonly PastFault[], helper: Helper, host?: string): Span[] {
  return faults
    .filter((fault) => fault.withholds === helper || (helper === 'host0' && isAgentOfHost0(fault)))
    .filter((fault) => host === undefined || fault.host === host)
    .map(({ startMs, endMs }) => ({ fromMs: startMs, toMs: endMs }));
}

/** Without its own agent host0 is away, too: its messages need the entries that this agent keeps. */
function isAgentOfHost0({ host, withholds }: PastFault): boolean {
  return host === 'host0' && withholds === 'agent';
}

function excuse(fault: PastFault): Excuse {
  return { fault, fromMs: fault.startMs - UNDER_WAY_MS, toMs: fault.endMs + fault.cost.settlesMs };
}

/** Extends an excuse: the time to settle begins when the last helper is back. */
function extended(known: Excuse, away: readonly Span[]): Excuse {
  let { toMs } = known;
  for (const span of away.toSorted((a, b) => a.fromMs - b.fromMs)) {
    if (span.fromMs <= toMs && span.toMs >= known.fromMs) {
      toMs = Math.max(toMs, span.toMs + known.fault.cost.settlesMs);
    }
  }
  return { ...known, toMs };
}

/** Whether the excuse applies to the pair. */
export function touches({ fault }: Excuse, { from, to }: Pair): boolean {
  if (fault.host === from.name || fault.host === to.name) return true;
  return fault.host === 'host0' && fault.cost.transit === true && segmentOf(from) !== segmentOf(to);
}

function segmentOf(host: LabHost): number | undefined {
  return host.ports[0]?.segment;
}

/** The part of `loss` after all spans in `known` that cover it; undefined if all of it is covered. */
export function unexcused({ firstMs, lastMs }: Loss, known: readonly Span[]): Loss | undefined {
  let fromMs = firstMs;
  for (const { fromMs: start, toMs } of known.toSorted((a, b) => a.fromMs - b.fromMs)) {
    if (start <= fromMs && toMs >= fromMs) fromMs = toMs;
  }
  return fromMs > lastMs ? undefined : { firstMs: fromMs, lastMs };
}
