/** Which packets the faults of a storm excuse, and which losses nothing excuses. Pure. */
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import type { Loss } from '../pings.ts';

/** Who puts things right: the agent of the machine, and host0 for what only it can tell the others. */
export type Helper = 'agent' | 'host0';

/** What a kind of fault may cost the pairs of its machine. */
export interface Cost {
  /** After its end, with every helper at work. 0 and no loss while it lasts, either: it costs nothing. */
  readonly settlesMs: number;
  /** Nothing may be lost. */
  readonly free?: boolean;
  /** On host0: pairs on different segments lose too, whose way leads through it. */
  readonly transit?: boolean;
  /** The others must be told, which takes host0. */
  readonly throughHost0?: boolean;
}

/** A fault that has happened; the times are those of `performance.now()`. */
export interface Befallen {
  readonly kind: string;
  readonly host: string;
  readonly startMs: number;
  /** When it had been taken back, or was done. */
  readonly endMs: number;
  readonly cost: Cost;
  /** Who could not help from the start to the end. */
  readonly withholds?: Helper;
}

export interface Pair {
  readonly from: LabHost;
  readonly to: LabHost;
}

export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

export interface Excuse extends Span {
  readonly fault: Befallen;
}

/** A ping on its way when the fault begins was sent before. */
const UNDER_WAY_MS = 20;

/** For each fault that may cost something, from when to when: longer where a helper was away. */
export function excuses(faults: readonly Befallen[]): Excuse[] {
  const own = faults
    .filter(({ cost }) => !cost.free)
    .map((fault) => {
      const alone = excuse(fault);
      const known = extended(alone, absences(faults, 'agent', fault.host));
      // An agent that begins anew knows the members that it had written down; of the last ones, host0 tells.
      return { known, needsHost0: fault.cost.throughHost0 === true || known.toMs > alone.toMs };
    });
  // What host0 loses packets by keeps it from telling, too.
  const host0Away = [
    ...absences(faults, 'host0'),
    ...own.map(({ known }) => known).filter(({ fault }) => fault.host === 'host0'),
  ];
  return own.map(({ known, needsHost0 }) => (needsHost0 ? extended(known, host0Away) : known));
}

function absences(faults: readonly Befallen[], helper: Helper, host?: string): Span[] {
  return faults
    .filter((fault) => fault.withholds === helper || (helper === 'host0' && isAgentOfHost0(fault)))
    .filter((fault) => host === undefined || fault.host === host)
    .map(({ startMs, endMs }) => ({ fromMs: startMs, toMs: endMs }));
}

/** host0 is heard through the entries that its agent keeps. */
function isAgentOfHost0({ host, withholds }: Befallen): boolean {
  return host === 'host0' && withholds === 'agent';
}

function excuse(fault: Befallen): Excuse {
  return { fault, fromMs: fault.startMs - UNDER_WAY_MS, toMs: fault.endMs + fault.cost.settlesMs };
}

/** The time to settle begins when the last helper is back. */
function extended(known: Excuse, away: readonly Span[]): Excuse {
  let { toMs } = known;
  for (const span of away.toSorted((a, b) => a.fromMs - b.fromMs)) {
    if (span.fromMs <= toMs && span.toMs >= known.fromMs) {
      toMs = Math.max(toMs, span.toMs + known.fault.cost.settlesMs);
    }
  }
  return { ...known, toMs };
}

/** Whether the excuse is one for the pair. */
export function touches({ fault }: Excuse, { from, to }: Pair): boolean {
  if (fault.host === from.name || fault.host === to.name) return true;
  return fault.host === 'host0' && fault.cost.transit === true && segmentOf(from) !== segmentOf(to);
}

function segmentOf(host: LabHost): number | undefined {
  return host.ports[0]?.segment;
}

/** The part of `loss` that none of `known` covers. */
export function unexcused({ firstMs, lastMs }: Loss, known: readonly Span[]): Loss | undefined {
  let fromMs = firstMs;
  for (const { fromMs: start, toMs } of known.toSorted((a, b) => a.fromMs - b.fromMs)) {
    if (start <= fromMs && toMs >= fromMs) fromMs = toMs;
  }
  return fromMs > lastMs ? undefined : { firstMs: fromMs, lastMs };
}
