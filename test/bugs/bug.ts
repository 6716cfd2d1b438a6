/** Deliberate bugs: each is a change of a few words in the source that a cluster must not survive unnoticed. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

export interface Bug {
  /** What the changed program does wrong. */
  readonly title: string;
  readonly changes: readonly Change[];
  readonly catcher: CatcherName;
  /** What betrays it in what a storm says, which may fail on a busy machine for other reasons. */
  readonly sign?: RegExp;
}

export interface Change {
  /** From the root of the repository. */
  readonly file: string;
  /** Stands there exactly once. */
  readonly find: string;
  readonly replace: string;
}

export interface Catcher {
  /** From the root of the repository; it fails when something is wrong. */
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Finds in its output what was wrong (`what`) and, where it runs many, in which one (`run`). */
  readonly says: RegExp;
  readonly deadlineMs: number;
}

export type CatcherName = 'simulation' | 'storm';

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

/** `text` with the change made in it. @throws RangeError when what it replaces is not there exactly once */
export function changed(text: string, { file, find, replace }: Change): string {
  const count = text.split(find).length - 1;
  if (count !== 1) throw new RangeError(`${file} has ${JSON.stringify(find)} ${count} times`);
  return text.replace(find, () => replace);
}
