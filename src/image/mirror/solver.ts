/**
 * Which packages apk installs for the words of one machine. apk decides name by name and prefers the same packages; where its
 * first choices do not fit each other, the search here goes back and takes the next ones, until all fits or nothing can.
 *
 * 1. Words are decided in the order of the list, then the dependencies of what was chosen, first come, first served.
 * 2. A name that only packages without a version for it provide waits until all other names are decided.
 * 3. Then packages are added whose `install_if` is met, in the order of their names, as long as they fit.
 */
import type { Dependency } from '../../formats/apk/dependency.ts';
import { isChosenUnasked, isMatch, type Package, type PackageCatalogue, type Provider } from './catalogue.ts';
import { type Choice, type Hindrance, type Reason, Selection, WORLD_LEVEL } from './selection.ts';

/** The packages of one machine. */
export interface Solution {
  /** In the order in which they were decided. */
  readonly choices: readonly Choice[];
  /** Whether first choices were taken back. apk searches less, and may not find the same. */
  readonly tookBack: boolean;
}

/** A dependency that cannot be met. */
export interface Requirement {
  readonly word: Dependency;
  /** The package that needs it; undefined for a word of the machine. */
  readonly of: Package | undefined;
}

/** A package that would meet a requirement, and what keeps it from being chosen. */
export interface Blocked {
  readonly package: Package;
  /** `unasked`: it has no version for the name, and has to be named; `lacks`: something that it needs cannot be had. */
  readonly obstacle: Hindrance | 'unasked' | 'lacks';
}

/** Why there is no solution. */
export interface Unsolvable {
  readonly requirement: Requirement;
  /** Packages that would meet it, and what keeps each from being chosen. Empty if there are none. */
  readonly obstacles: readonly Blocked[];
  /** The search was given up after too many steps. */
  readonly gaveUp?: boolean;
}

/** A requirement while the search goes on. */
interface Open extends Requirement {
  /** The level that a failure of this requirement is blamed on. */
  readonly level: number;
  /** How many packages were chosen when it was put off until others are decided. */
  readonly putOffAt?: number;
  /** Whether it was put off twice without another choice between: no third time. */
  readonly again?: boolean;
  /** The tags of repositories whose packages may meet it. */
  readonly tags: ReadonlySet<string>;
}

/** What was decided at one level, and how to go back to before it. */
interface Level {
  readonly open: Open;
  readonly candidates: readonly Provider[];
  next: number;
  putOff: boolean;
  /** The levels that have a part in the failures so far. */
  readonly blame: Set<number>;
  readonly choices: number;
  readonly queued: number;
  readonly postponed: number;
  readonly queueAt: number;
  readonly postponedAt: number;
}

/** Enough for worlds of thousands of packages, and reached within a second or two. */
const STEPS_MAX = 400_000;

/** Solves the words of one machine; every call of `solve` begins anew. */
export class Solver {
  readonly #catalogue: PackageCatalogue;
  readonly #selection = new Selection();
  readonly #queue: Open[] = [];
  readonly #postponed: Open[] = [];
  readonly #levels: Level[] = [];
  readonly #tagsOf = new Map<Package, ReadonlySet<string>>();
  #queueAt = 0;
  #postponedAt = 0;
  #steps = 0;
  #tookBack = false;
  #failure: Unsolvable | undefined;

  private constructor(catalogue: PackageCatalogue) {
    this.#catalogue = catalogue;
  }

  static solve(catalogue: PackageCatalogue, words: readonly Dependency[]): Solution | Unsolvable {
    return new Solver(catalogue).#solve(words);
  }

  #solve(words: readonly Dependency[]): Solution | Unsolvable {
    for (const word of words) {
      if (word.conflict) this.#selection.forbid(word);
      else this.#queue.push({ word, of: undefined, level: WORLD_LEVEL, tags: tagsOf(word) });
    }
    const unsolvable = this.#search(0);
    if (unsolvable !== undefined) return unsolvable;
    const tookBack = this.#tookBack;
    this.#addTriggered();
    return { choices: this.#selection.choices, tookBack };
  }

