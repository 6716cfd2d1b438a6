import { describe, expect, test } from 'vitest';
import { type PackageWords, packageRecord } from '../../../test/kit/package-records.ts';
import { type Dependency, parseDependency } from '../../formats/apk/dependency.ts';
import { PackageCatalogue, type Repository } from './catalogue.ts';
import { unsolvedRefusal } from './refusal.ts';
import { Solver } from './solver.ts';
import { superset } from './superset.ts';

type Words = Readonly<Record<string, PackageWords>>;

const repository = (packages: Words, name = 'main', tag?: string): Repository => ({
  name,
  ...(tag !== undefined && { tag }),
  records: Object.entries(packages).map(([title, words]) => packageRecord(title, words, name)),
});
const dependencies = (words: string) => words.split(' ').map((word) => parseDependency(word) as Dependency);

/** What is installed, sorted; or why nothing is. */
function solve(packages: Words | readonly Repository[], words: string): string {
  const catalogue = new PackageCatalogue(Array.isArray(packages) ? packages : [repository(packages as Words)]);
  const solution = Solver.solve(catalogue, dependencies(words));
  if (!('choices' in solution)) return unsolvedRefusal(catalogue, solution, 'node1').message;
  return solution.choices
    .map((choice) => choice.package.title)
    .sort()
    .join(' ');
}

const remedyOf = (packages: Words, words: string) => {
  const catalogue = new PackageCatalogue([repository(packages)]);
  const solution = Solver.solve(catalogue, dependencies(words));
  return 'choices' in solution ? '' : unsolvedRefusal(catalogue, solution, 'node1').remedy;
};

describe('dependencies', () => {
  test.each<[string, Words, string, string]>([
    ['a chain', { 'a-1': { depends: 'b' }, 'b-1': { depends: 'c' }, 'c-1': {} }, 'a', 'a-1 b-1 c-1'],
    [
      'a diamond',
      { 'a-1': { depends: 'b c' }, 'b-1': { depends: 'd' }, 'c-1': { depends: 'd' }, 'd-1': {} },
      'a',
      'a-1 b-1 c-1 d-1',
    ],
    ['a circle', { 'a-1': { depends: 'b' }, 'b-1': { depends: 'a' } }, 'a', 'a-1 b-1'],
    ['a library', { 'a-1': { depends: 'so:libx.so.1' }, 'x-3': { provides: 'so:libx.so.1=1.0' } }, 'a', 'a-1 x-3'],
    ['a command', { 'a-1': { depends: 'cmd:x' }, 'x-3': { provides: 'cmd:x=3' } }, 'a', 'a-1 x-3'],
    ['pkg-config', { 'a-1': { depends: 'pc:x>=1' }, 'x-3': { provides: 'pc:x=1.5' } }, 'a', 'a-1 x-3'],
    ['a path', { 'a-1': { depends: '/bin/sh' }, 'x-3': { provides: '/bin/sh', priority: 1 } }, 'a', 'a-1 x-3'],
    ['the newest version', { 'a-1': {}, 'a-2': {}, 'a-1.5': {} }, 'a', 'a-2'],
    ['<', { 'a-1': {}, 'a-2': {} }, 'a<2', 'a-1'],
    ['<=', { 'a-1': {}, 'a-2': {}, 'a-3': {} }, 'a<=2', 'a-2'],
    ['=', { 'a-1': {}, 'a-2': {} }, 'a=1', 'a-1'],
    ['>=', { 'a-1': {}, 'a-2': {} }, 'a>=1', 'a-2'],
    ['>', { 'a-1': {}, 'a-2': {} }, 'a>1', 'a-2'],
    ['~', { 'a-1.2.3': {}, 'a-1.20': {}, 'a-2': {} }, 'a~1.2', 'a-1.2.3'],
    ['=~ is ~', { 'a-1.2.3-r4': {}, 'a-2': {} }, 'a=~1.2', 'a-1.2.3-r4'],
    ['>~', { 'a-1': {}, 'a-1.2.3': {} }, 'a>~1.2', 'a-1.2.3'],
    [
      'an older version where the newest does not fit',
      { 'a-1': { depends: 'c b<2' }, 'c-1': { depends: 'b' }, 'b-1': {}, 'b-2': {} },
      'a',
      'a-1 b-1 c-1',
    ],
  ])('%s', (_, packages, words, installed) => {
    expect(solve(packages, words)).toBe(installed);
  });

  test('a checksum names one package', () => {
    const { checksum } = packageRecord('a-1', {}, 'main');
    expect(solve({ 'a-1': {}, 'a-2': {} }, `a><${checksum}`)).toBe('a-1');
  });
});

