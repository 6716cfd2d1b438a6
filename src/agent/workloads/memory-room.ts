/**
 * Whether a node has the memory for one more guest. A guest takes its memory as it uses it: so what is free now is less what was
 * promised to guests that run and have not taken it yet.
 */
import { readFileSync, statSync } from 'node:fs';
import { MeshError } from '../../model/error.ts';
import type { Accelerator } from '../../services/qemu/qemu-spec.ts';

/** Memory in bytes. */
export interface MemoryNow {
  readonly totalBytes: number;
  readonly availableBytes: number;
}

/** A guest that runs, or is about to. */
export interface PromisedMemory {
  /** Of the guest, and of its volumes in memory. */
  readonly memoryBytes: number;
  readonly accelerator: Accelerator;
  /** What its emulator and these volumes have taken; undefined while it does not run. */
  readonly takenBytes?: number | undefined;
}

const MIB = 1024 * 1024;
/** What an emulator needs besides the memory of its guest; TCG keeps the code that it has translated. */
const OVERHEAD_BYTES: Readonly<Record<Accelerator, number>> = { kvm: 40 * MIB, tcg: 100 * MIB };
const PAGE_BYTES = 4_096;
/** Of `st_blocks` (stat(2)), whatever the blocks of the file system are. */
const BLOCK_BYTES = 512;

/** What a guest may come to take, beside what it has. */
export function needOf({ memoryBytes, accelerator, takenBytes = 0 }: PromisedMemory): number {
  return Math.max(0, memoryBytes + OVERHEAD_BYTES[accelerator] - takenBytes);
}

/** @returns why there is no room: MESH_WORKLOAD_MEMORY */
export function memoryRefusal(
  name: string,
  wanted: PromisedMemory,
  { availableBytes }: MemoryNow,
  others: readonly PromisedMemory[],
): MeshError | undefined {
  const promised = others.reduce((sum, other) => sum + needOf(other), 0);
  const free = Math.max(0, availableBytes - promised);
  const need = needOf(wanted);
  if (need <= free) return undefined;
  const mib = (bytes: number) => `${Math.ceil(bytes / MIB)} MiB`;
  return new MeshError(
    'MESH_WORKLOAD_MEMORY',
    `${name} needs ${mib(need)} of memory, and this node has ${mib(free)} free`,
    {
      object: name,
      rule: 'What runs already may come to use all the memory that it was given.',
      remedy: 'Give the workload less memory, end another one, or choose another node.',
      retryable: true,
    },
  );
}

/** The memory of this machine (proc_meminfo(5)). */
export function memoryNow(file = '/proc/meminfo'): MemoryNow {
  const lines = readFileSync(file, 'utf8');
  const bytes = (key: string) => Number(new RegExp(`^${key}:\\s+(\\d+) kB$`, 'm').exec(lines)?.[1] ?? 0) * 1024;
  return { totalBytes: bytes('MemTotal'), availableBytes: bytes('MemAvailable') };
}

/** What a process has in memory, and the processor time that it has used. Undefined when it has ended. */
export function processUsage(pid: number): { readonly memoryBytes: number; readonly cpuSec: number } | undefined {
  try {
    const pages = Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]);
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // utime and stime, in ticks of USER_HZ: always 100 a second.
    return { memoryBytes: pages * PAGE_BYTES, cpuSec: (Number(fields[11]) + Number(fields[12])) / 100 };
  } catch {
    return undefined;
  }
}

/** What files in memory take: a thin file takes only what was written to it. A file that is gone takes nothing. */
export function memoryOfFiles(paths: readonly string[]): number {
  const blocks = paths.map((path) => statSync(path, { throwIfNoEntry: false })?.blocks ?? 0);
  return blocks.reduce((sum, count) => sum + count * BLOCK_BYTES, 0);
}
