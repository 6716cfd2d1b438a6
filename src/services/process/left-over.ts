/** The programs that an ended supervisor has left running, such as the dnsmasq of a host0 daemon that was killed. */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { awaitEnd, signalProcess } from './process-mark.ts';
import { RECORD_SUFFIX, readRecord } from './service-record.ts';

/** A program that was ended. */
export interface LeftOver {
  readonly name: string;
  readonly pid: number;
}

/** How long a program may take to end after SIGTERM, and again after SIGKILL. */
const END_DEADLINE_MS = 3_000;

/**
 * Ends every program that has a record in a directory, and removes the records. Only while no supervisor runs, which would
 * start the programs again.
 * @returns the programs that ran
 * @throws MESH_PROCESS_NOT_ENDED, or an error of kill(2)
 */
export async function endLeftOver(directory: string): Promise<LeftOver[]> {
  const ended: LeftOver[] = [];
  for (const file of filesIn(directory).filter((name) => name.endsWith(RECORD_SUFFIX))) {
    const path = join(directory, file);
    const record = readRecord(path);
    if (record !== undefined) {
      signalProcess(record, 'SIGTERM');
      await awaitEnd([record], END_DEADLINE_MS).catch(async () => {
        signalProcess(record, 'SIGKILL');
        await awaitEnd([record], END_DEADLINE_MS);
      });
      ended.push({ name: file.slice(0, -RECORD_SUFFIX.length), pid: record.pid });
    }
    rmSync(path, { force: true });
  }
  return ended;
}

function filesIn(directory: string): string[] {
  try {
    return readdirSync(directory).sort();
  } catch {
    // A machine that never served machines that boot has no such directory.
    return [];
  }
}
