/** The one start, the log and the end of a long-running process, the same for host0's daemon and the agent. */
import { setTimeout as sleep } from 'node:timers/promises';
import { errorText } from '../formats/error-text.ts';
import { explained } from '../formats/system-error.ts';
import { lockFile } from '../kernel/file-lock.ts';
import { tellServiceManager } from '../kernel/unix/service-notice.ts';
import type { Clock } from '../model/clock.ts';
import { MeshError } from '../model/error.ts';
import type { Paths } from '../protocol/documents/paths.ts';
import { type DaemonName, lockPath, stopCommand, TITLES } from '../protocol/http/service-manager.ts';
import { Journal } from '../protocol/journal/journal.ts';
import { Log } from '../protocol/journal/log.ts';
import { openLogOutput } from '../protocol/journal/log-output.ts';
import { writePidFile } from '../services/process/pid-file.ts';
import { processMarkOf } from '../services/process/process-mark.ts';

/** A process that was killed may hold its lock for a moment: a thread of it may wait in the kernel. */
const LOCK_PATIENCE_MS = 2_000;
const LOCK_POLL_MS = 50;

/**
 * Makes sure that no other process of this kind runs on the machine. The control socket alone does not: its file may be
 * removed, or not be made yet.
 * @throws MESH_ALREADY_RUNNING
 */
export async function claimProcess(daemon: DaemonName, { root, state }: Paths): Promise<void> {
  const path = lockPath(state, daemon);
  for (const deadline = performance.now() + LOCK_PATIENCE_MS; isLockedByAnother(path); await sleep(LOCK_POLL_MS)) {
    if (performance.now() < deadline) continue;
    throw new MeshError('MESH_ALREADY_RUNNING', `${TITLES[daemon]} runs already`, {
      operation: 'start',
      object: path,
      rule: 'One of each kind runs on a machine.',
      remedy: `Stop it first (${stopCommand(daemon, root)}), or give this one another --root.`,
    });
  }
  try {
    writePidFile(path, processMarkOf(process.pid));
  } catch {
    // The lock holds on a full disk, too.
  }
}

function isLockedByAnother(path: string): boolean {
  try {
    return lockFile(path) === undefined;
  } catch {
    // A disk that is full or read-only is no reason to leave a mesh without its agent.
    return false;
  }
}

/** Opens a journal whose events are written to standard output, one line each. @param source `host0` or `agent` */
export function openJournal(
  clock: Clock,
  source: string,
  name: string,
): { readonly journal: Journal; readonly log: Log } {
  const journal = new Journal(clock, source, name);
  // Node itself writes there, for example a warning. On a full disk, that is no reason to end.
  process.stderr.on('error', () => {});
  const log = new Log(clock, openLogOutput());
  journal.subscribe((event) => log.take(event));
  return { journal, log };
}

/**
 * Marks the end of a start: the process answers at its socket. Records the event, and tells the service manager, which starts what
 * comes after this process and lets `systemctl start` return.
 */
export function hasStarted(journal: Journal, event: { readonly message: string; readonly durationMs?: number }): void {
  surviveFaults(journal);
  journal.record({ kind: 'started', ...event });
  tellServiceManager();
}

/**
 * Keeps the process running when something is thrown that nothing catches: the error is told, and is a finding for an hour.
 * From its start on; a fault before ends the process, and the service manager tries again.
 *
 * Going on is right for these processes, and a restart is not. They compare all that they hold with the kernel or the store
 * again and again, so a turn that was cut short is made up for. A restart closes every stream, and a stranger who found one
 * document that causes an error would restart the process for ever.
 */
function surviveFaults({ faults }: Journal): void {
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

/**
 * Prints why the process cannot go on, and starts it anew with the same arguments. All its sockets close at once, and nothing is left
 * of what it knew.
 */
export function startAnew(errors: readonly MeshError[]): never {
  for (const error of errors) process.stderr.write(`${errorText(explained(error), { color: false })}\n`);
  const argv = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  // Without execve (Node 22), the service manager starts the process again.
  if (process.execve === undefined) process.exit(1);
  return process.execve(process.execPath, argv, process.env);
}