describe('providers', () => {
  test('the one with the highest priority is chosen, of those without a version', () => {
    const packages = { 'x-1': { provides: 'v', priority: 10 }, 'y-1': { provides: 'v', priority: 100 } };
    expect(solve(packages, 'v')).toBe('y-1');
    // Both provide it without a version, so that both may be there.
    expect(solve(packages, 'v x')).toBe('x-1');
  });

  test('without priorities none is chosen, and the error names them', () => {
    const packages = { 'a-1': { depends: 'v' }, 'x-1': { provides: 'v' }, 'y-1': { provides: 'v' } };
    expect(solve(packages, 'a')).toBe('a-1, for node1, needs v: x and y provide it, and apk does not choose by itself');
    expect(solve(packages, 'a y')).toBe('a-1 y-1');
  });

  test('the highest version of what is provided is chosen', () => {
    expect(solve({ 'x-1': { provides: 'v=1' }, 'y-1': { provides: 'v=2' } }, 'v')).toBe('y-1');
    expect(solve({ 'x-1': { provides: 'v=1' }, 'y-1': { provides: 'v=2' } }, 'v x')).toBe('x-1');
  });

  test('two versions of one name do not go together', () => {
    const packages = { 'x-1': { provides: 'v=1' }, 'y-1': { provides: 'v=2' } };
    expect(solve(packages, 'x y')).toBe('node1 needs y: y-1 does not go together with x-1, which is needed, too');
  });
});

describe('conflicts', () => {
  test('of the machine and of packages', () => {
    expect(solve({ 'a-1': { depends: 'v' }, 'x-1': { provides: 'v=2' }, 'y-1': { provides: 'v=1' } }, 'a !x')).toBe(
      'a-1 y-1',
    );
    expect(solve({ 'a-1': { depends: '!b' }, 'b-1': {} }, 'a b')).toBe('node1 needs b: b-1 is forbidden by !b of a-1');
    expect(solve({ 'a-1': { depends: '!b<2' }, 'b-1': {}, 'b-2': {} }, 'a b')).toBe('a-1 b-2');
    // A package may forbid others what it provides itself.
    expect(solve({ 'a-1': { depends: '!v', provides: 'v=1' } }, 'a')).toBe('a-1');
  });
});

describe('install_if', () => {
  test.each<[string, Words, string, string]>([
    ['one condition', { 'a-1': {}, 'a-doc-1': { installIf: 'a' } }, 'a', 'a-1 a-doc-1'],
    ['several', { 'a-1': {}, 'openrc-1': {}, 'a-openrc-1': { installIf: 'openrc a=1' } }, 'a', 'a-1'],
    [
      'several, all met',
      { 'a-1': {}, 'openrc-1': {}, 'a-openrc-1': { installIf: 'openrc a=1' } },
      'a openrc',
      'a-1 a-openrc-1 openrc-1',
    ],
    ['a version that is not there', { 'a-2': {}, 'a-doc-1': { installIf: 'a=1' } }, 'a', 'a-2'],
    ['one after the other', { 'a-1': {}, 'b-1': { installIf: 'a' }, 'c-1': { installIf: 'b' } }, 'a', 'a-1 b-1 c-1'],
    ['with dependencies', { 'a-1': {}, 'b-1': { installIf: 'a', depends: 'c' }, 'c-1': {} }, 'a', 'a-1 b-1 c-1'],
    ['with dependencies that are not there', { 'a-1': {}, 'b-1': { installIf: 'a', depends: 'nope' } }, 'a', 'a-1'],
    ['that is forbidden', { 'a-1': {}, 'b-1': { installIf: 'a' } }, 'a !b', 'a-1'],
    ['with what must not be there', { 'a-1': {}, 'c-1': {}, 'b-1': { installIf: 'a !c' } }, 'a c', 'a-1 c-1'],
  ])('%s', (_, packages, words, installed) => {
    expect(solve(packages, words)).toBe(installed);
  });
});

