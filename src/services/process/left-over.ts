/** The programs that an ended supervisor has left running, such as the dnsmasq of a host0 daemon that was killed. */
import { readdirSync } from 'node:fs';
import { type Clock, systemClock } from '../../model/clock.ts';
import { LaunchedProcess } from './launched-process.ts';
import { RECORD_SUFFIX } from './process-record.ts';

/** A program that was ended. */
export interface LeftOver {
  readonly name: string;
  readonly pid: number;
}

/** A command waits for the end of a program: unlike the alarms of a daemon, these keep this process alive. */
const waitingClock: Clock = {
  ...systemClock,
  after(delayMs, ring) {
    const timer = setTimeout(ring, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
};

/** The names of the processes that have a record in a directory. */
export function recordedNames(directory: string): string[] {
  try {
    const files = readdirSync(directory).filter((name) => name.endsWith(RECORD_SUFFIX));
    return files.map((file) => file.slice(0, -RECORD_SUFFIX.length)).sort();
  } catch {
    // A machine that never ran such a process has no such directory.
    return [];
  }
}

/**
 * Ends every program that has a record in a directory, with all that it has started, and removes the records. Only while no
 * supervisor runs, which would start the programs again.
 * @returns the programs that ran
 * @throws MESH_PROCESS_NOT_ENDED, or an error of kill(2)
 */
export async function endLeftOver(directory: string): Promise<LeftOver[]> {
  const ended: LeftOver[] = [];
  for (const name of recordedNames(directory)) {
    const left = new LaunchedProcess({ name, directory, clock: waitingClock, journal: { record: () => {} } });
    const { running } = left;
    await left.end();
    await left.release();
    if (running !== undefined) ended.push({ name, pid: running.pid });
  }
  return ended;
}
