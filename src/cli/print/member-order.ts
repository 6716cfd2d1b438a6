/** Members of a network as text: in the order in which people look for them, and how many. */

/** `node2` is before `node10`. */
const byName = new Intl.Collator('en', { numeric: true });

/** Sorts a member list, which always begins with host0. */
export function inOrder<M extends { readonly name: string }>([host0, ...others]: readonly M[]): readonly M[] {
  return host0 === undefined ? [] : [host0, ...byNodeName(others)];
}

/** Sorts nodes by name. */
export function byNodeName<M extends { readonly name: string }>(nodes: readonly M[]): readonly M[] {
  return nodes.toSorted((a, b) => byName.compare(a.name, b.name));
}

/** How many nodes hold a network, this one included; a dash where this machine does not know. */
export function membersText(view: {
  readonly members?: readonly unknown[];
  readonly peers?: readonly unknown[];
}): string {
  const { members, peers } = view;
  if (members !== undefined) return String(members.length);
  return peers === undefined ? '–' : String(peers.length + 1);
}
