/** Judges the paths of a manifest before any file of the archive is written: all lie in areas, and none leads out of one. */
import type { Area } from './areas.ts';
import { damagedBackup, unsafeBackup } from './backup-error.ts';
import type { BackupManifest, ManifestEntry } from './manifest.ts';

const NAME_BYTES_MAX = 255;

/**
 * Refuses a manifest with a path that no backup has.
 * @param areas all that there are, with all that may be in them
 * @throws MESH_BACKUP_UNSAFE, MESH_BACKUP_DAMAGED
 */
export function checkEntries(file: string, { entries }: BackupManifest, areas: readonly Area[]): void {
  const seen = new Map<string, ManifestEntry['type']>();
  for (const entry of entries) {
    const { path, type } = entry;
    const names = path.split('/');
    for (const name of names) {
      if (name === '' || name === '.' || name === '..') throw unsafeBackup(file, path, 'leads out of its directory');
      if (name.includes('\0') || Buffer.byteLength(name) > NAME_BYTES_MAX)
        throw unsafeBackup(file, path, 'is no name of a file');
    }
    const [name = '', first] = names;
    const area = areas.find((candidate) => candidate.name === name);
    if (area === undefined || (first !== undefined && !area.owns(first)))
      throw unsafeBackup(file, path, 'is of no area that a backup has');
    if (seen.has(path)) throw damagedBackup(file, `${path} comes twice`);
    // A link in the place of a directory would lead all that is below it elsewhere.
    const parent = names.slice(0, -1).join('/');
    const isRoot = names.length === 1;
    if (isRoot ? type !== 'directory' : seen.get(parent) !== 'directory')
      throw unsafeBackup(file, path, 'is not in a directory of the backup');
    if (entry.type === 'link' && seen.get(entry.to) !== 'file')
      throw unsafeBackup(
        file,
        path,
        `is another name of ${JSON.stringify(entry.to.slice(0, 100))}, which is no file of it`,
      );
    if (entry.type === 'symlink' && (entry.to === '' || entry.to.includes('\0')))
      throw unsafeBackup(file, path, 'is a link to nothing');
    seen.set(path, type);
  }
}
