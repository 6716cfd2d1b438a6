/** Opens files for clients on the network. No path leaves its directory (published-path.ts). */
import { constants, type FileHandle, open, readlink, realpath } from 'node:fs/promises';
import { MeshError } from '../model/error.ts';
import { isBelow, publishedFile } from './published-path.ts';

const PATH_MAX = 1024;

/** The end of the name of a file that is written still: it is not published. */
export const UNPUBLISHED_END = '.part';

/**
 * Opens the file below `directory` that a path from the network names.
 * @param path as in the URL, percent-encoded, without a leading slash
 * @param links `inside`: links may lead to files below `directory` only; `root`: those of root also out of it
 * @param refused called with the reason if a link is not followed
 * @throws MESH_BOOT_PATH_UNKNOWN also if the file exists outside `directory`, so that a client cannot find out
 */
export async function openBelow(
  directory: string,
  path: string,
  links: 'inside' | 'root' = 'inside',
  refused: (error: MeshError) => void = () => {},
): Promise<FileHandle> {
  try {
    const names = decodePath(path).split('/');
    const real = await publishedFile(directory, names);
    if (links === 'inside' && !isBelow(await realpath(directory), real)) throw unknownPath(path);
    const file = await open(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    // A symbolic link may have replaced a part of the path since it was checked.
    const isSame = (await readlink(`/proc/self/fd/${file.fd}`)) === real;
    if (isSame && (await file.stat()).isFile()) return file;
    await file.close();
  } catch (error) {
    // The client learns no reason.
    const { code } = MeshError.from(error);
    if (code === 'MESH_BOOT_LINK_REFUSED') refused(MeshError.from(error));
  }
  throw unknownPath(path);
}

/** @throws MESH_BOOT_PATH_UNKNOWN */
function decodePath(path: string): string {
  if (path.length > PATH_MAX) throw unknownPath(path);
  let decoded: string;
  try {
    decoded = decodeURIComponent(path);
  } catch {
    throw unknownPath(path);
  }
  const names = decoded.split('/');
  if (decoded.includes('\0') || names.some((name) => name === '' || name === '.' || name === '..')) {
    throw unknownPath(path);
  }
  if (decoded.endsWith(UNPUBLISHED_END)) {
    throw unknownPath(path);
  }
  return decoded;
}

/** The error for a path that is not published (HTTP 404). It quotes at most 100 characters of the path. */
export function unknownPath(path: string): MeshError {
  return new MeshError('MESH_BOOT_PATH_UNKNOWN', `there is no ${JSON.stringify(path.slice(0, 100))} here`, {
    object: path.slice(0, 100),
  });
}
