/** The log and the end of a long-running process, the same for host0's daemon and the agent. */
import { errorText } from '../formats/error-text.ts';
import { explained } from '../formats/system-error.ts';
import type { Clock } from '../model/clock.ts';
import { MeshError } from '../model/error.ts';
import { Journal } from '../protocol/journal/journal.ts';
import { Log } from '../protocol/journal/log.ts';
import { openLogOutput } from '../protocol/journal/log-output.ts';

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

/**
 * Keeps the process running when something is thrown that nothing catches: the error is told, and is a finding for an hour.
 * Call this when the process has started; a fault before ends the process, and the service manager tries again.
 *
 * Going on is right for these processes, and a restart is not. They compare all that they hold with the kernel or the store
 * again and again, so a turn that was cut short is made up for. A restart closes every stream, and a stranger who found one
 * document that causes an error would restart the process for ever.
 */
export function surviveFaults({ faults }: Journal): void {
  const survive = (thrown: unknown): void => faults.tell('a part of the process', thrown);
  for (const kind of ['uncaughtException', 'unhandledRejection'] as const) process.on(kind, survive);
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
  const told = errors.map((error) => explained(error));
  for (const error of told) process.stderr.write(`${errorText(error, { color: false })}\n`);
  process.exit(told[0]?.exitCode ?? 1);
}