  /**
   * Decides all that is open.
   * @param floor levels below it stay as they are
   */
  #search(floor: number): Unsolvable | undefined {
    let level = this.#advance();
    while (level !== undefined) {
      if (++this.#steps > STEPS_MAX) return { ...this.#failureOf(level), gaveUp: true };
      if (this.#chooseNext(level)) {
        level = this.#advance();
        continue;
      }
      this.#failure ??= this.#failureOf(level);
      this.#tookBack = true;
      level = this.#goBack(floor);
      if (level === undefined) return this.#failure;
    }
    return undefined;
  }

  /** Goes on to the next requirement that needs a choice, and opens a level for it. */
  #advance(): Level | undefined {
    for (; this.#queueAt < this.#queue.length; this.#queueAt++) {
      const open = this.#queue[this.#queueAt];
      if (open === undefined || this.#selection.match(open.word) !== undefined) continue;
      const candidates = this.#candidatesOf(open);
      const waits = candidates.length > 0 && candidates.every(({ provided }) => provided.version === undefined);
      if (waits) this.#postponed.push({ ...open, putOffAt: this.#selection.choices.length });
      else return this.#openLevel(open, candidates, 1, 0);
    }
    for (; this.#postponedAt < this.#postponed.length; this.#postponedAt++) {
      const open = this.#postponed[this.#postponedAt];
      if (open === undefined || this.#selection.match(open.word) !== undefined) continue;
      return this.#openLevel(open, this.#candidatesOf(open), 0, 1);
    }
    return undefined;
  }

  #openLevel(open: Open, candidates: readonly Provider[], fromQueue: number, fromPostponed: number): Level {
    const level = {
      open,
      candidates,
      next: 0,
      putOff: false,
      blame: new Set([open.level]),
      choices: this.#selection.choices.length,
      queued: this.#queue.length,
      postponed: this.#postponed.length,
      queueAt: this.#queueAt + fromQueue,
      postponedAt: this.#postponedAt + fromPostponed,
    };
    this.#levels.push(level);
    this.#queueAt = level.queueAt;
    this.#postponedAt = level.postponedAt;
    return level;
  }

