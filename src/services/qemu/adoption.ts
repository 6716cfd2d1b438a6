/**
 * The proof that a running process is the emulator of a workload. The process has the recorded pid and start time, it is the one
 * that listens at the monitor, and the monitor tells the workload's UUID: all three must agree, since pids are given away again
 * and a second emulator takes sockets over without a word.
 */
import type { Clock } from '../../model/clock.ts';
import { isRunning, type ProcessMark } from '../process/process-mark.ts';
import { monitorSocketIn } from './qemu-process.ts';
import { UuidShape } from './qmp-answers.ts';
import { QmpClient } from './qmp-client.ts';

/** What a process must be, to be the emulator. */
export interface AdoptionClaim {
  readonly mark: ProcessMark;
  readonly uuid: string;
  /** The directory of the emulator. */
  readonly directory: string;
  /** The process that listens at a Unix socket, by the kernel's word. */
  readonly listenerOf: (path: string) => number | undefined;
  readonly clock: Clock;
}

/** The monitor of the emulator, or what speaks against the process. */
export type Adoption = { readonly monitor: QmpClient } | { readonly against: string };

/** Proves that a process is the emulator. Rejects never. */
export async function proveEmulator({ mark, uuid, directory, listenerOf, clock }: AdoptionClaim): Promise<Adoption> {
  if (!isRunning(mark)) return { against: `the process ${mark.pid} does not run` };
  const path = monitorSocketIn(directory);
  const listener = listenerOf(path);
  if (listener === undefined) return { against: `nothing listens at ${path}` };
  if (listener !== mark.pid) return { against: `the process ${listener} listens at ${path}, not ${mark.pid}` };
  let monitor: QmpClient | undefined;
  try {
    monitor = await QmpClient.connect(path, clock);
    const { UUID } = await monitor.query('query-uuid', UuidShape);
    if (UUID === uuid) return { monitor };
    monitor.close();
    return { against: `the emulator at ${path} has the UUID ${UUID}` };
  } catch (error) {
    monitor?.close();
    return { against: error instanceof Error ? error.message : String(error) };
  }
}
