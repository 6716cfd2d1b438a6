import { expect, test } from 'vitest';
import { bruteSolve } from '../../../test/kit/brute-solver.ts';
import { packageRecord } from '../../../test/kit/package-records.ts';
import { pick, randomFrom } from '../../../test/kit/random.ts';
import { type Dependency, parseDependency } from '../../formats/apk/dependency.ts';
import { PackageCatalogue } from './catalogue.ts';
import { Solver } from './solver.ts';
import { superset } from './superset.ts';

const NAMES = ['a', 'b', 'c', 'd', 'e', 'f'];
const VIRTUAL = ['so:x', 'cmd:y', '/bin/z', 'v'];

/**
 * A repository of at most ten packages, and words for a machine.
 * @param versions of its packages
 * @param triggers whether packages have `install_if`
 */
function randomCase(seed: number, { versions = ['1', '1.1', '2'], most = 7, triggers = true } = {}) {
  const random = randomFrom(seed);
  const chance = (percent: number) => random() * 100 < percent;
  const word = (): string => {
    const ban = chance(8) ? '!' : '';
    const name = pick(random, chance(30) ? VIRTUAL : NAMES);
    const comparison = chance(30) ? pick(random, ['=1', '=2', '>=2', '<2', '~1', '>1', '<=1']) : '';
    return `${ban}${name}${comparison}`;
  };
  const words = (most: number) => Array.from({ length: Math.floor(random() * (most + 1)) }, word);
  const titles = new Set<string>();
  const count = 4 + Math.floor(random() * most);
  for (let tries = 0; titles.size < count && tries < 40; tries++)
    titles.add(`${pick(random, NAMES)}-${pick(random, versions)}`);
  const records = [...titles].map((title) => {
    // A package provides a name once.
    const provides = VIRTUAL.filter(() => chance(17)).map((name) => name + pick(random, ['', '', '=1', '=2']));
    const depends = words(2);
    const installIf = chance(50) && triggers ? [pick(random, NAMES), ...(chance(40) ? [word()] : [])] : [];
    return packageRecord(title, {
      ...(depends.length > 0 && { depends: depends.join(' ') }),
      ...(provides.length > 0 && { provides: provides.join(' ') }),
      ...(installIf.length > 0 && { installIf: installIf.join(' ') }),
      ...(chance(30) && { priority: 1 + Math.floor(random() * 3) }),
    });
  });
  const world = [...words(2), pick(random, NAMES)].map((text) => parseDependency(text) as Dependency);
  return { records, world };
}

test('1,000 random repositories solve the same as by looking at every set of packages', () => {
  let [solved, unsolvable, back, triggered] = [0, 0, 0, 0];
  for (let seed = 1; seed <= 1000; seed++) {
    const { records, world } = randomCase(seed);
    const catalogue = new PackageCatalogue([{ name: 'main', records }]);
    const found = Solver.solve(catalogue, world);
    const expected = bruteSolve(records, world);
    const shown = () => `seed ${seed}: ${JSON.stringify(world)} of\n${records.map(({ text }) => text).join('\n\n')}`;
    if (!('choices' in found)) {
      expect(found.gaveUp, shown()).toBeUndefined();
      expect(undefined, shown()).toEqual(expected);
      unsolvable++;
      continue;
    }
    const packages = found.choices.map((choice) => choice.package);
    expect(packages.map(({ title }) => title).sort(), shown()).toEqual(expected);
    const more = superset(catalogue, world);
    expect(
      packages.filter((one) => !more.has(one)),
      shown(),
    ).toEqual([]);
    // What was chosen is enough: a repository of these packages alone gives the same again.
    const again = Solver.solve(
      new PackageCatalogue([{ name: 'main', records: packages.map(({ record }) => record) }]),
      world,
    );
    expect('choices' in again && again.choices.map((choice) => choice.package.title).sort(), shown()).toEqual(expected);
    solved++;
    if (found.tookBack) back++;
    if (found.choices.some(({ reason }) => reason.type === 'install_if')) triggered++;
  }
  // The cases are of all kinds, or the comparison would say little.
  expect(
    [solved > 300, unsolvable > 200, back > 20, triggered > 50],
    `${solved} ${unsolvable} ${back} ${triggered}`,
  ).toEqual([true, true, true, true]);
}, 120_000);

/** A second repository, with a tag, whose versions are others. */
function taggedCase(seed: number, triggers: boolean) {
  const { records, world } = randomCase(seed, { most: 3, triggers });
  const tagged = randomCase(seed + 1_000_000, { versions: ['1.5', '3'], most: 2, triggers }).records;
  const repositories = [
    { name: 'main', records },
    { name: 'edge', tag: 'edge', records: tagged },
  ];
  return { records, tagged, world, catalogue: new PackageCatalogue(repositories) };
}

const titlesOf = (found: ReturnType<typeof Solver.solve>) =>
  'choices' in found ? found.choices.map((choice) => choice.package.title).sort() : undefined;

test('a repository with a tag gives nothing to words without the tag, whatever it has', () => {
  let solved = 0;
  for (let seed = 1; seed <= 300; seed++) {
    const { records, world, catalogue } = taggedCase(seed, true);
    const expected = bruteSolve(records, world);
    expect(titlesOf(Solver.solve(catalogue, world)), `seed ${seed}`).toEqual(expected);
    if (expected !== undefined) solved++;
  }
  expect(solved).toBeGreaterThan(50);
});

test('words with a tag take what they name from that repository, and what it needs from both', () => {
  let [solved, fromTagged, fromBoth] = [0, 0, 0];
  for (let seed = 1; seed <= 300; seed++) {
    // Without install_if: a package that comes unasked has no word with a tag.
    const { records, tagged, world, catalogue } = taggedCase(seed, false);
    const words = world.map((word) => (word.conflict ? word : { ...word, tag: 'edge' }));
    const expected = bruteSolve([...records, ...tagged], words, new Set(tagged));
    const shown = `seed ${seed}: ${JSON.stringify(words)} of\n${[...records, ...tagged].map(({ text }) => text).join('\n\n')}`;
    expect(titlesOf(Solver.solve(catalogue, words)), shown).toEqual(expected);
    if (expected === undefined) continue;
    solved++;
    const titles = new Set(tagged.map(({ name, version }) => `${name}-${version}`));
    const count = expected.filter((title) => titles.has(title)).length;
    if (count > 0) fromTagged++;
    if (count > 0 && count < expected.length) fromBoth++;
  }
  expect([solved > 50, fromTagged > 50, fromBoth > 20], `${solved} ${fromTagged} ${fromBoth}`).toEqual([
    true,
    true,
    true,
  ]);
});
