/** The id of this host0 installation, made once: by it, host0s on one wire tell themselves from others. */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { writeDurable } from '../formats/durable-file.ts';
import type { Installation } from './host0-mark.ts';

/** @throws MESH_DISK_REFUSED */
export async function installationAt(file: string): Promise<Installation> {
  const text = (await readFile(file, 'utf8').catch(() => '')).trim();
  if (/^[0-9a-f]{8}$/.test(text)) return text as Installation;
  const made = randomBytes(4).toString('hex');
  await writeDurable(file, `${made}\n`);
  return made as Installation;
}
