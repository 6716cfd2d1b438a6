/** The copyright file of the packages has the form of DEP-5, and for each bundled package a holder and a licence text. */
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { copyrightFile } from '../packaging/licences.ts';

const MODULES = resolve(import.meta.dirname, '../node_modules');
const COMMON = '/usr/share/common-licenses';

/** The last brings no licence file: its manifest names the licence MIT and the authors. */
const PACKAGES = ['commander', 'koffi', 'modern-tar', '@bomb.sh/tab'];

const text = copyrightFile(
  PACKAGES.map((name) => join(MODULES, name)),
  COMMON,
);
const [head = '', own = '', ...others] = text.trimEnd().split('\n\n');

test('its head and our own licence', () => {
  expect(head).toMatch(/^Format: https:\/\/www\.debian\.org\/doc\/packaging-manuals\/copyright-format\/1\.0\/\n/);
  expect(own).toBe(
    'Files: *\nCopyright: 2026 The Meshwork authors\nLicense: Apache-2.0\n' +
      ` The text of this licence is in ${COMMON}/Apache-2.0.`,
  );
});

test('a paragraph for each package, with holder, licence and text', () => {
  expect(others).toHaveLength(PACKAGES.length);
  for (const [index, paragraph] of others.entries()) {
    expect(paragraph).toMatch(
      /^Files: node_modules\/\S+\/\*\nCopyright: \S.*\n( {11}\S.*\n)*License: (Expat|ISC|BSD-3-Clause)\n( \S.*\n)+ /,
    );
    expect(paragraph).toContain(`node_modules/${PACKAGES[index]}/*`);
    expect(paragraph).toMatch(/ ?(?:THE )?SOFTWARE IS PROVIDED/i);
  }
  expect(others.at(-1)).toContain('Copyright: Bombshell Authors (https://github.com/bombshell-dev)\n');
});

test('a package of another licence without its text is an error', () => {
  expect(() => copyrightFile([join(MODULES, '@types/node', '..')])).toThrow();
});
