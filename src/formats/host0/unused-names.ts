/** Names in the tree that nothing reads, and that are nearly those of files that are read: `Groups`, `packages.txt`, `skip`. */
import { join } from 'node:path';
import { MeshError } from '../../model/error.ts';
import { nearest } from '../conf/nearest.ts';
import { namesIn } from './tree-files.ts';

/** What is read in each kind of folder. */
const READ = {
  tree: ['host0.conf', 'network', 'machines', 'groups', 'packages', 'isos', 'mirror.conf', 'mirror-keys'],
  machine: ['UUID', 'manifest', 'groups', 'packages', 'flavor', 'SKIP'],
  group: ['manifest', 'packages', 'flavor'],
} as const;

/**
 * A warning for each such name in a folder.
 * @param path the folder's path in manifests, below `/host0`
 * @param sources the paths that manifests copy from: a file that is copied is used
 */
export function unusedNames(
  kind: keyof typeof READ,
  folder: string,
  path: string,
  sources: ReadonlySet<string>,
): MeshError[] {
  const read: readonly string[] = READ[kind];
  return namesIn(folder).flatMap((name) => {
    if (read.includes(name) || sources.has(join(path, name))) return [];
    const meant = knownNear(name, read);
    if (meant === undefined) return [];
    return new MeshError('MESH_MACHINE_FOLDER', `${join(folder, name)} is not used`, {
      object: join(folder, name),
      rule: `What is read there is: ${read.join(', ')}. Upper and lower case differ.`,
      remedy: namesIn(folder).includes(meant) ? 'Remove it, or give it another name.' : `Rename it to ${meant}.`,
    });
  });
}

/** The name that was probably meant. An ending such as `.txt` or `.bak`, and the case, do not count. */
function knownNear(name: string, read: readonly string[]): string | undefined {
  const byLower = new Map(read.map((known) => [known.toLowerCase(), known]));
  const bare = name.replace(/(?:\.[A-Za-z0-9]{1,4}|~)$/, '');
  const near = [name, bare].map((word) => nearest(word, [...byLower.keys()])).find((found) => found !== undefined);
  return near === undefined ? undefined : byLower.get(near);
}
