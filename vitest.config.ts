import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/longest-first.ts';

/**
 * Two projects: `unit` beside the code, and `system` on the real kernel. System tests make their own network
 * namespaces; they run side by side, each file in a process of its own, because setns belongs to a process. Most of their
 * time they wait, for firmware, for silence to be noticed: three at once keep two cores busy. Files that emulate machines
 * take turns, since each machine takes a processor (80-boot/emulation-lane.ts). Unit tests share a process for each
 * worker: to start one, and to load the modules again, takes longer than most files.
 */
export default defineConfig({
  test: {
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          name: 'unit',
          include: ['src/**/*.test.ts', 'test/*.test.ts', 'test/kit/*.test.ts'],
          pool: 'forks',
          isolate: false,
          testTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'system',
          globalSetup: 'test/bundled-programs.ts',
          include: ['test/system/**/*.test.ts', 'test/sim/*.test.ts'],
          pool: 'forks',
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
