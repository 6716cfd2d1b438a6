/** The user of the servers of networks. A server that a guest has broken into has the rights of this user, and is not root. */
import { chmodSync, lchownSync, lstatSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { MeshError } from '../../model/error.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import { canBound } from '../../services/process/bounded-start.ts';
import { type SystemUser, systemUser } from '../../services/process/system-user.ts';

/** Whom servers become. */
export interface ServerUser extends SystemUser {
  /** A directory that this user owns, for pid files. */
  readonly directory: string;
  /** Whether a program can run as this user from its start, with a few capabilities (`boundedArgv`). */
  readonly canBound: boolean;
}

/** The packages and the images of nodes bring the first one. */
const USERS = ['meshwork-net', 'nobody'] as const;
const DIRECTORY_MODE = 0o700;

/**
 * Finds the user, and gives it its directory.
 * @returns undefined where servers have to stay root: no such user, or this process may not give directories away
 */
export function serverUser(
  directory: string,
  journal: Pick<Journal, 'failure'>,
  user: SystemUser | undefined = systemUser(USERS),
): ServerUser | undefined {
  try {
    if (user === undefined)
      throw new MeshError('MESH_INTERNAL', `the system has none of the users ${USERS.join(', ')}`);
    mustBeReachable(dirname(directory));
    mkdirSync(directory, { recursive: true, mode: DIRECTORY_MODE });
    // A root with few capabilities cannot change what is another user's already.
    if (lstatSync(directory).uid !== user.uid) {
      chmodSync(directory, DIRECTORY_MODE);
      lchownSync(directory, user.uid, user.gid);
    }
    return { ...user, directory, canBound: canBound() };
  } catch (thrown) {
    journal.failure('servers of networks run as root', thrown);
    return undefined;
  }
}

/** Another user passes each directory on the way. @throws MESH_INTERNAL */
function mustBeReachable(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o711 });
  for (let path = directory; path !== dirname(path); path = dirname(path)) {
    if ((statSync(path).mode & 0o001) === 0) throw new MeshError('MESH_INTERNAL', `other users do not pass ${path}`);
  }
}
