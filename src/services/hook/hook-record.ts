/**
 * Which hooks run now, a file for each, so that a host0 that was killed does not leave a hook running beside its repetition. The
 * files are in a directory that a boot empties.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { MeshError } from '../../model/error.ts';
import { readDocument } from '../../protocol/shapes/document.ts';
import { killMembers, sessionMembers } from '../process/process-group.ts';
import { awaitEnd, isRunning, type ProcessMark, ProcessMarkShape } from '../process/process-mark.ts';
import { hookLeftOver } from './hook-error.ts';

const OWNER_ONLY = 0o700;
/** A killed process is gone within milliseconds, unless its disk hangs. */
const END_MS = 3_000;

/** Notes that a hook runs. @returns a function that removes the note */
export function recordHook(directory: string, mark: ProcessMark): () => void {
  mkdirSync(directory, { recursive: true, mode: OWNER_ONLY });
  const file = join(directory, `${mark.pid}.json`);
  writeFileSync(file, JSON.stringify(mark));
  return () => rmSync(file, { force: true });
}

/** What became of the hooks that an ended host0 has left running. */
export interface LeftOverHooks {
  /** How many were ended. */
  readonly ended: number;
  /** Those that could not be ended, or whose notes could not be read. Their notes stay for the next start. */
  readonly faults: readonly MeshError[];
}

/**
 * Ends the hooks that an ended host0 has left running, with all that they started in their session. Only while this process runs
 * no hook. One that cannot be ended, because its disk hangs, keeps nothing up: it was killed, and does nothing when the disk is back.
 * @param endMs how long to wait for their ends, all at once
 */
export async function endLeftOverHooks(directory: string, endMs: number = END_MS): Promise<LeftOverHooks> {
  const faults: MeshError[] = [];
  const counts = namesIn(directory).map(async (name) => {
    const path = join(directory, name);
    try {
      return await endNoted(path, endMs);
    } catch (thrown) {
      faults.push(hookLeftOver(path, thrown));
      return 0;
    }
  });
  const ended = (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
  return { ended, faults };
}

/** Ends the hook of a note, and removes the note. @returns 1 if the hook ran, else 0 @throws MESH_PROCESS_NOT_ENDED */
async function endNoted(path: string, endMs: number): Promise<number> {
  const { document: mark } = readDocument(ProcessMarkShape, readFileSync(path, 'utf8'));
  const running = mark === undefined ? [] : [...(isRunning(mark) ? [mark] : []), ...sessionMembers(mark)];
  killMembers(running, undefined);
  await awaitEnd(running, endMs);
  rmSync(path, { force: true });
  return running.length > 0 ? 1 : 0;
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