  /** Everything that would meet a requirement, the most preferred first; also what is not chosen unasked. */
  #candidatesOf({ word, tags }: Open): readonly Provider[] {
    const matches = this.#catalogue
      .matchesOf(word)
      .filter(({ package: { repository } }) => isAllowed(repository, tags));
    if (word.tag === undefined) return matches;
    const preferred = matches.filter(({ package: { repository } }) => repository.tag === word.tag);
    return [...preferred, ...matches.filter((match) => !preferred.includes(match))];
  }

  /** Chooses the next candidate of a level that can be chosen. @returns whether there was one */
  #chooseNext(level: Level): boolean {
    const { open, candidates, blame } = level;
    while (level.next < candidates.length) {
      const candidate = candidates[level.next++];
      if (candidate === undefined) continue;
      if (!isChosenUnasked(candidate)) {
        // It may come in for another reason if something before were decided differently.
        for (let before = 0; before < this.#levels.length - 1; before++) blame.add(before);
        continue;
      }
      if (!this.#catalogue.isInstallable(candidate.package)) continue;
      const obstacle = this.#selection.obstacle(candidate);
      if (obstacle !== undefined) {
        blame.add(obstacle.level);
        continue;
      }
      const reason: Reason =
        open.of === undefined
          ? { type: 'word', word: open.word }
          : { type: 'dependency', word: open.word, of: open.of };
      this.#choose(candidate.package, reason, open.tags);
      return true;
    }
    return this.#putOff(level);
  }

  /**
   * Puts a requirement off, as the last way to go on: a package that is not chosen unasked may come in for another reason.
   * @returns whether it was: it is not when nothing was chosen since it was put off before
   */
  #putOff(level: Level): boolean {
    const { open, candidates } = level;
    if (level.putOff || candidates.every(isChosenUnasked)) return false;
    const { length } = this.#selection.choices;
    const again = open.putOffAt === length;
    if (again && open.again) return false;
    level.putOff = true;
    this.#postponed.push({ ...open, level: this.#levels.length - 1, putOffAt: length, again });
    return true;
  }

  #choose(one: Package, reason: Reason, tags: ReadonlySet<string>): void {
    const level = this.#levels.length - 1;
    this.#selection.choose({ package: one, reason, level });
    this.#tagsOf.set(one, tags);
    for (const word of one.depends) if (!word.conflict) this.#queue.push({ word, of: one, level, tags });
  }

  /**
   * Ends the last level, which has failed, and all above the one that has a part in the failure.
   * @returns the level to choose the next candidate of
   */
  #goBack(floor: number): Level | undefined {
    const blame = new Set(this.#levels.pop()?.blame);
    for (;;) {
      const index = this.#levels.length - 1;
      const level = this.#levels[index];
      if (level === undefined || index < floor) return undefined;
      this.#undo(level);
      if (blame.has(index)) {
        blame.delete(index);
        for (const other of blame) level.blame.add(other);
        return level;
      }
      this.#levels.pop();
    }
  }

  #undo(level: Level): void {
    this.#selection.truncate(level.choices);
    this.#queue.length = level.queued;
    this.#postponed.length = level.postponed;
    this.#queueAt = level.queueAt;
    this.#postponedAt = level.postponedAt;
  }

  /** Adds the packages whose `install_if` is met, until no further one is. What does not fit is left out. */
  #addTriggered(): void {
    const refused = new Set<Package>();
    for (let looked = 0; ; ) {
      const { choices } = this.#selection;
      const waiting = new Set<Package>();
      for (const { package: one } of choices.slice(looked)) {
        for (const { name } of one.provides) for (const other of this.#catalogue.waitingFor(name)) waiting.add(other);
      }
      const met = [...waiting].filter((one) => !refused.has(one) && this.#isMet(one)).sort(byNameAndPreference);
      if (met.length === 0) return;
      looked = choices.length;
      for (const one of met) if (!this.#addIfItFits(one)) refused.add(one);
    }
  }

  #isMet({ installIf, repository }: Package): boolean {
    let mayCome = false;
    for (const word of installIf) {
      const choice = this.#selection.match(word);
      if (word.conflict !== (choice === undefined)) return false;
      const tags = choice === undefined ? undefined : this.#tagsOf.get(choice.package);
      mayCome ||= tags !== undefined && isAllowed(repository, tags);
    }
    return mayCome;
  }

  #addIfItFits(one: Package): boolean {
    if (this.#selection.chosen(one.name) !== undefined || !this.#catalogue.isInstallable(one)) return false;
    const provided = one.provides[0];
    if (provided === undefined || this.#selection.obstacle({ package: one, provided }) !== undefined) return false;
    const word = { name: one.name, conflict: false, comparison: '=', version: one.record.version } as const;
    const tags = new Set(one.repository.tag === undefined ? [] : [one.repository.tag]);
    const floor = this.#levels.length;
    const open = { word, of: undefined, level: WORLD_LEVEL, tags };
    const level = this.#openLevel(open, [], 0, 0);
    this.#choose(one, { type: 'install_if', words: one.installIf }, tags);
    if (this.#search(floor) === undefined) return true;
    this.#levels.length = floor;
    this.#undo(level);
    return false;
  }

  #obstacleOf(candidate: Provider): Blocked['obstacle'] {
    if (!isChosenUnasked(candidate)) return 'unasked';
    return this.#catalogue.isInstallable(candidate.package)
      ? (this.#selection.obstacle(candidate) ?? 'lacks')
      : 'lacks';
  }

  #failureOf({ open, candidates }: Level): Unsolvable {
    const obstacles = candidates.map((candidate) => ({
      package: candidate.package,
      obstacle: this.#obstacleOf(candidate),
    }));
    return { requirement: { word: open.word, of: open.of }, obstacles };
  }
}

/** Whether packages of a repository may be installed where these tags are allowed. */
function isAllowed({ tag }: { readonly tag?: string }, tags: ReadonlySet<string>): boolean {
  return tag === undefined || tags.has(tag);
}

const NO_TAGS: ReadonlySet<string> = new Set();

function tagsOf({ tag }: Dependency): ReadonlySet<string> {
  return tag === undefined ? NO_TAGS : new Set([tag]);
}

function byNameAndPreference(a: Package, b: Package): number {
  if (a.name !== b.name) return a.name < b.name ? -1 : 1;
  const [x] = a.provides;
  const newer =
    x !== undefined &&
    isMatch({ name: a.name, conflict: false, comparison: '>', version: b.record.version }, { package: a, provided: x });
  return newer ? -1 : 1;
}
