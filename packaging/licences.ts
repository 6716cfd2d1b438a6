/**
 * The copyright file, in Debian's machine-readable form (DEP-5): our own licence, and those of the packages that are in
 * the bundles.
 */
import { globSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { TOP } from './bundle.ts';

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly author?: string | { readonly name: string; readonly email?: string };
}

/** What Debian calls a licence, where this is not its SPDX name. */
const DEBIAN_NAMES: Readonly<Record<string, string>> = { MIT: 'Expat' };

/**
 * The text of the copyright file.
 * @param packages directories, each with a package.json
 * @param common where a distribution has the licences that many packages share, by their names
 */
export function copyrightFile(packages: readonly string[], common?: string): string {
  const head = [
    'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/',
    'Upstream-Name: Meshwork',
    'Comment: The programs in /usr/lib/meshwork/dist are bundles of the source of Meshwork and of the npm packages below,',
    ' each at its path in the source tree. The licence of Node.js, where it is in the package, is in a file beside this one.',
  ];
  return [head.join('\n'), ownParagraph(common), ...packages.map(packageParagraph)].join('\n\n').concat('\n');
}

/** The licence file of a package as it is. */
export function licenceText(directory: string): string {
  const { name, version, license } = manifestOf(directory);
  return `${name} ${version}: ${license}\n\n${licenceFileOf(directory) ?? ''}`;
}

function ownParagraph(common: string | undefined): string {
  const licence = readFileSync(join(TOP, 'LICENSE'), 'utf8');
  const { license } = manifestOf(TOP);
  const text = common === undefined ? licence : `The text of this licence is in ${join(common, license)}.`;
  return paragraph('*', copyrightLines(licence), license, text);
}

function packageParagraph(directory: string): string {
  const manifest = manifestOf(directory);
  const { name, version, license } = manifest;
  const text = licenceFileOf(directory) ?? mitText(directory, manifest);
  const comment = `Comment: ${name} ${version}`;
  return `${paragraph(`${relative(TOP, directory)}/*`, copyrightLines(text), DEBIAN_NAMES[license] ?? license, text)}\n${comment}`;
}

function paragraph(files: string, copyrights: readonly string[], licence: string, text: string): string {
  return [
    `Files: ${files}`,
    `Copyright: ${copyrights.join('\n           ')}`,
    `License: ${licence}`,
    ...text.trimEnd().split('\n').map(folded),
  ].join('\n');
}

/** A line of a field that has several: an empty line is a dot. */
function folded(line: string): string {
  return line.trim() === '' ? ' .' : ` ${line.trimEnd()}`;
}

/** The lines that name a holder: `Copyright 2026 A`, `Copyright (c) A`; not those of the licence's own wording. */
function copyrightLines(text: string): string[] {
  const lines = [...text.matchAll(/^[ *]*Copyright +(?:\([cC]\) *)?((?:\d{4}|[A-Z]).*)$/gm)];
  const named = lines.map(([, holder = '']) => holder.trim());
  if (named.length === 0) throw new Error(`no holder of the copyright is named in:\n${text}`);
  return [...new Set(named)];
}

function manifestOf(directory: string): Manifest {
  return JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as Manifest;
}

function licenceFileOf(directory: string): string | undefined {
  const [file] = globSync('{LICENSE,LICENCE,license}{,.md,.txt}', { cwd: directory }).sort();
  return file === undefined ? undefined : readFileSync(join(directory, file), 'utf8');
}

/**
 * The licence MIT for a package that names it in its manifest, and brings no text of it: its authors hold the copyright.
 * @throws Error for another licence, whose text somebody must look for
 */
function mitText(directory: string, { license, author }: Manifest): string {
  if (license !== 'MIT' || author === undefined) throw new Error(`${directory} brings no text of its licence`);
  const { name, email } = typeof author === 'string' ? { name: author, email: undefined } : author;
  return `Copyright (c) ${name}${email === undefined ? '' : ` <${email}>`}

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
`;
}
