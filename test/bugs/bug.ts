/** Deliberate bugs: each changes a few words of the source, and some test must fail because of it. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Change } from './change.ts';

/** A deliberate bug. */
export interface Bug {
  /** What the changed program does wrong. */
  readonly title: string;
  readonly changes: readonly Change[];
  readonly catcher: CatcherName;
  /**
   * Matches the output of the catcher when it fails because of this bug: a storm on a busy machine also fails for other
   * reasons.
   */
  readonly sign?: RegExp;
}

/** A command that must fail when a bug is in the tree. */
interface Catcher {
  /** Program and arguments, run in the root of the repository; it fails when it finds a fault. */
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Finds the fault (`what`) in the output, and for many runs the failed one (`run`). */
  readonly says: RegExp;
  readonly deadlineMs: number;
}

type CatcherName = 'simulation' | 'storm' | 'architecture';

/** Clusters as in the long run of sim.test.ts. */
const SIMULATION_OPTIONS = ['--seed', '1', '--seeds', '80', '--agents', '24', '--faults', '12'];

/** The catchers by name. */
export const CATCHERS: Readonly<Record<CatcherName, Catcher>> = {
  simulation: {
    command: ['node', '--disable-warning=ExperimentalWarning', 'test/sim/run.ts', ...SIMULATION_OPTIONS],
    says: /^(?<run>seed \d+): NOT WELL.*\n {2}(?<what>.*)\n/m,
    deadlineMs: 600_000,
  },
  storm: {
    command: ['env', 'MESH_LONG=1', 'vitest', 'run', '--project', 'system', 'test/system/70-storm'],
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

/** All bugs of the catalogue, by the names of their files without `.ts`. */
export async function catalogue(): Promise<ReadonlyMap<string, Bug>> {
  const bugs = new Map<string, Bug>();
  for (const file of readdirSync(CATALOGUE).toSorted()) {
    const { bug } = (await import(join(CATALOGUE, file))) as { bug: Bug };
    bugs.set(file.replace(/\.ts$/, ''), bug);
  }
  return bugs;
}
