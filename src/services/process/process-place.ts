/** Where a supervised process is, how it runs, and how it has ended. */
import type { Clock } from '../../model/clock.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import type { ProcessMark } from './process-mark.ts';
import type { InNetns, OpenTap, StartChild } from './process-start.ts';

/** Where a process is, and what it is started with. */
export interface ProcessPlace {
  /** The name of the process in messages and of its files. */
  readonly name: string;
  /** The directory of its record and, unless its spec says otherwise, of its output. */
  readonly directory: string;
  readonly clock: Clock;
  readonly journal: Pick<Journal, 'record'>;
  /** Runs `fork` in the network namespace at `path`. Absent: specs name no namespace. */
  readonly inNetns?: InNetns;
  /** Starts processes that get nothing but their output. Absent: Node does. */
  readonly startChild?: StartChild;
  /** Absent: specs name no taps. */
  readonly openTap?: OpenTap;
}

/** A process that runs. */
export interface RunningProcess extends ProcessMark {
  readonly label: string;
  /** The digest of the spec that it was started with. */
  readonly digest: string;
  /** The digest of what it has read again last. */
  readonly reread?: string;
  /** It has shown that it does its work. */
  readonly ready: boolean;
  /** It runs in another network namespace than its spec names: that one was deleted and made again. */
  readonly astray: boolean;
}

/** How a process has ended by itself. */
export interface ProcessEnd extends ProcessMark {
  /** The digest of the spec that it was started with. */
  readonly digest: string;
  readonly ranMs: number;
  /** Its exit status, or the signal that ended it. Both are absent for an adopted process: only a parent hears of them. */
  readonly status?: number;
  readonly signal?: NodeJS.Signals;
  /** The last line of its output; empty if there is none. */
  readonly lastLine: string;
  /** Its cgroup tells that the kernel has killed it, or what it had started, because memory ran out. */
  readonly outOfMemory: boolean;
}
