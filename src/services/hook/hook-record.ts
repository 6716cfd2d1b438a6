/**
 * Which hooks run now, a file for each, so that a host0 that was killed does not leave a hook running beside its repetition. The
 * files are in a directory that a boot empties.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readDocument } from '../../protocol/shapes/document.ts';
import { killMembers, sessionMembers } from '../process/process-group.ts';
import { awaitEnd, isRunning, type ProcessMark, ProcessMarkShape } from '../process/process-mark.ts';

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

/**
 * Ends the hooks that an ended host0 has left running, with all that they started in their session. Only while this process runs
 * no hook.
 * @returns how many ran
 * @throws MESH_PROCESS_NOT_ENDED
 */
export async function endLeftOverHooks(directory: string): Promise<number> {
  let count = 0;
  for (const file of namesIn(directory)) {
    const path = join(directory, file);
    const { document: mark } = readDocument(ProcessMarkShape, readFileSync(path, 'utf8'));
    if (mark !== undefined) {
      const running = [...(isRunning(mark) ? [mark] : []), ...sessionMembers(mark)];
      killMembers(running, undefined);
      await awaitEnd(running, END_MS);
      if (running.length > 0) count++;
    }
    rmSync(path, { force: true });
  }
  return count;
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
