/** The id of this host0 installation, made once. With it, a host0 tells its own probes from those of other host0s. */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { writeDurable } from '../../disk/durable-file.ts';
import type { Installation } from '../frames/host0-mark.ts';

/**
 * Reads the id, or makes one and writes it to `file`. If the disk refuses, the id lasts only until the next start: the meshes
 * must run all the same.
 */
export async function installationAt(file: string): Promise<Installation> {
  const text = (await readFile(file, 'utf8').catch(() => '')).trim();
  if (/^[0-9a-f]{8}$/.test(text)) return text as Installation;
  const made = randomBytes(4).toString('hex');
  await writeDurable(file, `${made}\n`).catch(() => {});
  return made as Installation;
}
