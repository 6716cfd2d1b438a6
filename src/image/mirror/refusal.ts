/** Why the packages of a machine cannot be installed, in words: the package, who needs it, and what could be had in its place. */
import { type Dependency, dependencyText } from '../../formats/apk/dependency.ts';
import { nearest } from '../../formats/conf/nearest.ts';
import { MeshError } from '../../model/error.ts';
import type { Package, PackageCatalogue } from './catalogue.ts';
import type { Blocked, Requirement, Unsolvable } from './solver.ts';

/** No chain of packages is longer in words. */
const DEPTH_MAX = 12;
const SHOWN = 5;

/**
 * MESH_MIRROR_PACKAGE for a machine.
 * @param machine the name of its folder, or what else has these words
 */
export function unsolvedRefusal(catalogue: PackageCatalogue, unsolvable: Unsolvable, machine: string): MeshError {
  if (unsolvable.gaveUp === true) {
    return new MeshError(
      'MESH_MIRROR_PACKAGE',
      `the packages of ${machine} could not be worked out in reasonable time`,
      {
        operation: 'solve packages',
        object: machine,
        remedy: `Name which of several packages ${machine} should have, in place of what they provide.`,
      },
    );
  }
  const { requirement, obstacles } = deepest(catalogue, unsolvable);
  const word = dependencyText(requirement.word);
  const who = requirement.of === undefined ? machine : `${requirement.of.title}, for ${machine},`;
  const { why, remedy } = explain(catalogue, requirement, obstacles);
  return new MeshError('MESH_MIRROR_PACKAGE', `${who} needs ${word}: ${why}`, {
    operation: 'solve packages',
    object: machine,
    rule: 'apk leaves out what it cannot install when a machine boots, without an error: so a mirror has all of it, or is not published.',
    remedy,
  });
}

/** Goes down to the package that is not there, where a chain of packages needs it. */
function deepest(catalogue: PackageCatalogue, from: Unsolvable): Pick<Unsolvable, 'requirement' | 'obstacles'> {
  let at: Pick<Unsolvable, 'requirement' | 'obstacles'> = from;
  for (let depth = 0; depth < DEPTH_MAX; depth++) {
    const lacking = at.obstacles.length > 0 && at.obstacles.every(({ obstacle }) => obstacle === 'lacks');
    const one = lacking ? at.obstacles[0]?.package : undefined;
    const need = one?.depends.find(
      (word) => !word.conflict && !catalogue.matchesOf(word).some((match) => catalogue.isInstallable(match.package)),
    );
    if (one === undefined || need === undefined) return at;
    const obstacles = catalogue
      .matchesOf(need)
      .map((match) => ({ package: match.package, obstacle: 'lacks' }) as const);
    at = { requirement: { word: need, of: one }, obstacles };
  }
  return at;
}

interface Explanation {
  readonly why: string;
  readonly remedy: string;
}

function explain(catalogue: PackageCatalogue, { word, of }: Requirement, obstacles: readonly Blocked[]): Explanation {
  const remove = of === undefined ? 'remove the line' : `do without ${of.name}`;
  if (obstacles.length === 0) return explainMissing(catalogue, word, remove);
  if (obstacles.every(({ obstacle }) => obstacle === 'unasked')) {
    const names = namesOf(obstacles.map((blocked) => blocked.package));
    const [first = ''] = names;
    return {
      why: `${listed(names)} provide${names.length === 1 ? 's' : ''} it, and apk does not choose by itself`,
      remedy: `Add the one that is wanted to the packages, for example ${first}.`,
    };
  }
  const blocked = obstacles.find(({ obstacle }) => typeof obstacle === 'object');
  if (blocked === undefined || typeof blocked.obstacle !== 'object') {
    return { why: 'what it needs itself cannot be had together', remedy: `Name other packages, or ${remove}.` };
  }
  const { title } = blocked.package;
  if ('other' in blocked.obstacle) {
    const { other } = blocked.obstacle;
    return {
      why: `${title} does not go together with ${other.title}, which is needed, too`,
      remedy: `Choose one of the two, or ${remove}.`,
    };
  }
  const { by, word: ban } = blocked.obstacle;
  return {
    why: `${title} is forbidden by ${dependencyText(ban)} of ${by === undefined ? 'the packages of the machine' : by.title}`,
    remedy: `Take ${by === undefined ? dependencyText(ban) : by.name} away, or ${remove}.`,
  };
}

/** Nothing provides the name, or nothing in that version. */
function explainMissing(catalogue: PackageCatalogue, word: Dependency, remove: string): Explanation {
  const others = catalogue.providersOf(word.name);
  if (others.length > 0) {
    const [best] = others;
    const titles = [...new Set(others.map((other) => other.package.title))];
    const isTagged = others.every((other) => other.package.repository.tag !== undefined);
    const tag = best?.package.repository.tag;
    if (isTagged && tag !== undefined && word.tag !== tag) {
      return { why: `only the repository @${tag} has it`, remedy: `Write ${word.name}@${tag}, or ${remove}.` };
    }
    return {
      why: `the repositories have ${listed(titles)}`,
      remedy: `Write ${word.name} without a version, or ${word.name}=${best?.provided.version ?? best?.package.record.version}.`,
    };
  }
  const bare = word.name.replace(/^(?:so|cmd|pc):/, '');
  const near =
    nearbyLibrary(catalogue, bare) ??
    nearest(
      word.name,
      [...catalogue.names].filter((name) => !name.includes(':')),
    );
  return {
    why: 'no repository has it',
    remedy: near === undefined ? `Correct the name, or ${remove}.` : `Write ${near} if that is meant, or ${remove}.`,
  };
}

/** The package with the library `libx` in it, for who names the library as a package. */
function nearbyLibrary(catalogue: PackageCatalogue, name: string): string | undefined {
  if (!name.startsWith('lib')) return undefined;
  const found = [...catalogue.names].find((other) => other.startsWith(`so:${name}.so`));
  return found === undefined ? undefined : catalogue.providersOf(found)[0]?.package.name;
}

function namesOf(packages: readonly Package[]): readonly string[] {
  return [...new Set(packages.map(({ name }) => name))];
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, SHOWN);
  const more = names.length > SHOWN ? [`${names.length - SHOWN} more`] : [];
  const all = [...shown, ...more];
  return all.length === 1 ? String(all[0]) : `${all.slice(0, -1).join(', ')} and ${all.at(-1)}`;
}
