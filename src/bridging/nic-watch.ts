/**
 * The watcher of a card on trial: a process in a session of its own, so that it outlives the command and the login that started it. A
 * shell starts it again when it is killed. It has nothing in memory that is not in the record.
 */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { lockFile } from '../kernel/file-lock.ts';
import { inNetns } from '../kernel/netns.ts';
import { MeshError } from '../model/error.ts';
import type { ProcessSpec } from '../services/process/process-spec.ts';
import { startUnsupervised } from '../services/process/process-start.ts';

/** Starts the watcher again until it has ended well: each second for ten minutes, and then each minute for a week. */
export const KEEPER =
  'trap "" HUP; n=0; until "$@"; do n=$((n+1)); [ $n -lt 10680 ] || exit 1; if [ $n -lt 600 ]; then sleep 1; else sleep 60; fi; done';

/** Where the files of a watcher are. */
interface WatcherPlace {
  /** Of its record. */
  readonly directory: string;
  readonly outputFile: string;
}

/**
 * Starts the watcher of a card.
 * @param argv its command line
 * @throws MESH_PROCESS_NOT_STARTED
 */
export function startWatcher(card: string, argv: readonly string[], { directory, outputFile }: WatcherPlace): void {
  mkdirSync(dirname(outputFile), { recursive: true });
  const spec: ProcessSpec = {
    name: `watcher-${card}`,
    title: `the watcher that brings ${card} back`,
    argv: ['/bin/sh', '-c', KEEPER, 'mesh-bridge-nic', ...argv],
    outputFile,
  };
  startUnsupervised(spec, directory, inNetns);
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
