import { describe, expect, test } from 'vitest';
import { dependencyText, isNamed, parseDependency, parseProvided, readDependency } from './dependency.ts';

describe('words that people write', () => {
  test.each([
    ...[
      'chrony',
      '!chrony',
      'htop@edge',
      'htop@edge=3.2-r0',
      'a<1',
      'a<=1',
      'a=1',
      'a>=1',
      'a>1',
      'a~1.2',
      'a<~1',
      'a>~1',
    ],
    ...['so:libc.musl-x86_64.so.1', 'cmd:bash=5.2-r0', 'pc:zlib', 'py3.12:attrs', '/bin/sh', 'g++', '_x', '.x'],
    'a><Q1YCZ4e/kV0Uaynh14//zvTTyN7x8=',
  ])('%s is read, and written as it was', (word) => {
    const found = parseDependency(word);
    expect(found && dependencyText(found)).toBe(word);
  });

  test('the tag comes before the version', () => {
    expect(parseDependency('htop@edge=3.2-r0')).toEqual({
      name: 'htop',
      conflict: false,
      tag: 'edge',
      comparison: '=',
      version: '3.2-r0',
    });
    expect(parseDependency('!so:x~1')).toEqual({ name: 'so:x', conflict: true, comparison: '~', version: '1' });
    expect(parseDependency('a=~1')).toEqual(parseDependency('a~1'));
    expect(parseDependency('a~=1')).toEqual(parseDependency('a~1'));
  });

  test.each([
    ...[
      '',
      '!',
      '#',
      '>=',
      '=1',
      '@edge',
      'a@',
      'a=',
      'a==1',
      'a=1@edge',
      'chrony=4.5-r0@edge',
      'chrony=9:4',
      'a=1.0-1',
    ],
    ...['a=v1', 'a b', 'a\tb', '-a', 'a,', 'a=1=2', 'a<>1', '!!a', 'ä', 'a'.repeat(1001)],
  ])('%s is no word of apk', (word) => expect(parseDependency(word)).toBeUndefined());
});

test('an index may have names and versions that no person could write', () => {
  for (const word of [
    'cmd:[=9.4-r2',
    'nautilus,',
    'cmd:kdevelop!=23.08.4-r0',
    'pc:librtmp=v2.4',
    'opensmtpd=7.4.0p1-r1',
  ]) {
    expect(parseDependency(word), word).toBeUndefined();
    const found = readDependency(word);
    expect(found && dependencyText(found), word).toBe(word);
  }
  expect(readDependency('=1')).toBeUndefined();
  expect(parseProvided('cmd:[=9.4-r2')).toEqual({ name: 'cmd:[', version: '9.4-r2' });
  expect(parseProvided('v')).toEqual({ name: 'v' });
  for (const word of ['!v', 'v>1', 'v@edge', '=1']) expect(parseProvided(word), word).toBeUndefined();
});

test('a name without a version meets only a word without one', () => {
  const word = (text: string) => readDependency(text) ?? { name: '', conflict: false };
  expect(isNamed(word('v'), { name: 'v' }, 'Q1')).toBe(true);
  expect(isNamed(word('v=1'), { name: 'v' }, 'Q1')).toBe(false);
  // A version that is none equals itself alone.
  expect(isNamed(word('v=1.1.0b1-r7'), { name: 'v', version: '1.1.0b1-r7' }, 'Q1')).toBe(true);
});
