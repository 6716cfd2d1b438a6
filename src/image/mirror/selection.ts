/**
 * The packages that are chosen so far for one machine, and what they rule out. Each choice has a level; choices are taken back in
 * the reverse of their order.
 */
import { type Dependency, isNamed, type Provided } from '../../formats/apk/dependency.ts';
import type { Package, Provider } from './catalogue.ts';

/** The level of the machine's own words, which are never taken back. */
export const WORLD_LEVEL = -1;

/** Why a package is there. */
export type Reason =
  /** A word of `/etc/apk/world`, or of what every machine has. */
  | { readonly type: 'word'; readonly word: Dependency }
  | { readonly type: 'dependency'; readonly word: Dependency; readonly of: Package }
  | { readonly type: 'install_if'; readonly words: readonly Dependency[] };

/** A chosen package. */
export interface Choice {
  readonly package: Package;
  readonly reason: Reason;
  readonly level: number;
}

/** A word that forbids. */
interface Ban {
  readonly word: Dependency;
  readonly level: number;
  /** A package does not forbid what it provides itself. */
  readonly by: Package | undefined;
}

/** Why a package cannot be chosen: the other package, or the word that forbids it. */
export type Hindrance =
  | { readonly level: number; readonly other: Package }
  | { readonly level: number; readonly word: Dependency; readonly by: Package | undefined };

interface Given {
  readonly choice: Choice;
  readonly provided: Provided;
}

/** Choices of packages. */
export class Selection {
  readonly #choices: Choice[] = [];
  readonly #byName = new Map<string, Choice>();
  readonly #given = new Map<string, Given[]>();
  readonly #bans = new Map<string, Ban[]>();

  /** In the order in which they were chosen. */
  get choices(): readonly Choice[] {
    return this.#choices;
  }

  /** The chosen package of a name. */
  chosen(name: string): Choice | undefined {
    return this.#byName.get(name);
  }

  /** The choice that is what a dependency names, without regard to `conflict`. */
  match(word: Dependency, except?: Package): Choice | undefined {
    return this.#given
      .get(word.name)
      ?.find(
        ({ choice, provided }) => choice.package !== except && isNamed(word, provided, choice.package.record.checksum),
      )?.choice;
  }

  /** Forbids what a word of the machine means. */
  forbid(word: Dependency): void {
    this.#ban({ word, level: WORLD_LEVEL, by: undefined });
  }

  /** What keeps a package from being chosen now; undefined if nothing does. */
  obstacle({ package: one }: Provider): Hindrance | undefined {
    const same = this.#byName.get(one.name);
    if (same !== undefined) return { level: same.level, other: same.package };
    for (const provided of one.provides) {
      for (const { choice, provided: other } of this.#given.get(provided.name) ?? []) {
        // Several packages can provide a name together only if all of them provide it without a version.
        const isShared = provided.version === undefined && other.version === undefined;
        if (!isShared) return { level: choice.level, other: choice.package };
      }
      const { checksum } = one.record;
      const ban = this.#bans.get(provided.name)?.find(({ word }) => isNamed(word, provided, checksum));
      if (ban !== undefined) return ban;
    }
    for (const word of one.depends) {
      const banned = word.conflict ? this.match(word, one) : undefined;
      if (banned !== undefined) return { level: banned.level, word, by: one };
    }
    return undefined;
  }

  choose(choice: Choice): void {
    const { package: one, level } = choice;
    this.#choices.push(choice);
    this.#byName.set(one.name, choice);
    for (const provided of one.provides) push(this.#given, provided.name, { choice, provided });
    for (const word of one.depends) if (word.conflict) this.#ban({ word, level, by: one });
  }

  /** Takes choices back until `count` are left. */
  truncate(count: number): void {
    while (this.#choices.length > count) {
      const one = this.#choices.pop()?.package;
      if (one === undefined) return;
      this.#byName.delete(one.name);
      for (const { name } of one.provides) this.#given.get(name)?.pop();
      for (const { name, conflict } of one.depends) if (conflict) this.#bans.get(name)?.pop();
    }
  }

  #ban(ban: Ban): void {
    push(this.#bans, ban.word.name, ban);
  }
}

function push<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}
