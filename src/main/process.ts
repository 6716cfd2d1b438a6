/** The log and the end of a long-running process, the same for host0's daemon and the agent. */
import { errorText } from '../formats/error-text.ts';
import type { Clock } from '../model/clock.ts';
import { MeshError } from '../model/error.ts';
import { findingOf, type HealthSource } from '../protocol/documents/finding.ts';
import { Journal } from '../protocol/journal/journal.ts';
import { Log } from '../protocol/journal/log.ts';
import { openLogOutput } from '../protocol/journal/log-output.ts';
import { RecentFindings } from '../protocol/journal/recent-findings.ts';

/** Opens a journal whose events are written to standard output, one line each. @param source `host0` or `agent` */
export function openJournal(
  clock: Clock,
  source: string,
  name: string,
): { readonly journal: Journal; readonly log: Log } {
  const journal = new Journal(clock, source, name);
  const log = new Log(clock, openLogOutput());
  journal.subscribe((event) => log.take(event));
  return { journal, log };
}

/** The first frames of a stack are enough to find the place of a fault. */
const STACK_FRAMES = 3;

/**
 * Keeps the process running when something is thrown that nothing catches: it carries the traffic of others, and whoever can
 * make it throw must not be able to end it. Call this when the process has started; a fault before ends the process.
 * @returns the faults of the last hour as a finding
 */
export function surviveFaults(journal: Journal, clock: Clock): HealthSource {
  const recent = new RecentFindings(clock);
  const survive = (thrown: unknown): void => {
    const frames = thrown instanceof Error ? (thrown.stack ?? '').split('\n').slice(1, 1 + STACK_FRAMES) : [];
    const message = [MeshError.from(thrown).message, ...frames.map((frame) => frame.trim())].join(' ');
    const fault = new MeshError('MESH_INTERNAL', message, {
      remedy: 'The process goes on. Please report the message, and what led to it (`mesh events --json`).',
      cause: thrown,
    });
    journal.failure('fault', fault, { level: 'error' });
    recent.see(findingOf(fault, { object: 'fault', severity: 'warning' }));
  };
  for (const kind of ['uncaughtException', 'unhandledRejection'] as const) process.on(kind, survive);
  return recent;
}

/**
 * Calls `stop` at the first SIGTERM or SIGINT, and exits with 0 when it has resolved.
 * @param stop closes what belongs to this process, and leaves what must outlive it
 */
export function endOnSignal(stop: () => Promise<void>): void {
  let stopping = false;
  const end = async (): Promise<void> => {
    if (stopping) return;
    stopping = true;
    await stop().catch((thrown: unknown) => fail([MeshError.from(thrown)]));
    process.exit(0);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void end());
}

/** Prints why the process cannot start, and exits with the code of the first error. */
export function fail(errors: readonly MeshError[]): never {
  for (const error of errors) process.stderr.write(`${errorText(error, { color: false })}\n`);
  process.exit(errors[0]?.exitCode ?? 1);
}
