/** The order in which people look for members: host0 first, then by name, with `node2` before `node10`. */
const byName = new Intl.Collator('en', { numeric: true });

/** Sorts a member list, which always begins with host0. */
export function inOrder<M extends { readonly name: string }>([host0, ...others]: readonly M[]): readonly M[] {
  return host0 === undefined ? [] : [host0, ...others.sort((a, b) => byName.compare(a.name, b.name))];
}
