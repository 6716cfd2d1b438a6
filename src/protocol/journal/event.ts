/**
 * The journal: one stream of events for people, logs and `mesh events`, the same shape in host0 and in every agent. Each
 * event is one line of JSON in the log; docs/observability.md lists the fields, and a test holds it to `EVENT_FIELDS`.
 */
import type { ErrorCode } from '../../model/error.ts';

export type EventLevel = 'debug' | 'info' | 'warning' | 'error';

export interface MeshEvent {
  /** Counts from 1 in each process. A snapshot has the number of the last event that is in it. */
  readonly seq: number;
  /** ISO 8601, UTC. */
  readonly time: string;
  readonly level: EventLevel;
  /** Which process speaks: `host0` or `agent`. */
  readonly source: string;
  /** The host's name. */
  readonly node: string;
  /** A noun and what befell it: `member joined`, `link repaired`, `network refused`. */
  readonly kind: string;
  readonly message: string;
  readonly network?: string;
  /** What it is about: a member, a device, a file. */
  readonly object?: string;
  /** The item of a plan: `fdb:vxlan456 self 02:… 10.11.0.2`. */
  readonly item?: string;
  /** The command that an administrator would type for the same. */
  readonly step?: string;
  readonly code?: ErrorCode;
  /** What the system said: `ENOSPC`. */
  readonly errno?: string;
  readonly remedy?: string;
  readonly durationMs?: number;
  /** In a log: how many more of the same came within the minute, and were not written. */
  readonly suppressed?: number;
  /** In a stream: this was so before the stream began, or when it began anew. */
  readonly snapshot?: true;
  /** In the first event of a snapshot: how many follow that belong to it. */
  readonly conditions?: number;
}

/** In the order in which they are documented. */
export const EVENT_FIELDS: Readonly<Record<keyof MeshEvent, string>> = {
  seq: 'Number of the event, from 1 in each process.',
  time: 'When, ISO 8601, UTC.',
  level: '`debug`, `info`, `warning` or `error`.',
  source: 'Which process speaks: `host0` or `agent`.',
  node: "The host's name.",
  kind: 'A noun and what befell it: `member joined`, `repaired`. Few, and fixed: good for filters.',
  message: 'The sentence for people.',
  network: 'Id of the network, `mesh-456`.',
  object: 'What it is about: a member, a device, a file.',
  item: 'The item of a plan, as `mesh plan --json` names it.',
  step: 'The command that an administrator would type for the same.',
  code: 'Code of the error, from the [table](reference/errors.md).',
  errno: "The system's word for it: `ENOSPC`.",
  remedy: 'What to do about it.',
  durationMs: 'How long it took, in milliseconds.',
  suppressed: 'In a log: so many more of the same came within the minute and were not written.',
  snapshot: 'In a stream: `true` for what was so before the stream began.',
  conditions: 'In the first event of a snapshot: how many follow that belong to it.',
};

export type EventInit = Omit<MeshEvent, 'seq' | 'time' | 'source' | 'node' | 'level' | 'snapshot' | 'conditions'> & {
  readonly level?: EventLevel;
};
