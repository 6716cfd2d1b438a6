/** Members of a network as text: in the order in which people look for them, and how many. */

/**
 * Compares names such that `node2` is before `node10`. `Intl.Collator` does so too, and takes ten milliseconds to load the rules of
 * all languages: a tenth of a command's time.
 */
function compareNames(one: string, other: string): number {
  const [ours, theirs] = [partsOf(one), partsOf(other)];
  for (const [at, part] of ours.entries()) {
    const against = theirs[at];
    if (against === undefined) return 1;
    const byNumber = Number(part) - Number(against);
    if (byNumber !== 0 && !Number.isNaN(byNumber)) return byNumber;
    if (Number.isNaN(byNumber) && part !== against) return part < against ? -1 : 1;
  }
  return ours.length - theirs.length;
}

/** The numbers in a name, and the texts between them. */
function partsOf(name: string): readonly string[] {
  return name.toLowerCase().match(/\d+|\D+/g) ?? [];
}

/** Sorts a member list, which always begins with host0. */
export function inOrder<M extends { readonly name: string }>([host0, ...others]: readonly M[]): readonly M[] {
  return host0 === undefined ? [] : [host0, ...byNodeName(others)];
}

/** Sorts nodes by name. */
export function byNodeName<M extends { readonly name: string }>(nodes: readonly M[]): readonly M[] {
  return nodes.toSorted((a, b) => compareNames(a.name, b.name));
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
