/** The log of a service that systemd runs: systemd keeps it in its journal. */
import { execFile, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

const run = promisify(execFile);
/** `mesh system logview` takes a number of lines from the user; a line of the journal is at most 48 kB. */
const OUTPUT_MAX_BYTES = 256 * 1024 * 1024;

/** Which lines: all of a unit, with those that systemd writes about it, or only those that its processes wrote. */
type Selection = readonly string[];

/** All lines of a unit. */
export function linesOfUnit(service: string): Selection {
  return ['--unit', service];
}

/** The lines that the processes of a unit wrote. */
export function linesOfProcesses(service: string): Selection {
  return [`_SYSTEMD_UNIT=${service}.service`];
}

/** The last lines of the journal, oldest first; none where journalctl cannot read it. */
export async function lastJournalLines(selection: Selection, count: number): Promise<string[]> {
  if (count === 0) return [];
  const words = ['--output', 'cat', '--no-pager', '--quiet', '--lines', String(count), ...selection];
  const { stdout } = await run('journalctl', words, { maxBuffer: OUTPUT_MAX_BYTES }).catch(() => ({ stdout: '' }));
  return stdout.split('\n').slice(0, -1);
}

/** The lines that are added to the journal from now on, until journalctl ends. */
export async function* newJournalLines(selection: Selection): AsyncGenerator<string> {
  const words = ['--output', 'cat', '--no-pager', '--quiet', '--follow', '--lines', '0', ...selection];
  const child = spawn('journalctl', words, { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    yield* createInterface({ input: child.stdout });
  } finally {
    child.kill();
  }
}
