/** The manual pages have every command, and are sound for groff. */
import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { wholeTree } from '../../../test/cli/mesh.ts';
import { leavesOf, usageOf } from './command-leaf.ts';
import { manualPages } from './manual.ts';

test('every command is in a page', async () => {
  const program = await wholeTree();
  const pages = manualPages(program, '1.2.3');
  expect([...pages.keys()]).toEqual(['mesh.1', ...program.commands.map((noun) => `mesh-${noun.name()}.1`)]);
  const text = [...pages.values()].join('\n');
  for (const leaf of leavesOf(program)) expect(text).toContain(`.SS ${usageOf(leaf).replaceAll('-', '\\-')}`);
  expect(pages.get('mesh-ping.1')).toMatch(
    /^\.TH MESH\\-PING 1 "" "meshwork 1\.2\.3" "Meshwork"\n\.SH NAME\nmesh\\-ping \\- Ping/,
  );
});

test('groff reports no warnings', async () => {
  for (const [name, page] of manualPages(await wholeTree(), '1.2.3')) {
    const { status, stderr } = spawnSync('groff', ['-Kutf8', '-man', '-Tutf8', '-ww'], {
      input: page,
      encoding: 'utf8',
    });
    expect({ name, status, stderr }).toEqual({ name, status: 0, stderr: '' });
  }
});
