/** One process at a time changes the mirror: two would take each other's unfinished files for garbage. */
import { join } from 'node:path';
import { makeDirectory } from '../../disk/durable-file.ts';
import { lockFile } from '../../kernel/file-lock.ts';
import { MeshError } from '../../model/error.ts';

/**
 * Runs `work` while no other process changes the mirror. The lock ends with its process, however that ends.
 * @throws MESH_ALREADY_RUNNING, and what `work` throws
 */
export async function withMirrorLock<T>(stateDirectory: string, work: () => Promise<T>): Promise<T> {
  const directory = join(stateDirectory, 'mirror');
  const lock = join(directory, 'lock');
  await makeDirectory(directory);
  const release = lockFile(lock);
  if (release === undefined) {
    throw new MeshError('MESH_ALREADY_RUNNING', 'another process is changing the mirror', {
      operation: 'change mirror',
      object: lock,
      remedy: 'Wait until it has ended, and try again. `fuser` with the path of the lock shows the process.',
      retryable: true,
    });
  }
  try {
    return await work();
  } finally {
    release();
  }
}
