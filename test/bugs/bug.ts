/** Deliberate bugs: each changes a few words of the source, and a test must not let them pass unnoticed. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Change } from './change.ts';

export interface Bug {
  /** What the changed program does wrong. */
  readonly title: string;
  readonly changes: readonly Change[];
  readonly catcher: CatcherName;
  /** Matches the catcher's output when the catcher fails for this bug: a storm on a busy machine also fails for other reasons. */
  readonly sign?: RegExp;
}

export interface Catcher {
  /** From the root of the repository; it fails when something is wrong. */
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Finds in its output what was wrong (`what`) and, where it runs many, in which one (`run`). */
  readonly says: RegExp;
  readonly deadlineMs: number;
}

export type CatcherName = 'simulation' | 'storm' | 'architecture';

/** The clusters of sim.test.ts. */
const SIMULATION_OPTIONS = ['--seed', '1', '--seeds', '80', '--agents', '24', '--faults', '12'];

export const CATCHERS: Readonly<Record<CatcherName, Catcher>> = {
  simulation: {
    command: ['node', '--disable-warning=ExperimentalWarning', 'test/sim/run.ts', ...SIMULATION_OPTIONS],
    says: /^(?<run>seed \d+): NOT WELL.*\n {2}(?<what>.*)\n/m,
    deadlineMs: 600_000,
  },
  storm: {
    command: ['vitest', 'run', '--project', 'system', 'test/system/70-storm'],
    env: { MESH_SEED: '1', NO_COLOR: '1' },
    says: /^\w*Error: (?<what>.*)\n/m,
    deadlineMs: 240_000,
  },
  architecture: {
    command: ['vitest', 'run', '--project', 'unit', 'test/architecture.test.ts'],
    env: { NO_COLOR: '1' },
    says: /^ *FAIL .*architecture\.test\.ts > (?<what>.*)\n/m,
    deadlineMs: 60_000,
  },
};

const CATALOGUE = join(import.meta.dirname, 'catalogue');

/** All of them, by the names of their files. */
export async function catalogue(): Promise<ReadonlyMap<string, Bug>> {
  const bugs = new Map<string, Bug>();
  for (const file of readdirSync(CATALOGUE).toSorted()) {
    const { bug } = (await import(join(CATALOGUE, file))) as { bug: Bug };
    bugs.set(file.replace(/\.ts$/, ''), bug);
  }
  return bugs;
}
