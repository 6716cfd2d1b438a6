/**
 * What a machine installs, found by looking at every set of packages: slow, and independent of the solver's search. For
 * repositories of a dozen packages.
 */
import { type Dependency, isNamed, parseDependency, parseProvided, wordsOf } from '../../src/formats/apk/dependency.ts';
import type { PackageRecord } from '../../src/formats/apk/package-index.ts';
import { compareVersions } from '../../src/formats/apk/version.ts';

interface One {
  readonly record: PackageRecord;
  readonly index: number;
  readonly gives: readonly { readonly name: string; readonly version?: string }[];
  readonly needs: readonly Dependency[];
  readonly bans: readonly Dependency[];
  readonly conditions: readonly Dependency[];
}

interface Waiting {
  readonly word: Dependency;
}

const dependencies = (text: string) => wordsOf(text).map((word) => parseDependency(word) as Dependency);

/**
 * The titles of the packages, in the order of their names; undefined if nothing can be installed.
 * @param tagged the records of a repository with the tag that all words have, if they have one
 */
export function bruteSolve(
  records: readonly PackageRecord[],
  words: readonly Dependency[],
  tagged: ReadonlySet<PackageRecord> = new Set(),
): string[] | undefined {
  const all: One[] = records.map((record, index) => {
    const depends = dependencies(record.depends);
    const given = wordsOf(record.provides).flatMap((word) => parseProvided(word) ?? []);
    return {
      record,
      index,
      gives: [{ name: record.name, version: record.version }, ...given],
      needs: depends.filter(({ conflict }) => !conflict),
      bans: depends.filter(({ conflict }) => conflict),
      conditions: dependencies(record.installIf),
    };
  });
  const wanted = words.filter(({ conflict }) => !conflict);
  const unwanted = words.filter(({ conflict }) => conflict);

  const versionFor = (one: One, word: Dependency) =>
    one.gives.find((given) => given.name === word.name && isNamed(word, given, one.record.checksum));
  const matches = (one: One, word: Dependency) => versionFor(one, word) !== undefined;
  const isChosenBy = (one: One, word: Dependency) => {
    const given = versionFor(one, word);
    return given !== undefined && (given.version !== undefined || one.record.priority > 0);
  };
  const goTogether = (a: One, b: One) =>
    a.record.name !== b.record.name &&
    !a.gives.some((x) =>
      b.gives.some((y) => x.name === y.name && (x.version !== undefined || y.version !== undefined)),
    ) &&
    !a.bans.some((word) => matches(b, word)) &&
    !b.bans.some((word) => matches(a, word));

  /** Sets in which all words are met and everything fits. */
  const valid: One[][] = [];
  for (let bits = 0; bits < 2 ** all.length; bits++) {
    const set = all.filter((_, index) => bits & (2 ** index));
    const isMet = (word: Dependency) => set.some((one) => matches(one, word));
    if (
      wanted.every(isMet) &&
      !unwanted.some((word) => set.some((one) => matches(one, word))) &&
      set.every((one) => one.needs.every(isMet)) &&
      set.every((one, index) => set.slice(index + 1).every((other) => goTogether(one, other)))
    ) {
      valid.push(set);
    }
  }
  /** Whether every package of a set is chosen for a word of another, beginning with the roots. */
  const isJustified = (set: readonly One[], roots: ReadonlySet<One>) => {
    const reached = new Set(roots);
    for (let before = -1; before < reached.size; ) {
      before = reached.size;
      const open = [...wanted, ...[...reached].flatMap(({ needs }) => needs)];
      for (const one of set) if (open.some((word) => isChosenBy(one, word))) reached.add(one);
    }
    return set.every((one) => reached.has(one));
  };
  const canBe = (decided: readonly One[], roots: ReadonlySet<One>) =>
    valid.some((set) => decided.every((one) => set.includes(one)) && isJustified(set, roots));

  const preferred = (name: string) => (a: One, b: One) => {
    const versionOf = (one: One, version: 'has' | 'is') => {
      const given = one.gives.find((each) => each.name === name)?.version;
      return version === 'has' ? Number(given !== undefined) : (given ?? '0');
    };
    const has = Number(versionOf(b, 'has')) - Number(versionOf(a, 'has'));
    if (has !== 0) return has;
    const provided = compareVersions(String(versionOf(b, 'is')), String(versionOf(a, 'is')));
    if (provided !== 0) return provided;
    const own = a.record.name === b.record.name ? compareVersions(b.record.version, a.record.version) : 0;
    return own || b.record.priority - a.record.priority || (a.record.name < b.record.name ? -1 : 1);
  };

  /** Decides the open words, name by name. @returns false if the sets have no way on */
  const decide = (decided: One[], first: readonly Dependency[], roots: ReadonlySet<One>): boolean => {
    if (!canBe(decided, roots)) return false;
    const queue: Waiting[] = first.map((word) => ({ word }));
    const later: Waiting[] = [];
    const choose = (word: Dependency, options: readonly One[]) => {
      const choice = options.find((one) => isChosenBy(one, word) && canBe([...decided, one], roots));
      if (choice === undefined) return false;
      decided.push(choice);
      for (const need of choice.needs) queue.push({ word: need });
      return true;
    };
    for (let rounds = 0; queue.length + later.length > 0; rounds++) {
      if (rounds > 500) throw new Error('the words are never all decided');
      const isLater = queue.length === 0;
      const next = (isLater ? later : queue).shift();
      if (next === undefined || decided.some((one) => matches(one, next.word))) continue;
      const options = all.filter((one) => matches(one, next.word)).sort(preferred(next.word.name));
      // What a word names with a tag comes from that repository, if it has it.
      if (next.word.tag !== undefined)
        options.sort((a, b) => Number(tagged.has(b.record)) - Number(tagged.has(a.record)));
      const isVirtual = options.every((one) => versionFor(one, next.word)?.version === undefined);
      if (!isLater && isVirtual) later.push(next);
      else if (!choose(next.word, options)) later.push(next);
    }
    return true;
  };

  const decided: One[] = [];
  if (!decide(decided, wanted, new Set())) return undefined;
  const refused = new Set<One>();
  for (;;) {
    const isMet = (word: Dependency) => decided.some((one) => matches(one, word)) !== word.conflict;
    const met = all
      .filter((one) => !decided.includes(one) && !refused.has(one))
      .filter(({ conditions }) => conditions.some(({ conflict }) => !conflict) && conditions.every(isMet))
      .sort((a, b) =>
        a.record.name === b.record.name
          ? compareVersions(b.record.version, a.record.version)
          : a.record.name < b.record.name
            ? -1
            : 1,
      );
    if (met.length === 0) break;
    for (const one of met) {
      const more = [...decided, one];
      if (decided.every((other) => goTogether(one, other)) && decide(more, one.needs, new Set(more))) {
        decided.push(...more.slice(decided.length));
      } else {
        refused.add(one);
      }
    }
  }
  return decided.map(({ record }) => `${record.name}-${record.version}`).sort();
}
