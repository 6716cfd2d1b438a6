import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { meshProcess } from '../../../test/cli/mesh.ts';

/** The name of no lab. */
const NAME = 'no-such-lab';

function place(): string {
  const directory = mkdtempSync(join(tmpdir(), 'mw-hook-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  return directory;
}

async function lab(directory: string, hook: string, ...words: string[]) {
  return await meshProcess(['lab', ...words], { cwd: directory, env: { XCLUSTER_HOOK: hook } });
}

test('a command of a hook that calls its own name means the command that it replaces', async () => {
  const directory = place();
  const hook = join(directory, 'mine.hook');
  // The counter ends a recursion.
  const text = (call: string) =>
    `cmd_down() {\n echo "$*" >>calls\n [ "$(wc -l <calls)" -lt 4 ] || return 99\n ${call}\n}\n`;
  const without = await lab(directory, '', 'down', '--name', NAME);
  for (const call of ['mesh lab down', 'mesh lab built-in-down', 'mesh lab stop']) {
    writeFileSync(hook, text(call));
    writeFileSync(join(directory, 'calls'), '');
    const { code, stderr } = await lab(directory, hook, 'down', '--name', NAME);
    expect({ code, stderr }).toEqual({ code: without.code, stderr: without.stderr });
    expect(readFileSync(join(directory, 'calls'), 'utf8')).toBe('\n');
  }
});

test('a hook that cannot be read stops no command but its own', async () => {
  const directory = place();
  const gone = join(directory, 'gone.hook');
  const without = await lab(directory, '', 'down', '--name', NAME);
  const down = await lab(directory, gone, 'down', '--name', NAME);
  expect(down.code).toBe(without.code);
  expect(down.stderr).toContain(`left out: there is no hook ${gone}`);
  expect(down.stderr).toContain(without.stderr);
  expect(await lab(directory, gone, 'mystart', '--nvm=2')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining(`there is no hook ${gone}`),
  });
  const broken = join(directory, 'broken.hook');
  writeFileSync(broken, 'cmd_up() {\n  mesh lab up\n}\ncmd_mystart() {\n');
  for (const name of ['up', 'mystart'])
    expect((await lab(directory, broken, name, '--nvm=2')).stderr).toContain('is no shell script');
  expect((await lab(directory, broken, 'down', '--name', NAME)).code).toBe(without.code);
});
