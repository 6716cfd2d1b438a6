/** The ports that an administrator plugged in, on disk, so that they are there again after a reboot. */
import { textAt, writeDurable } from '../../disk/durable-file.ts';
import { MeshError } from '../../model/error.ts';
import type { ForeignPort } from './foreign-ports.ts';

/** @throws MESH_STATE_DAMAGED when the file is there and cannot be read as what it should be */
export async function readPlugged(path: string): Promise<ForeignPort[]> {
  const text = await textAt(path);
  if (text === undefined) return [];
  try {
    const document: unknown = JSON.parse(text);
    if (!Array.isArray(document) || !document.every(isPort)) throw new TypeError('not a list of ports');
    return document;
  } catch (cause) {
    throw new MeshError('MESH_STATE_DAMAGED', `${path} does not hold the plugged ports`, {
      cause,
      object: path,
      remedy: 'Remove it, and plug the ports in again with `mesh port plug`.',
    });
  }
}

export async function writePlugged(path: string, ports: readonly ForeignPort[]): Promise<void> {
  await writeDurable(path, `${JSON.stringify(ports)}\n`);
}

function isPort(value: unknown): value is ForeignPort {
  if (typeof value !== 'object' || value === null) return false;
  return typeof Reflect.get(value, 'link') === 'string' && typeof Reflect.get(value, 'network') === 'string';
}
