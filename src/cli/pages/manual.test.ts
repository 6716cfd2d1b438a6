/** The manual pages have every command, and are sound for groff. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { expect, test } from 'vitest';
import { wholeTree } from '../../../test/cli/mesh.ts';
import { leavesOf, usageOf } from './command-leaf.ts';
import { formatManual } from './format-manual.ts';
import { manualPages } from './manual.ts';

function formats(): Map<string, string> {
  const directory = new URL('../../../docs/reference/formats/', import.meta.url);
  return new Map(
    readdirSync(directory).map((file) => [basename(file, '.md'), readFileSync(new URL(file, directory), 'utf8')]),
  );
}

test('every command is in a page', async () => {
  const program = await wholeTree();
  const pages = manualPages(program, '1.2.3', formats());
  expect([...pages.keys()]).toEqual([
    'mesh.1',
    ...program.commands.map((noun) => `mesh-${noun.name()}.1`),
    ...[...formats().keys()].map((name) => `${name}.5`),
  ]);
  const text = [...pages.values()].join('\n');
  for (const leaf of leavesOf(program)) expect(text).toContain(`.SS ${usageOf(leaf).replaceAll('-', '\\-')}`);
  expect(pages.get('mesh-ping.1')).toMatch(
    /^\.TH MESH\\-PING 1 "" "meshwork 1\.2\.3" "Meshwork"\n\.SH NAME\nmesh\\-ping \\- Ping/,
  );
});

test('every page names its files and examples, and only formats that have a page', async () => {
  const pages = manualPages(await wholeTree(), '1.2.3', formats());
  for (const [name, page] of pages) {
    if (name !== 'mesh-complete.1' && name.endsWith('.1')) expect(page, name).toContain('\n.SH FILES\n');
    expect(page, name).toMatch(/\n\.SH EXAMPLES?\n/);
    for (const [, also = '', section] of page.matchAll(/\\fB(mesh[\w.-]*)\\fR\(([15])\)/g)) {
      expect([...pages.keys()], name).toContain(`${also.replaceAll('\\-', '-')}.${section}`);
    }
  }
});

test('a page of a format in the language of man(7)', () => {
  const markdown = [
    '# mesh-x',
    'The file of [x](x.md).',
    '## Keys',
    '| Key | If not given | Meaning |\n| --- | --- | --- |\n| `a-b` | none | what it is |',
    'Not *this*: `.x`, **bold**.\nA line.',
    '- one\n- two',
    '```ini\na=1\n\n.b=2\n```',
  ].join('\n\n');
  expect(formatManual('mesh-x', markdown, '1', ['mesh-x', 'mesh-y']).split('\n')).toEqual([
    '.TH MESH\\-X 5 "" "meshwork 1" "Meshwork"',
    '.SH NAME',
    'mesh\\-x \\- The file of x',
    '.SH DESCRIPTION',
    '.SH KEYS',
    '.TP',
    '\\fBa\\-b\\fR',
    'what it is. If not given: none.',
    '.PP',
    'Not *this*: \\fB\\&.x\\fR, \\fBbold\\fR\\&.',
    'A line.',
    '.IP \\(bu 2',
    'one',
    '.IP \\(bu 2',
    'two',
    '.PP',
    '.EX',
    'a=1',
    '',
    '\\&.b=2',
    '.EE',
    '.SH SEE ALSO',
    '\\fBmesh\\fR(1), \\fBmesh\\-y\\fR(5)',
    '.PP',
    'All pages of the documentation are in /usr/share/doc/meshwork/docs.',
    '',
  ]);
});

test('groff reports no warnings', async () => {
  for (const [name, page] of manualPages(await wholeTree(), '1.2.3', formats())) {
    const { status, stderr } = spawnSync('groff', ['-Kutf8', '-man', '-Tutf8', '-ww'], {
      input: page,
      encoding: 'utf8',
    });
    expect({ name, status, stderr }).toEqual({ name, status: 0, stderr: '' });
  }
});
