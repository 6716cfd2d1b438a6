import { defineConfig } from 'vitest/config';
import { PATIENCE } from './test/kit/patience.ts';
import { LongestFirst } from './test/longest-first.ts';

/**
 * Two projects: `unit` beside the code, and `system` on the real kernel. System tests make their own network namespaces. Nearly all
 * of their time they wait, for silence to be noticed, for the next report: a file takes 8 to 20 processor seconds in 30 to 90 s, so
 * that five files at once keep two cores busy. Files that emulate machines take turns, since each machine takes a processor
 * (80-boot/emulation-lane.ts). The files of a worker share its process: to start one, and to load the modules again, takes longer
 * than most unit tests, and 0.6 processor seconds for each file of the system. So a test undoes what it changes in its process.
 */
export default defineConfig({
  test: {
    maxWorkers: 5,
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          name: 'unit',
          include: ['src/**/*.test.ts', 'test/*.test.ts', 'test/kit/*.test.ts'],
          pool: 'forks',
          isolate: false,
          expect: { poll: PATIENCE },
          testTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'system',
          globalSetup: 'test/bundled-programs.ts',
          include: ['test/system/**/*.test.ts', 'test/sim/*.test.ts'],
          pool: 'forks',
          isolate: false,
          expect: { poll: PATIENCE },
          testTimeout: 400_000,
          hookTimeout: 400_000,
        },
      },
    ],
  },
});
