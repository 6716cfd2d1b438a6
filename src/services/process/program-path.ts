/** Where a program of this machine is. */
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * Looks for a program in PATH.
 * @param places directories to look in besides, after those in PATH
 * @returns the path of its file; undefined when it is in none of them
 */
export function findProgram(name: string, places: readonly string[] = []): string | undefined {
  const directories = [...(process.env.PATH ?? '').split(delimiter), ...places].filter((place) => place !== '');
  return directories.map((directory) => join(directory, name)).find((file) => existsSync(file));
}
