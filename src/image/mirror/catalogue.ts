/** The packages of several repositories together, by the names that they provide. */
import {
  type Dependency,
  isNamed,
  type Provided,
  parseProvided,
  readDependency,
  wordsOf,
} from '../../formats/apk/dependency.ts';
import type { PackageRecord } from '../../formats/apk/package-index.ts';
import { compareVersions } from '../../formats/apk/version.ts';

/** The packages of one repository. */
export interface Repository {
  /** As in its path, such as `main`. */
  readonly name: string;
  /** Of a line `@tag URL`: its packages are for words with this tag, and for what those need. */
  readonly tag?: string;
  readonly records: readonly PackageRecord[];
}

/** A package that can be installed. Two packages with the same name are two versions of one. */
export class Package {
  readonly record: PackageRecord;
  readonly repository: Repository;
  /** The place of its repository: of two equal packages, that of the first repository counts. */
  readonly place: number;
  #depends: readonly Dependency[] | undefined;
  #provides: readonly Provided[] | undefined;
  #installIf: readonly Dependency[] | undefined;

  constructor(record: PackageRecord, repository: Repository, place: number) {
    this.record = record;
    this.repository = repository;
    this.place = place;
  }

  get name(): string {
    return this.record.name;
  }

  /** `name-version`, as in the name of its file. */
  get title(): string {
    return `${this.record.name}-${this.record.version}`;
  }

  get depends(): readonly Dependency[] {
    this.#depends ??= dependenciesOf(this.record.depends);
    return this.#depends;
  }

  /** Its own name and version first. */
  get provides(): readonly Provided[] {
    const { name, version, provides } = this.record;
    this.#provides ??= [{ name, version }, ...wordsOf(provides).flatMap((word) => parseProvided(word) ?? [])];
    return this.#provides;
  }

  /** The conditions under which apk installs the package unasked; empty: never. */
  get installIf(): readonly Dependency[] {
    this.#installIf ??= dependenciesOf(this.record.installIf);
    return this.#installIf;
  }
}

/** A package as one that provides a name. */
export interface Provider {
  readonly package: Package;
  readonly provided: Provided;
}

/** All packages. What it gives does not change. */
export class PackageCatalogue {
  readonly repositories: readonly Repository[];
  readonly #providers = new Map<string, Provider[]>();
  readonly #sorted = new Set<string>();
  /** Packages with `install_if`, by each name in their conditions; those without a name to wait for are never installed. */
  readonly #waiting = new Map<string, Package[]>();
  readonly #installable = new Map<Package, boolean>();

  /** @param repositories in the order of `/etc/apk/repositories` */
  constructor(repositories: readonly Repository[]) {
    this.repositories = repositories;
    const checksums = new Set<string>();
    for (const [place, repository] of repositories.entries()) {
      for (const record of repository.records) {
        // apk takes two records with one checksum for one package.
        if (checksums.has(record.checksum)) continue;
        checksums.add(record.checksum);
        this.#add(new Package(record, repository, place));
      }
    }
  }

  /** Everything that provides a name, the most preferred first. */
  providersOf(name: string): readonly Provider[] {
    const providers = this.#providers.get(name);
    if (providers === undefined) return [];
    if (providers.length > 1 && !this.#sorted.has(name)) {
      providers.sort(byPreference);
      this.#sorted.add(name);
    }
    return providers;
  }

  /** Those providers that are what a dependency names, without regard to `conflict`. */
  matchesOf(dependency: Dependency): readonly Provider[] {
    return this.providersOf(dependency.name).filter((provider) => isMatch(dependency, provider));
  }

  /** Packages that may be installed unasked once something provides `name`. */
  waitingFor(name: string): readonly Package[] {
    return this.#waiting.get(name) ?? [];
  }

  /** The names that packages provide. */
  get names(): IterableIterator<string> {
    return this.#providers.keys();
  }

  /**
   * False for a package that can never be installed, because something that it needs is not there. Packages that need each
   * other in a circle count as installable here.
   */
  isInstallable(one: Package): boolean {
    const known = this.#installable.get(one);
    if (known !== undefined) return known;
    // A package that is asked for again while it is being found out is in a circle.
    const visit = (visited: Package): boolean => {
      const before = this.#installable.get(visited);
      if (before !== undefined) return before;
      this.#installable.set(visited, true);
      const isSound = visited.depends.every(
        (dependency) => dependency.conflict || this.matchesOf(dependency).some((match) => visit(match.package)),
      );
      if (!isSound) this.#installable.set(visited, false);
      return isSound;
    };
    return visit(one);
  }

  #add(one: Package): void {
    for (const provided of one.provides) {
      const list = this.#providers.get(provided.name);
      if (list === undefined) this.#providers.set(provided.name, [{ package: one, provided }]);
      else list.push({ package: one, provided });
    }
    if (one.record.installIf === '') return;
    for (const { name, conflict } of one.installIf) {
      if (conflict) continue;
      const list = this.#waiting.get(name);
      if (list === undefined) this.#waiting.set(name, [one]);
      else list.push(one);
    }
  }
}

/** Whether a provider is what a dependency names, without regard to `conflict`. */
export function isMatch(dependency: Dependency, { package: one, provided }: Provider): boolean {
  return isNamed(dependency, provided, one.record.checksum);
}

/**
 * Whether apk chooses a provider for a dependency by itself. Of providers without a version it chooses only those with a
 * priority; the others have to be named.
 */
export function isChosenUnasked({ package: one, provided }: Provider): boolean {
  return provided.version !== undefined || one.record.priority > 0;
}

/** The order in which apk prefers the providers of one name (apk-tools, src/solver.c, compare_providers). */
function byPreference(a: Provider, b: Provider): number {
  const versions = byVersion(a.provided.version, b.provided.version);
  if (versions !== 0) return versions;
  const [x, y] = [a.package.record, b.package.record];
  const own = x.name === y.name ? compareVersions(y.version, x.version) : 0;
  const order = own || y.priority - x.priority || a.package.place - b.package.place;
  return order || (x.name < y.name ? -1 : x.name > y.name ? 1 : 0);
}

function byVersion(a: string | undefined, b: string | undefined): number {
  if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined);
  return compareVersions(b, a);
}

function dependenciesOf(text: string): readonly Dependency[] {
  return wordsOf(text).flatMap((word) => readDependency(word) ?? []);
}
