/** Finds programs on this machine. */
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * Looks for a program in PATH.
 * @param others further directories, which are searched after those in PATH
 * @returns the path of its file; undefined if it is in none of the directories
 */
export function findProgram(name: string, others: readonly string[] = []): string | undefined {
  const directories = [...(process.env.PATH ?? '').split(delimiter), ...others].filter((path) => path !== '');
  return directories.map((directory) => join(directory, name)).find((file) => existsSync(file));
}
