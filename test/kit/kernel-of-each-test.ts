/** A real kernel, in a namespace of its own, for each test of a file. */
import { afterEach, beforeEach } from 'vitest';
import { SystemKernel } from '../../src/agent/kernel/system-kernel.ts';
import { type TemporaryNetns, temporaryNetns } from '../../src/kernel/netns.ts';

/** The namespace and the kernel of the test that runs. */
export interface KernelOfTest {
  readonly netns: TemporaryNetns;
  readonly kernel: SystemKernel;
}

/** Call it at the top of a test file. @returns what gives the present test its namespace and kernel */
export function kernelOfEachTest(): () => KernelOfTest {
  let present: KernelOfTest | undefined;
  beforeEach(async () => {
    const netns = temporaryNetns();
    present = { netns, kernel: await SystemKernel.open(() => undefined, { netns: netns.path }) };
  });
  afterEach(async () => {
    await present?.kernel.close();
    present?.netns.close();
    present = undefined;
  });
  return () => {
    if (present === undefined) throw new RangeError('no test runs');
    return present;
  };
}
