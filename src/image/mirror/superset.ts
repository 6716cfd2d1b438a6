/**
 * Everything that machines with these words could ever install: each provider of each name that something names, and each
 * package whose `install_if` could be met. A mirror with all of it lets nodes choose otherwise later, without asking upstream.
 */
import type { Dependency } from '../../formats/apk/dependency.ts';
import type { Package, PackageCatalogue } from './catalogue.ts';
import type { Reason } from './selection.ts';

/** @returns the packages, each with the first reason for it */
export function superset(catalogue: PackageCatalogue, words: readonly Dependency[]): ReadonlyMap<Package, Reason> {
  const found = new Map<Package, Reason>();
  const queue: Package[] = [];
  const take = (one: Package, reason: Reason) => {
    if (found.has(one) || !catalogue.isInstallable(one)) return;
    found.set(one, reason);
    queue.push(one);
  };
  const takeAll = (word: Dependency, reason: Reason) => {
    if (!word.conflict) for (const match of catalogue.matchesOf(word)) take(match.package, reason);
  };
  for (const word of words) takeAll(word, { type: 'word', word });
  for (let one = queue.shift(); one !== undefined; one = queue.shift()) {
    for (const word of one.depends) takeAll(word, { type: 'dependency', word, of: one });
    for (const { name } of one.provides) {
      for (const other of catalogue.waitingFor(name)) {
        if (isPossible(catalogue, other, found)) take(other, { type: 'install_if', words: other.installIf });
      }
    }
  }
  return found;
}

/** Whether each condition is met by a package that could be installed. */
function isPossible(catalogue: PackageCatalogue, { installIf }: Package, found: ReadonlyMap<Package, Reason>): boolean {
  return installIf.every(
    (word) => word.conflict || catalogue.matchesOf(word).some((match) => found.has(match.package)),
  );
}
