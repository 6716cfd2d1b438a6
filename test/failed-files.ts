/**
 * A reporter for `scripts/check`: the few files of the system that failed, a path a line. `scripts/check` runs them again, alone.
 * Deadlines on two shared processors sometimes pass because of the other files; a fault of the product fails again.
 */
import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import type { Reporter, SerializedError, TestModule, TestRunEndReason } from 'vitest/node';

/** Where the list goes. Without it there is no list. */
const LIST = process.env.MESH_FAILED_FILES;
const ROOT = `${import.meta.dirname}/..`;
/** More failures at once come from the product. */
const FILES_MAX = 2;

/** @returns the paths, from the root of the repository; none when a second run could hide a fault */
export function filesToRunAgain(failed: readonly string[], errorsOutside: number): readonly string[] {
  const paths = failed.map((file) => relative(ROOT, file));
  // The simulation and the unit tests depend on no clock of other processes.
  const areTimed = paths.every((path) => path.startsWith('test/system/'));
  return errorsOutside === 0 && areTimed && paths.length <= FILES_MAX ? paths : [];
}

export default class FailedFiles implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly SerializedError[], reason: TestRunEndReason): void {
    if (LIST === undefined || reason !== 'failed') return;
    const failed = modules.filter((module) => !module.ok()).map(({ moduleId }) => moduleId);
    const paths = filesToRunAgain(failed, errors.length);
    if (paths.length > 0) writeFileSync(LIST, `${paths.join('\n')}\n`);
  }
}
