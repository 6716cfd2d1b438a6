/** Programs of the system that the building of an image calls, one at a time. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { MeshError } from '../../model/error.ts';

const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;

/**
 * What the program prints.
 * @throws MESH_IMAGE_FAILED with what it complains of
 */
export async function programOutput(program: string, ...args: readonly string[]): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(program, args, { maxBuffer: MAX_OUTPUT_BYTES });
    return stdout;
  } catch (cause) {
    const { stderr = '', code } = cause as { stderr?: string; code?: number | string };
    const absent = code === 'ENOENT';
    throw new MeshError(
      'MESH_IMAGE_FAILED',
      `${program} ${absent ? 'is not installed' : `failed: ${stderr.trim().split('\n').at(-1) ?? ''}`}`,
      {
        operation: 'build image',
        object: program,
        remedy: absent
          ? `Install ${program}, and build the image again.`
          : 'See that there is room for 1 GB in the directory for temporary files (TMPDIR), and build the image again.',
        cause,
      },
    );
  }
}
