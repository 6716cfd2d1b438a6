/** Files that cannot be used any more are moved aside: nothing writes over them, and an administrator can look at them. */
import { existsSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncDirectory } from './durable-file.ts';

/** Where `path` is moved to. */
export function asideOf(path: string): string {
  return `${path}.damaged`;
}

/** Whether a file lies where `path` is moved to. */
export function isAside(path: string): boolean {
  return existsSync(asideOf(path));
}

/**
 * Moves a file, or whatever is at `path`, aside. One that was moved aside before is removed. Never rejects.
 * @returns whether it was moved; if not, for example on a read-only disk, it stays where it is
 */
export async function moveAside(path: string): Promise<boolean> {
  try {
    await rm(asideOf(path), { recursive: true, force: true });
    await rename(path, asideOf(path));
    await syncDirectory(dirname(path));
    return true;
  } catch {
    return false;
  }
}

/** Removes what was moved aside. Never rejects. */
export async function dropAside(path: string): Promise<void> {
  await rm(asideOf(path), { recursive: true, force: true }).catch(() => undefined);
}
