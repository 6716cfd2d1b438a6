/** Ports that share a segment: groups by union-find, over whatever speaks for two being one. Pure. */

/** @returns groups of numbers below `count`, each ascending, in the order of their first */
export function groupsOf(count: number, pairs: Iterable<readonly [a: number, b: number]>): number[][] {
  const parents = Array.from({ length: count }, (_, index) => index);
  const rootOf = (index: number): number => {
    let root = index;
    while (parents[root] !== root) root = parents[root] ?? root;
    // The way is flattened, so that the next look is short.
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
