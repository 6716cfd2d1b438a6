/** The codes of backups of host0. They are a part of `ERRORS`. */
import { conflict, input, system } from './error-class.ts';

/** Codes and their meanings. */
export const BACKUP_ERRORS = {
  MESH_BACKUP_FOREIGN: input('A file is no backup of host0, or it is encrypted and no filter was named.'),
  MESH_BACKUP_DAMAGED: input('A backup of host0 is not as it was written.'),
  MESH_BACKUP_TRUNCATED: input('A backup of host0 ends too early.'),
  MESH_BACKUP_LATER: input('A later version of Meshwork has written a backup of host0.'),
  MESH_BACKUP_UNSAFE: input('A backup of host0 has a path that leads out of what a backup restores.'),
  MESH_BACKUP_LARGE: conflict('A backup of host0 is larger than it may be, or than the disk has room for.'),
  MESH_BACKUP_FILTER: system('The program that a backup is encrypted or decrypted by has failed.'),
  MESH_BACKUP_CHANGED: conflict('What is being backed up changes all the time.'),
  MESH_BACKUP_NIC: conflict('A backup of host0 names network cards that this machine does not have.'),
} as const;
