/** What is wrong with a backup, in words. Nothing has been changed when one of these is thrown. */
import { MeshError } from '../../model/error.ts';

const OPERATION = 'read backup';
const ANOTHER = 'Give another backup; nothing was changed.';

/** The file is something else. */
export function foreignBackup(file: string, what: string): MeshError {
  return new MeshError('MESH_BACKUP_FOREIGN', `${file} is no backup of host0: ${what}`, {
    operation: OPERATION,
    object: file,
    rule: 'A backup is a compressed archive that `mesh system backup` has written.',
    remedy: "If the file is encrypted, name the program that decrypts it, such as --filter 'age -d -i KEY'.",
  });
}

/** The file is not as it was written. @param what of the archive, as the end of a sentence */
export function damagedBackup(file: string, what: string, cause?: unknown): MeshError {
  return new MeshError('MESH_BACKUP_DAMAGED', `${file} is damaged: ${what}`, {
    operation: OPERATION,
    object: file,
    remedy: ANOTHER,
    ...(cause !== undefined && { cause }),
  });
}

/** The file ends too early. */
export function truncatedBackup(file: string, where: string): MeshError {
  return new MeshError('MESH_BACKUP_TRUNCATED', `${file} ends too early: ${where}`, {
    operation: OPERATION,
    object: file,
    rule: 'A backup is whole, or it is not used.',
    remedy: `The copy may have been cut short: copy the file again. ${ANOTHER}`,
  });
}

/** A later version has written the file. */
export function laterBackup(file: string, version: number, known: number): MeshError {
  return new MeshError('MESH_BACKUP_LATER', `${file} has format ${version}, and this version knows ${known}`, {
    operation: OPERATION,
    object: file,
    remedy: 'Install the version of Meshwork that has written it, or a later one. Nothing was changed.',
  });
}

/** A path leads out of what a backup restores. */
export function unsafeBackup(file: string, path: string, why: string): MeshError {
  return new MeshError(
    'MESH_BACKUP_UNSAFE',
    `${file} has the path ${JSON.stringify(path.slice(0, 200))}, which ${why}`,
    {
      operation: OPERATION,
      object: file,
      rule: 'A backup restores only what `mesh system backup` saves.',
      remedy: `Somebody has made or changed this file. ${ANOTHER}`,
    },
  );
}

/** The file is too large. */
export function largeBackup(file: string, why: string, remedy = ANOTHER): MeshError {
  return new MeshError('MESH_BACKUP_LARGE', `${file} is too large: ${why}`, {
    operation: OPERATION,
    object: file,
    remedy,
  });
}
