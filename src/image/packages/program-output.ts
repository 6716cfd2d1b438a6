/** Runs the system's programs that building an image needs, such as dpkg-deb and xz. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { MeshError } from '../../model/error.ts';

const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;

/**
 * Runs a program and returns its standard output.
 * @throws MESH_IMAGE_FAILED if it is missing or fails, with the last line of its standard error
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
          : 'Check that the directory for temporary files (TMPDIR) has 1 GB free, and build the image again.',
        cause,
      },
    );
  }
}
