/** Starts of programs that shall have a few capabilities and no more, by setpriv of util-linux. */
import { realpathSync } from 'node:fs';
import { basename } from 'node:path';
import type { ProcessSpec } from './process-spec.ts';
import { findProgram } from './program-path.ts';
import type { SystemUser } from './system-user.ts';

type Argv = ProcessSpec['argv'];

/**
 * The command by which a program runs as a user, with these capabilities alone, and gains none: nothing that it starts is root.
 * setpriv becomes the program, so that the process keeps its number.
 */
export function boundedArgv(
  argv: Argv,
  { uid, gid }: Pick<SystemUser, 'uid' | 'gid'>,
  capabilities: readonly string[],
): Argv {
  const words = ['-all', ...capabilities.map((capability) => `+${capability}`)].join(',');
  const user = [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', '--no-new-privs'];
  return ['setpriv', ...user, `--inh-caps=${words}`, `--ambient-caps=${words}`, ...argv];
}

/** Whether this machine has that setpriv. The one of busybox changes no user. */
export function canBound(program = findProgram('setpriv')): boolean {
  if (program === undefined) return false;
  try {
    return !basename(realpathSync(program)).startsWith('busybox');
  } catch {
    return false;
  }
}
