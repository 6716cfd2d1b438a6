/** What a real shell makes of the words. */
import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { shellWords } from './shell-words.ts';
import { sshSettings } from './ssh-command.ts';

const HOSTILE = [
  '',
  ' ',
  '$(id)',
  '`id`',
  "it's",
  "''",
  '"',
  '\\',
  'a\nb',
  '*',
  '~',
  '-n',
  ';reboot',
  '&',
  '#',
  '\x1b',
  'ü',
  '%s',
];

test.each(['sh', 'busybox'])('%s reads each word as it is', (shell) => {
  const argv = shell === 'busybox' ? ['sh', '-c'] : ['-c'];
  const line = shellWords(['printf', '%s\\0', ...HOSTILE]);
  expect(
    execFileSync(shell, [...argv, line], { encoding: 'utf8' })
      .split('\0')
      .slice(0, -1),
  ).toEqual(HOSTILE);
});

test('a value of an ssh setting is one word of ssh, or refused', () => {
  const settings = sshSettings({ HostKeyAlias: 'a b' });
  // ssh ends with an error when a setting has two words.
  expect(execFileSync('ssh', ['-G', '-F', 'none', ...settings, 'host'], { encoding: 'utf8' })).toMatch(
    /^hostkeyalias "?a b"?$/m,
  );
  for (const value of ['a"b', 'a\nProxyCommand=id', '%d', '$HOME', '\\', '']) {
    expect(() => sshSettings({ HostKeyAlias: value })).toThrow(/cannot be a value/);
  }
});
