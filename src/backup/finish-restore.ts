/** Finishes a restore that was decided (switch.ts) and cut short, by a kill or a power cut, before anybody reads the state. */
import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { lockFile } from '../kernel/file-lock.ts';
import { MeshError } from '../model/error.ts';
import type { Paths } from '../protocol/documents/paths.ts';
import { areasOf, STAGE } from './archive/areas.ts';
import { machineDisk } from './restore-disk.ts';
import { finishSwitch, journalOf, sweep } from './switch.ts';

/** Another process that finishes the same restore takes a moment. */
const FINISH_PATIENCE_MS = 10_000;
const FINISH_POLL_MS = 50;

/**
 * Finishes a restore that was decided and cut short, and removes what an undecided one has left. To be called before anything of the
 * state is read.
 * @returns whether there was one to finish
 * @throws MESH_ALREADY_RUNNING while a restore is under way; MESH_DISK_REFUSED, MESH_STATE_*
 */
export async function finishRestore(paths: Paths): Promise<boolean> {
  if (!existsSync(paths.state)) return false;
  const areas = areasOf(paths, { mirror: true, isos: true });
  const stages = [
    ...new Set([...areas.flatMap(({ directory }) => [dirname(directory), directory]), join(paths.state, 'boot')]),
  ];
  const journal = journalOf(paths.state);
  const hasLeft = () => existsSync(journal) || stages.some((directory) => existsSync(join(directory, STAGE)));
  if (!hasLeft()) return false;
  const unlock = await claimInTime(paths.state);
  try {
    const isFinished = await finishSwitch(machineDisk, journal).catch((thrown: unknown) => {
      throw unfinished(MeshError.from(thrown));
    });
    // Rubbish harms nobody, and a service may not remove it everywhere.
    await sweep(machineDisk, stages).catch(() => undefined);
    return isFinished;
  } finally {
    unlock();
  }
}

async function claimInTime(state: string): Promise<() => void> {
  for (const deadline = performance.now() + FINISH_PATIENCE_MS; ; await sleep(FINISH_POLL_MS)) {
    try {
      return claimRestore(state);
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
  }
}

function unfinished(cause: MeshError): MeshError {
  if (cause.code !== 'MESH_DISK_REFUSED') return cause;
  return new MeshError(cause.code, `a restore was decided, and is not finished: ${cause.message}`, {
    operation: 'finish restore',
    ...(cause.object !== undefined && { object: cause.object }),
    remedy: 'Finish it as root, outside of the service: `mesh system restore --finish`',
    cause,
  });
}

/** The lock of a restore: whoever reads the state waits for its end. @throws MESH_ALREADY_RUNNING */
export function claimRestore(state: string): () => void {
  mkdirSync(state, { recursive: true });
  const unlock = lockFile(join(state, 'restore.lock'));
  if (unlock !== undefined) return unlock;
  throw new MeshError('MESH_ALREADY_RUNNING', 'a backup is being restored on this machine', {
    operation: 'use the state of host0',
    object: state,
    remedy: 'Wait until that command has ended.',
    retryable: true,
  });
}
