/** Which failures are looked at a second time. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { filesToRunAgain } from './failed-files.ts';

const files = (...paths: string[]): string[] => paths.map((path) => join(import.meta.dirname, '..', path));
const [store, trace, storm] = files(
  'test/system/27-store/etcd.test.ts',
  'test/system/a.test.ts',
  'test/system/b.test.ts',
);

test('one or two failed files of the system run again', () => {
  expect(filesToRunAgain([store, trace] as string[], 0)).toEqual([
    'test/system/27-store/etcd.test.ts',
    'test/system/a.test.ts',
  ]);
});

test.each([
  ['none', [], 0],
  ['more than two', [store, trace, storm], 0],
  ['a unit test', [store, ...files('src/model/vni.test.ts')], 0],
  ['the simulation', files('test/sim/seeds.test.ts'), 0],
  ['an error outside of the tests', [store], 1],
])('%s: nothing runs again', (_name, failed, errors) => {
  expect(filesToRunAgain(failed as string[], errors as number)).toEqual([]);
});
