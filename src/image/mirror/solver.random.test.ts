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

/** A repository of at most ten packages, and words for a machine. */
function randomCase(seed: number) {
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
  const count = 4 + Math.floor(random() * 7);
  for (let tries = 0; titles.size < count && tries < 40; tries++)
    titles.add(`${pick(random, NAMES)}-${pick(random, ['1', '1.1', '2'])}`);
  const records = [...titles].map((title) => {
    // A package provides a name once.
    const provides = VIRTUAL.filter(() => chance(17)).map((name) => name + pick(random, ['', '', '=1', '=2']));
    const depends = words(2);
    const installIf = chance(50) ? [pick(random, NAMES), ...(chance(40) ? [word()] : [])] : [];
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
