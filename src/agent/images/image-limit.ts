/** How much the cache of disk images may take, and whether it is in memory. */
import { readFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';

/** Without a setting: some large images, or many small ones. */
export const CACHE_DEFAULT_BYTES: number = 20 * 1024 ** 3;
/** File systems in memory: tmpfs and ramfs (linux/magic.h). */
const MEMORY_TYPES: ReadonlySet<number> = new Set([0x01021994, 0x858458f6]);
/** A cache takes no more of the file system that it shares with the volumes. */
const SHARE = 0.5;
/** Memory is also for the virtual machines. */
const MEMORY_SHARE = 0.25;
/** The file system keeps this much free, so that logs and state can be written. */
const FREE_BYTES = 64 * 1024 * 1024;

/** The file system of a directory. */
export interface RoomView {
  readonly isInMemory: boolean;
  /** The limit of a cache there, without a setting. */
  readonly usualLimitBytes: number;
  /** What can be written still. */
  readonly freeBytes: number;
}

/** Looks at the file system of a directory, which must exist. */
export async function roomAt(directory: string): Promise<RoomView> {
  const { type, bsize, blocks, bavail } = await statfs(directory);
  const isInMemory = MEMORY_TYPES.has(type);
  const memoryBytes = isInMemory ? memory('MemTotal') : 0;
  // ramfs has no size: it ends where the memory ends.
  const sizeBytes = blocks === 0 ? memoryBytes : blocks * bsize;
  const free = blocks === 0 ? memory('MemAvailable') : bavail * bsize;
  const share = isInMemory ? Math.min(sizeBytes * SHARE, memoryBytes * MEMORY_SHARE) : sizeBytes * SHARE;
  return {
    isInMemory,
    usualLimitBytes: Math.floor(Math.min(CACHE_DEFAULT_BYTES, share)),
    freeBytes: Math.max(0, free - Math.min(FREE_BYTES, sizeBytes / 20)),
  };
}

function memory(word: string): number {
  const line = new RegExp(`^${word}:\\s+(\\d+) kB`, 'm').exec(readFileSync('/proc/meminfo', 'utf8'));
  return Number(line?.[1] ?? 0) * 1024;
}

const UNITS: Readonly<Record<string, number>> = { K: 1024, M: 1024 ** 2, G: 1024 ** 3, T: 1024 ** 4 };

/** A size as people write it, such as `20G`; undefined for another text. */
export function sizeIn(text: string): number | undefined {
  const [, digits = '', unit = ''] = /^(\d{1,9})([KMGT])$/.exec(text) ?? [];
  const bytes = Number(digits) * (UNITS[unit] ?? 0);
  return bytes > 0 && Number.isSafeInteger(bytes) ? bytes : undefined;
}
