/** The error of a file that a command should write and cannot. */
import { systemWords } from '../../formats/system-error.ts';
import { MeshError } from '../../model/error.ts';

/** MESH_DISK_REFUSED. @param option the option that named the file */
export function unwritable(file: string, option: string, cause: unknown): MeshError {
  return new MeshError('MESH_DISK_REFUSED', `${file} cannot be written: ${systemWords(cause)}`, {
    object: file,
    remedy: `Give ${option} the name of a file in a directory that you may write to.`,
    cause,
  });
}
