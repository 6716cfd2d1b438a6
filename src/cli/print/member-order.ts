/** Members as people look for them: host0 first, where the list has it, then by name, `node2` before `node10`. */
import type { Member } from '../../model/network/member.ts';

const byName = new Intl.Collator('en', { numeric: true });

export function inOrder([host0, ...others]: readonly Member[]): readonly Member[] {
  return host0 === undefined ? [] : [host0, ...others.sort((a, b) => byName.compare(a.name, b.name))];
}
