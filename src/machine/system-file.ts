/** Reads small files of the system, such as those of /proc and /sys. */
import { closeSync, openSync, readSync } from 'node:fs';
import { MeshError } from '../model/error.ts';

/** The longest is the kernel command line: at most 4096 bytes (COMMAND_LINE_SIZE of most architectures). */
const SYSTEM_FILE_MAX_BYTES = 4096;

/**
 * The first 4096 bytes of the file, trimmed; undefined when there is no such file.
 * @throws MESH_MACHINE_UNREADABLE when the file exists and cannot be read
 */
export function readSystemFile(path: string): string | undefined {
  try {
    const file = openSync(path, 'r');
    try {
      const bytes = Buffer.alloc(SYSTEM_FILE_MAX_BYTES);
      return bytes.toString('utf8', 0, readSync(file, bytes)).trim();
    } finally {
      closeSync(file);
    }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new MeshError('MESH_MACHINE_UNREADABLE', `${path} cannot be read: ${code ?? String(error)}`, {
      operation: 'read',
      object: path,
      rule: 'A file that exists and cannot be read is never skipped: the machine would get another id.',
      remedy: 'Run it as root.',
      cause: error,
    });
  }
}
