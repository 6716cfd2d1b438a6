/** A cgroup with a limit of memory, in which the kernel kills. */
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const FIRST = '/sys/fs/cgroup/memory';
const SECOND = '/sys/fs/cgroup';

/** What a process takes from its entry on is limited. The group goes when it is disposed of: its processes must have ended. */
export class MemoryGroup implements Disposable {
  readonly #directory: string;

  constructor(bytes: number) {
    const isFirst = existsSync(FIRST);
    this.#directory = join(isFirst ? FIRST : SECOND, `mw-test-${process.pid}`);
    if (!isFirst) writeFileSync(join(SECOND, 'cgroup.subtree_control'), '+memory');
    mkdirSync(this.#directory);
    writeFileSync(join(this.#directory, isFirst ? 'memory.limit_in_bytes' : 'memory.max'), String(bytes));
  }

  take(pid: number): void {
    writeFileSync(join(this.#directory, 'cgroup.procs'), String(pid));
  }

  [Symbol.dispose](): void {
    rmdirSync(this.#directory);
  }
}