describe('several repositories', () => {
  test('the higher version wins; of the same version, the first repository', () => {
    const main = repository({ 'a-1': {}, 'b-1': {} });
    const community = repository({ 'a-2': {}, 'b-1': {} }, 'community');
    const catalogue = new PackageCatalogue([main, community]);
    const solution = Solver.solve(catalogue, dependencies('a b'));
    const places =
      'choices' in solution
        ? solution.choices.map((choice) => `${choice.package.title} ${choice.package.repository.name}`)
        : [];
    expect(places).toEqual(['a-2 community', 'b-1 main']);
  });

  test('a tagged one is for what is named with the tag, and for what that needs', () => {
    const main = repository({ 'a-1': {}, 'b-1': {} });
    const edge = repository({ 'a-9': { depends: 'b>5' }, 'b-9': {}, 'c-9': {} }, 'edge', 'edge');
    expect(solve([main, edge], 'a b')).toBe('a-1 b-1');
    expect(solve([main, edge], 'a@edge')).toBe('a-9 b-9');
    expect(solve([main, edge], 'c')).toBe('node1 needs c: only the repository @edge has it');
  });

  test('two records with one checksum are one package', () => {
    const records = [packageRecord('a-1'), packageRecord('a-1')];
    expect(new PackageCatalogue([{ name: 'main', records }]).providersOf('a')).toHaveLength(1);
  });
});

describe('a refusal', () => {
  test('names the package that is not there, who needs it, and the nearest one', () => {
    const packages = { 'a-1': { depends: 'b' }, 'b-1': { depends: 'chronny' }, 'chrony-4': {} };
    expect(solve(packages, 'a')).toBe('b-1, for node1, needs chronny: no repository has it');
    expect(remedyOf(packages, 'a')).toBe('Write chrony if that is meant, or do without b.');
    expect(remedyOf({ 'nodejs-20.12-r0': {} }, 'nodejs>=24')).toBe(
      'Write nodejs without a version, or nodejs=20.12-r0.',
    );
    expect(remedyOf({ 'nftables-1': { provides: 'so:libnftables.so.1=1' } }, 'libnftables')).toBe(
      'Write nftables if that is meant, or remove the line.',
    );
  });
});

test('a superset has the alternatives, too', () => {
  const catalogue = new PackageCatalogue([
    repository({
      'a-1': { depends: 'v' },
      'x-1': { provides: 'v', priority: 1 },
      'y-1': { provides: 'v' },
      'y-openrc-1': { installIf: 'y openrc' },
      'openrc-1': {},
      'z-1': {},
    }),
  ]);
  const titles = [...superset(catalogue, dependencies('a openrc')).keys()].map(({ title }) => title).sort();
  expect(titles).toEqual(['a-1', 'openrc-1', 'x-1', 'y-1', 'y-openrc-1']);
});

test('a thousand alternatives that all fail are not tried in all combinations', () => {
  const packages: Record<string, PackageWords> = { 'bad-1': { depends: '!base' }, 'base-1': {} };
  for (let name = 0; name < 20; name++) {
    for (let version = 1; version <= 50; version++) packages[`p${name}-${version}`] = {};
  }
  const words = Array.from({ length: 20 }, (_, name) => `p${name}`).join(' ');
  expect(solve(packages, `base ${words} bad`)).toContain('bad-1 is forbidden by !base');
});
