import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { hookFunction, namedHook, shippedHook } from './shell-hook.ts';

function hook(text: string, name = 'mine.hook'): string {
  const directory = mkdtempSync(join(tmpdir(), 'mw-hook-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  writeFileSync(join(directory, name), text);
  return join(directory, name);
}

test('functions of a hook are commands, with their help', () => {
  const found = namedHook(
    hook('##  mystart [--nvm=N]\n##  Start mine\ncmd_mystart() {\n  :\n}\ncmd_other() { :; }\nhelper() { :; }\n'),
  );
  expect(found).toMatchObject({
    kind: 'shell',
    commands: [
      { name: 'mystart', about: 'Start mine', usage: 'mystart [--nvm=N]' },
      { name: 'other', about: 'A command of the hook' },
    ],
  });
  expect(namedHook(hook('export async function cmd_mine() {}\n', 'mine.ts'))).toMatchObject({
    kind: 'module',
    commands: [{ name: 'mine' }],
  });
  expect(namedHook('')).toBeUndefined();
});

test.each([
  ['is not there', () => '/nonexistent/hook', /there is no hook/],
  ['is a directory', () => tmpdir(), /is no file/],
  ['is no shell', () => hook('cmd_x() {\n'), /is no shell script: .*end of file/i],
  ['has no command', () => hook('echo hello\n'), /has no function cmd_NAME/],
  ['is a module without commands', () => hook('export const x = 1;\n', 'x.ts'), /exports no function cmd_NAME/],
])('a hook that %s is told', (_, path, says) => {
  expect(() => namedHook(path())).toThrow(
    expect.objectContaining({ code: 'MESH_LAB_HOOK', message: expect.stringMatching(says) }),
  );
});

test('there is something to copy from', () => {
  expect(shippedHook().commands.map(({ name }) => name)).toEqual([
    'start',
    'boot_vm',
    'stop',
    'scaleout',
    'scalein',
    'rsh',
    'rcp',
  ]);
  expect(hookFunction('cmd_start')).toMatch(
    /^## {2}start .*\n[\s\S]*\ncmd_start\(\) \{\n[\s\S]*mesh lab wait[\s\S]*\n\}\n$/,
  );
  expect(() => hookFunction('cmd_nothing')).toThrow(/has no function cmd_nothing/);
});
