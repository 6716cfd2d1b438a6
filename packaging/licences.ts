/** The copyright file: our own licence, and those of the packages that are in the bundles. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { TOP } from './bundle.ts';

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license: string;
}

/**
 * The text of the copyright file.
 * @param packages directories, each with a package.json
 * @param common where a distribution has the licences that many packages share, by their names
 */
export function licences(packages: readonly string[], common?: string): string {
  return [TOP, ...packages].map((directory) => licenceOf(directory, common)).join(`\n${'-'.repeat(80)}\n\n`);
}

/** A few packages have no licence file: then only the name of the licence in their manifest is passed on. */
function licenceOf(directory: string, common: string | undefined): string {
  const { name, version, license } = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as Manifest;
  const about = `${name} ${version}: ${license}\n`;
  if (common !== undefined && license === 'Apache-2.0') return `${about}\nIts text is in ${join(common, license)}.\n`;
  const [file] = globSync('{LICENSE,LICENCE,license}{,.md,.txt}', { cwd: directory }).sort();
  return about + (file === undefined ? '' : `\n${readFileSync(join(directory, file), 'utf8')}`);
}
