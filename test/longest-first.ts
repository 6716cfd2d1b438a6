/** The order of test files: what takes longest begins first, so that nothing goes on alone when all else is done. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const ROOT = join(import.meta.dirname, '..');

/** Files that take more than 25 s, the longest first. Vitest knows times of former runs only, and in a clean clone there are none. */
const LONGEST = [
  'test/sim/sim.test.ts',
  'test/system/80-boot/machines.test.ts',
  'test/system/60-doctor/faults.test.ts',
  'test/system/80-boot/node-image.test.ts',
  'test/system/70-storm/storm.test.ts',
  'test/system/20-membership/membership.test.ts',
  'test/system/30-faults/coming-and-going.test.ts',
  'test/system/81-boot-scale/scale.test.ts',
  'test/system/80-boot/faults.test.ts',
  'test/system/20-restarts/outsiders.test.ts',
  'test/system/60-package/debian.test.ts',
  'test/system/30-faults/identity.test.ts',
  'test/system/30-faults/outages.test.ts',
].map((file) => join(ROOT, file));

for (const file of LONGEST) if (!existsSync(file)) throw new Error(`${file} is to come first, and is not there`);

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const first = LONGEST.flatMap((longest) => sorted.filter(({ moduleId }) => moduleId === longest));
    return [...first, ...sorted.filter((file) => !first.includes(file))];
  }
}
