/** What is downloaded from others: fixed by its hash, from no fixed address, and never run at its installation. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';

const TOP = resolve(import.meta.dirname, '..');

interface Locked {
  readonly resolved?: string;
  readonly integrity?: string;
  readonly hasInstallScript?: boolean;
  readonly link?: boolean;
}

function json(file: string): Record<string, Record<string, unknown>> {
  return JSON.parse(readFileSync(join(TOP, file), 'utf8')) as Record<string, Record<string, unknown>>;
}

const PACKAGES = Object.entries(json('package-lock.json').packages ?? {})
  .filter(([path]) => path !== '')
  .map(([path, locked]): [string, Locked] => [path, locked as Locked]);

/** Packages with a program for their installation, each with the reason why it is not needed. */
const WITH_INSTALL_SCRIPT: Readonly<Record<string, string>> = {
  'node_modules/esbuild': 'its programs are packages of their own; the script checks that one is there',
  'node_modules/fsevents': 'is installed on macOS only',
  'node_modules/koffi': 'its native code is a package of its own; the script would compile it where there is none',
};

test('every package is fixed by its SHA-512, and names no address to download it from', () => {
  expect(PACKAGES.length).toBeGreaterThan(100);
  expect(PACKAGES.filter(([, { integrity }]) => !/^sha512-[\w+/]{86}==$/.test(integrity ?? ''))).toEqual([]);
  expect(PACKAGES.filter(([, { resolved, link }]) => resolved !== undefined || link === true)).toEqual([]);
});

test('no program of a package runs at its installation, nor one of ours', () => {
  expect(readFileSync(join(TOP, '.npmrc'), 'utf8')).toMatch(/^ignore-scripts=true$/m);
  const running = PACKAGES.filter(([, { hasInstallScript }]) => hasInstallScript === true).map(([path]) => path);
  expect(running.filter((path) => WITH_INSTALL_SCRIPT[path] === undefined)).toEqual([]);
  // With ignore-scripts npm would leave these out without a word.
  const ours = Object.keys(json('package.json').scripts ?? {});
  expect(ours.filter((name) => /^(?:pre|post)|install|prepare|^dependencies$/.test(name))).toEqual([]);
});
