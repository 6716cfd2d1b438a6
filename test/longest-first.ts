/** The order of test files: the longest begin first, so that no long one runs alone at the end; unit tests come last. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const ROOT = join(import.meta.dirname, '..');

/**
 * Files that take more than 18 s, the longest first. Vitest knows only the times of former runs, of which a fresh clone
 * has none. Files with emulated machines take turns: the second one begins after the first has ended, since it would keep a
 * worker while it waits. Files that mostly wait begin beside the machines that boot, and most of those with guests after them.
 */
const LISTED: readonly string[] = [
  'test/system/80-boot/machines.test.ts',
  'test/system/45-attacks/false-host0.test.ts',
  'test/system/60-doctor/faults.test.ts',
  'test/system/27-orders/orders.test.ts',
  'test/system/60-doctor/identities.test.ts',
  'test/system/30-faults/outages.test.ts',
  'test/system/60-package/systemd.test.ts',
  'test/system/30-faults/coming-and-going.test.ts',
  'test/system/20-membership/membership.test.ts',
  'test/system/70-storm/storm.test.ts',
  'test/system/25-networks/blue.test.ts',
  'test/system/10-lab/pages.test.ts',
  'test/system/30-faults/power-cut.test.ts',
  'test/system/45-attacks/underlay.test.ts',
  'test/system/55-field/state.test.ts',
  'test/system/26-guests/move.test.ts',
  'test/system/80-boot/control.test.ts',
  'test/system/60-package/debian.test.ts',
  'test/system/45-attacks/boot.test.ts',
  'src/agent/workloads/node-workloads.test.ts',
  'test/system/80-boot/faults.test.ts',
  'test/system/80-boot/node-image.test.ts',
  'test/system/20-restarts/outsiders.test.ts',
  'test/sim/sim.test.ts',
  'test/system/27-store/etcd.test.ts',
  'test/system/70-trace/trace.test.ts',
  'test/system/81-boot-scale/scale.test.ts',
  'test/system/26-guests/workloads.test.ts',
  'test/system/40-isolation/strangers.test.ts',
  'test/system/70-observability/observed.test.ts',
  'test/system/20-restarts/network-files.test.ts',
  'test/system/20-restarts/overflow.test.ts',
  'test/system/20-restarts/processes.test.ts',
  'test/system/50-files/files.test.ts',
  'test/system/40-isolation/guests.test.ts',
  'test/system/45-attacks/guests.test.ts',
  'test/system/26-guests/ports.test.ts',
  'test/system/27-services/services.test.ts',
  'test/system/20-restarts/foreign-devices.test.ts',
  'test/system/55-field/surroundings.test.ts',
  'test/system/55-field/boot-segments.test.ts',
  'test/system/25-networks/underlays.test.ts',
  'test/system/10-lab/command.test.ts',
  'src/services/qemu/qemu.test.ts',
  'src/agent/console/emulated-console.test.ts',
  'test/system/80-boot/server.test.ts',
  'test/system/70-trace/capture.test.ts',
  'test/system/27-services/nat64.test.ts',
  'test/system/81-boot-scale/configure.test.ts',
];
const LONGEST = LISTED.map((file) => join(ROOT, file));

/**
 * The listed files that do not exist, as paths from the root of the repository. They fail one unit test, and stop no
 * run.
 */
export const MISSING: readonly string[] = LISTED.filter((file) => !existsSync(join(ROOT, file)));

for (const file of MISSING)
  console.error(`test/longest-first.ts: there is no ${file}; write its new path into the list, or remove it`);

/** The sequencer for vitest.config.ts: the listed files first, then other tests of the system, then the unit tests. */
export class LongestFirst extends BaseSequencer {
  /**
   * Unit tests are short, so that all workers end together, and follow each other: a worker keeps its process while the
   * next file in the queue is a unit test, too.
   */
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const first = LONGEST.flatMap((longest) => sorted.filter(({ moduleId }) => moduleId === longest));
    const others = sorted.filter((file) => !first.includes(file));
    const [unit, system] = [true, false].map((isUnit) =>
      others.filter(({ project }) => (project.name === 'unit') === isUnit),
    );
    return [...first, ...(system ?? []), ...(unit ?? [])];
  }
}
