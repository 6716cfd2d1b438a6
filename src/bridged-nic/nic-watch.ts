/**
 * The watcher of a card on trial: a process in a session of its own, so that it outlives the command and the login that started it. A
 * shell starts it again when it is killed. It has nothing in memory that is not in the record.
 */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { lockFile } from '../kernel/file-lock.ts';
import { MeshError } from '../model/error.ts';
import { launch } from '../services/process/launch.ts';
import type { ProcessMark } from '../services/process/process-mark.ts';

/** Starts the watcher again until it has ended well, ten minutes long at most. */
const KEEPER = 'trap "" HUP; n=0; until "$@"; do n=$((n+1)); [ $n -lt 600 ] || exit 1; sleep 1; done';

/**
 * Starts the watcher, by the command line `argv`.
 * @throws MESH_PROCESS_FAILED
 */
export function startWatcher(argv: readonly string[], logFile: string): ProcessMark {
  mkdirSync(dirname(logFile), { recursive: true });
  const mark = launch({ argv: ['/bin/sh', '-c', KEEPER, 'mesh-bridge-nic', ...argv], logFile });
  if (mark !== undefined) return mark;
  throw new MeshError('MESH_PROCESS_FAILED', 'the watcher that would bring the card back cannot be started', {
    operation: 'put a card under a bridge',
    remedy: 'See that there is a /bin/sh.',
  });
}

/** How long a command waits for another one; each works for some seconds at most. */
const LOCK_WAIT_MS = 15_000;
const LOCK_PAUSE_MS = 50;

/** Runs `work` while no other process works on a card. @throws MESH_BUSY */
export async function alone<T>(lock: string, work: () => Promise<T>): Promise<T> {
  mkdirSync(dirname(lock), { recursive: true });
  const giveUpAt = performance.now() + LOCK_WAIT_MS;
  for (;;) {
    const release = lockFile(lock);
    if (release !== undefined) {
      try {
        return await work();
      } finally {
        release();
      }
    }
    if (performance.now() > giveUpAt) {
      throw new MeshError('MESH_BUSY', 'another command works on a network card', { object: lock, retryable: true });
    }
    await sleep(LOCK_PAUSE_MS);
  }
}
