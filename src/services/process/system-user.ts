/** Users that processes run as, from the files of the system. */
import { readFileSync } from 'node:fs';

/** A user with its first group. */
export interface SystemUser {
  readonly name: string;
  readonly group: string;
  readonly uid: number;
  readonly gid: number;
}

/**
 * The first user of these names that the system has.
 * @param etc the directory of `passwd` and `group`
 */
export function systemUser(names: readonly string[], etc = '/etc'): SystemUser | undefined {
  const [accounts, groups] = [entriesOf(`${etc}/passwd`), entriesOf(`${etc}/group`)];
  for (const wanted of names) {
    const [name, , uid, gid] = accounts.find(([known]) => known === wanted) ?? [];
    const [group] = groups.find(([, , number]) => number === gid) ?? [];
    if (name !== undefined && gid !== undefined && group !== undefined)
      return { name, group, uid: Number(uid), gid: Number(gid) };
  }
  return undefined;
}

function entriesOf(path: string): readonly (readonly string[])[] {
  try {
    return readFileSync(path, 'utf8')
      .split('\n')
      .map((line) => line.split(':'));
  } catch {
    return [];
  }
}
