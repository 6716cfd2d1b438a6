import { describe, expect, test } from 'vitest';
import { randomFrom } from '../../../test/kit/random.ts';
import { compareVersions, isVersion } from './version.ts';

/** Pairs in order: the first is older. */
const OLDER: readonly (readonly [string, string])[] = [
  ['1.0', '1.1'],
  ['1.9', '1.10'],
  ['1', '1.0'],
  ['1.0', '1.0.0'],
  ['1.0', '1.0a'],
  ['1.0a', '1.0b'],
  ['1.0_alpha', '1.0_beta'],
  ['1.0_beta', '1.0_pre'],
  ['1.0_pre', '1.0_rc'],
  ['1.0_rc', '1.0'],
  ['1.0', '1.0_cvs'],
  ['1.0_cvs', '1.0_svn'],
  ['1.0_svn', '1.0_git'],
  ['1.0_git', '1.0_hg'],
  ['1.0_hg', '1.0_p'],
  ['1.0_rc', '1.0_rc1'],
  ['1.0_rc1', '1.0_rc2'],
  ['1.0_rc9', '1.0_rc10'],
  ['1.0_p1', '1.0_p1-r1'],
  ['1.0-r0', '1.0-r1'],
  ['1.0-r9', '1.0-r10'],
  ['1.0', '1.0-r0'],
  ['1.0~abc', '1.0~abd'],
  ['1.0', '1.0~abc'],
  ['1.0_rc1_p1', '1.0_p1'],
  ['1.0_alpha_p1', '1.0'],
  ['1.0a_rc1', '1.0a'],
  ['0.1', '1.01'],
  // A number with a zero in front is compared as text, except the first one.
  ['1.02', '1.1'],
  ['8.2.0015', '8.2.002'],
  ['8.2.0', '8.2.001'],
  ['1.99999999999999999998', '1.99999999999999999999'],
  ['99999999999999999998', '99999999999999999999'],
  ['20231231', '100000000000000000000'],
];

describe('the order of versions', () => {
  test.each(OLDER)('%s is older than %s', (older, newer) => {
    expect(compareVersions(older, newer)).toBeLessThan(0);
    expect(compareVersions(newer, older)).toBeGreaterThan(0);
  });

  test('equal versions may be written in two ways', () => {
    expect(compareVersions('01.1', '1.1')).toBe(0);
    expect(compareVersions('1.0_rc01', '1.0_rc1')).toBe(0);
    expect(compareVersions('1.0-r01', '1.0-r1')).toBe(0);
  });
});

describe('a fuzzy comparison', () => {
  test.each([
    ['1.2.3', '1.2', true],
    ['1.2', '1.2', true],
    ['1.2-r5', '1.2', true],
    ['1.2.3-r1', '1.2.3', true],
    ['1.2_rc1', '1.2', true],
    ['3.11.6-r1', '3.11', true],
    ['1.20', '1.2', false],
    // apk 3 asks in one direction alone; 2.14 also took the shorter version.
    ['1.2', '1.2.3', false],
    ['1.3', '1.2', false],
  ])('%s fits ~%s: %s', (version, wanted, fits) => {
    expect(compareVersions(version, wanted, true) === 0).toBe(fits);
  });
});

describe('the grammar', () => {
  test.each([
    '1',
    '0',
    '1.2.3',
    '1.2a',
    '1_p',
    '1.0_rc',
    '1.0_alpha1_p2',
    '1.0~abc',
    '1.0a_git20240101~0f-r12',
    '007',
  ])('%s is a version', (text) => expect(isVersion(text)).toBe(true));

  test.each([
    ...['', 'a', '.1', '1.', '1..2', '1.0-r', '1.0-1', '1.0-rx', '1.0-r1-r2', '1.0_foo', '1.0_', '1.0ab', '1.0a1'],
    ...['1.0a.1', '1.0_p1.2', '1.0~', '1.0~xyz', '1.0~ab_p', '1.0-r1~ab', '1.0_p1a', '9:4', '1.0+dfsg', '1.0 ', '１'],
    '1'.repeat(257),
  ])('%s is none', (text) => expect(isVersion(text)).toBe(false));
});

test('the order of 3,000 random triples is antisymmetric and transitive', () => {
  const random = randomFrom(20_261_201);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const version = () => {
    const numbers = Array.from({ length: 1 + Math.floor(random() * 3) }, () => pick(['0', '1', '2', '10', '9', '01']));
    const suffix = pick(['', '', '_rc', '_rc1', '_p', '_p2', '_alpha', '_git3', '_rc1_p1']);
    return `${numbers.join('.')}${pick(['', '', 'a', 'b'])}${suffix}${pick(['', '', '~ab', '~b'])}${pick(['', '-r0', '-r1', '-r12'])}`;
  };
  for (let round = 0; round < 3000; round++) {
    const [a, b, c] = [version(), version(), version()];
    expect(Math.sign(compareVersions(a, b)), `${a} ${b}`).toBe(-Math.sign(compareVersions(b, a)) || 0);
    if (compareVersions(a, b) <= 0 && compareVersions(b, c) <= 0) {
      expect(compareVersions(a, c), `${a} ${b} ${c}`).toBeLessThanOrEqual(0);
    }
  }
});
