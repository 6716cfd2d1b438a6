/**
 * Events of the journal: one shape for people, logs and `mesh events`, in host0 and in every agent. Each event is one line
 * of JSON in the log. docs/observability.md lists the fields; a test compares that list with `EVENT_FIELDS`.
 */
import type { ErrorCode } from '../../model/error.ts';

/** How serious an event is; `mesh events --level` filters by this order. */
export type EventLevel = 'debug' | 'info' | 'warning' | 'error';

/** An event as logs and streams carry it. */
export interface MeshEvent {
  /** Counts from 1 in each process. An event of a snapshot has the number of the last event that the snapshot includes. */
  readonly seq: number;
  /** ISO 8601, UTC. */
  readonly time: string;
  readonly level: EventLevel;
  /** The process that recorded the event: `host0` or `agent`. */
  readonly source: string;
  /** The host's name. */
  readonly node: string;
  /** A noun and what happened to it: `member joined`, `link repaired`, `network refused`. */
  readonly kind: string;
  readonly message: string;
  readonly network?: string;
  /** The object of the event: a member, a device, a file. */
  readonly object?: string;
  /** The item of a plan: `fdb:vxlan456 self 02:… 10.11.0.2`. */
  readonly item?: string;
  /** The command that an administrator would type for the same effect. */
  readonly step?: string;
  readonly code?: ErrorCode;
  /** Name of the system error: `ENOSPC`. */
  readonly errno?: string;
  readonly remedy?: string;
  readonly durationMs?: number;
  /** In a log: how many more events of the same kind came since the last line and were not written. */
  readonly suppressed?: number;
  /** In a stream: the event is part of a snapshot of the present state, and did not just happen. */
  readonly snapshot?: true;
  /** In the first event of a snapshot: how many more events belong to the snapshot. */
  readonly conditions?: number;
}

/** What each field means, in the order of docs/observability.md. */
export const EVENT_FIELDS: Readonly<Record<keyof MeshEvent, string>> = {
  seq: 'Number of the event, from 1 in each process.',
  time: 'When, ISO 8601, UTC.',
  level: '`debug`, `info`, `warning` or `error`.',
  source: 'The process that recorded the event: `host0` or `agent`.',
  node: "The host's name.",
  kind: 'A noun and what happened to it: `member joined`, `repaired`. Few, and fixed: good for filters.',
  message: 'The sentence for people.',
  network: 'Id of the network, `mesh-456`.',
  object: 'The object of the event: a member, a device, a file.',
  item: 'The item of a plan, as `mesh plan --json` names it.',
  step: 'The command that an administrator would type for the same effect.',
  code: 'Code of the error, from the [table](reference/errors.md).',
  errno: 'Name of the system error: `ENOSPC`.',
  remedy: 'What to do about it.',
  durationMs: 'How long it took, in milliseconds.',
  suppressed: 'In a log: how many more events of the same kind came since the last line and were not written.',
  snapshot: 'In a stream: `true` for an event that describes the present state and did not just happen.',
  conditions: 'In the first event of a snapshot: how many more events belong to the snapshot.',
};

/** An event as its author gives it; the journal adds number, time, source and node. The level is `info` by default. */
export type EventInit = Omit<MeshEvent, 'seq' | 'time' | 'source' | 'node' | 'level' | 'snapshot' | 'conditions'> & {
  readonly level?: EventLevel;
};
