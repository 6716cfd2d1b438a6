/** The end of a launched process, for tests. */
import { expect, vi } from 'vitest';
import type { Launcher } from '../../src/services/process/launcher.ts';
import { isRunning } from '../../src/services/process/process-mark.ts';
import { PATIENCE } from './patience.ts';

/**
 * Ends a process, and waits until the kernel has no such process. For the launcher it counts as absent from the order on, while it may
 * still answer on its sockets.
 */
export async function endedProcess(launcher: Launcher, name: string): Promise<void> {
  const running = launcher.running(name);
  launcher.end(name);
  await vi.waitFor(() => {
    expect(launcher.present()).toEqual([]);
    expect(running !== undefined && isRunning(running)).toBe(false);
  }, PATIENCE);
}
