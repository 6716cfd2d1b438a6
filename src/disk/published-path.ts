/**
 * Which file a path from the network means. No path leaves its directory by itself. A symbolic link leads out of `/host0/isos`
 * only if it belongs to root: the administrator chose it, as one of a large disk. A link of another user could publish any file
 * of this machine, since host0 reads as root.
 */
import { lstat, readdir, readlink, realpath, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { MeshError } from '../model/error.ts';

/** Links on the way to one file; the kernel follows no more than this either (path_resolution(7)). */
const LINKS_MAX = 40;
/** A tree with more entries is not looked through for links. */
const ENTRIES_MAX = 20_000;

/**
 * The file that a path means, without links.
 * @param names the path below `directory`, none of them `.` or `..`
 * @throws MESH_BOOT_LINK_REFUSED if a link leads out that does not belong to root
 * @throws an error of the file system
 */
export async function publishedFile(directory: string, names: readonly string[]): Promise<string> {
  const root = await realpath(directory);
  let at = root;
  let links = 0;
  const ahead = [...names];
  let foreign: string | undefined;
  for (let name = ahead.shift(); name !== undefined; name = ahead.shift()) {
    const next = resolve(at, name);
    const found = await lstat(next);
    if (!found.isSymbolicLink()) {
      at = next;
      continue;
    }
    if (++links > LINKS_MAX) throw refusedLink(next, 'leads in a circle');
    if (found.uid !== 0) foreign ??= next;
    const target = await readlink(next);
    if (isAbsolute(target)) at = '/';
    ahead.unshift(...target.split('/').filter((part) => part !== '' && part !== '.'));
  }
  if (foreign !== undefined && !isBelow(root, at)) {
    throw refusedLink(foreign, 'leads out of the directory and does not belong to root');
  }
  return at;
}

/** What is wrong with the links below `/host0/isos`: those that are not followed, and those that lead nowhere. */
export async function linkFaults(isos: string): Promise<MeshError[]> {
  const entries = await readdir(isos, { withFileTypes: true, recursive: true }).catch(() => []);
  const links = entries.slice(0, ENTRIES_MAX).filter((entry) => entry.isSymbolicLink());
  const faults = links.map(async (entry) => {
    const path = join(entry.parentPath, entry.name);
    try {
      await stat(path);
      await publishedFile(isos, relative(isos, path).split('/'));
      return undefined;
    } catch (error) {
      const fault = MeshError.from(error);
      return fault.code === 'MESH_BOOT_LINK_REFUSED' ? fault : refusedLink(path, 'leads to no file');
    }
  });
  return (await Promise.all(faults)).filter((fault) => fault !== undefined);
}

/** Whether a path without links is inside a directory. */
export function isBelow(directory: string, path: string): boolean {
  const way = relative(directory, path);
  return way !== '' && !way.startsWith('..') && !isAbsolute(way);
}

function refusedLink(link: string, why: string): MeshError {
  return new MeshError('MESH_BOOT_LINK_REFUSED', `${link} is not published: the link ${why}`, {
    object: link,
    rule: 'Machines may fetch what is below isos, and what links of root there lead to.',
    remedy:
      why === 'leads to no file'
        ? `Correct the link, or remove it: \`ls -l ${dirname(link)}\`.`
        : `If machines may fetch the file, let the link belong to root: \`chown -h root ${link}\`.`,
  });
}
