/** One process at a time changes the mirror: two would take each other's unfinished files for garbage. */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectory } from '../../disk/durable-file.ts';
import { errnoOf } from '../../formats/conf/conf-reader.ts';
import { MeshError } from '../../model/error.ts';
import { readDocument } from '../../protocol/shapes/document.ts';
import { findMark, isRunning, ProcessMarkShape } from '../../services/process/process-mark.ts';

/**
 * Runs `work` while no other process changes the mirror.
 * @throws MESH_ALREADY_RUNNING, and what `work` throws
 */
export async function withMirrorLock<T>(stateDirectory: string, work: () => Promise<T>): Promise<T> {
  const directory = join(stateDirectory, 'mirror');
  const lock = join(directory, 'lock');
  await makeDirectory(directory);
  for (let tries = 0; !(await take(lock)); tries++) {
    const holder = await holderOf(lock);
    if (holder === undefined && tries < 3) {
      // The process that held the lock is gone.
      await rm(lock, { force: true });
      continue;
    }
    throw new MeshError('MESH_ALREADY_RUNNING', 'another process is changing the mirror', {
      operation: 'change mirror',
      object: lock,
      remedy: holder === undefined ? 'Try again.' : `Wait until the process ${holder} has ended, or end it.`,
      retryable: true,
    });
  }
  try {
    return await work();
  } finally {
    await rm(lock, { force: true });
  }
}

async function take(lock: string): Promise<boolean> {
  try {
    await writeFile(lock, JSON.stringify(findMark(process.pid)), { flag: 'wx', mode: 0o640 });
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false;
    throw error;
  }
}

/** The pid of the living process that holds the lock. */
async function holderOf(lock: string): Promise<number | undefined> {
  const text = await readFile(lock, 'utf8').catch(() => '');
  const { document: mark } = readDocument(ProcessMarkShape, text);
  return mark !== undefined && isRunning(mark) ? mark.pid : undefined;
}
