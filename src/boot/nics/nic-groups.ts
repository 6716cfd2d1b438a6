/** Groups of NICs that share a segment: union-find over all pairs that are known to be on one segment. Pure. */

/** @returns the numbers below `count` in groups: ascending inside a group, and the groups by their first number */
export function groupsOf(count: number, pairs: Iterable<readonly [a: number, b: number]>): number[][] {
  const parents = Array.from({ length: count }, (_, index) => index);
  const rootOf = (index: number): number => {
    let root = index;
    while (parents[root] !== root) root = parents[root] ?? root;
    // Path compression: later look-ups of these numbers are short.
    for (let at = index; at !== root; ) {
      const next = parents[at] ?? root;
      parents[at] = root;
      at = next;
    }
    return root;
  };
  for (const [a, b] of pairs) {
    const [one, other] = [rootOf(a), rootOf(b)];
    parents[Math.max(one, other)] = Math.min(one, other);
  }
  return [...Map.groupBy(parents.keys(), rootOf).values()];
}
