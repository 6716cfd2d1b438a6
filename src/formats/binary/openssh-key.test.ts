/** Keys, checked with ssh-keygen and dropbear. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { newPrivateKey, publicKeyOf } from './openssh-key.ts';

const directory = mkdtempSync(join(tmpdir(), 'mw-key-'));
afterAll(() => rmSync(directory, { recursive: true }));

// The comment's length decides how much padding there is.
test.each([
  '',
  'a',
  'ab',
  'abc',
  'host0',
  'node1 12345678',
  'x'.repeat(200),
])('ssh-keygen reads a key with the comment «%s»', (comment) => {
  const file = join(directory, 'key');
  const key = newPrivateKey(comment);
  writeFileSync(file, key, { mode: 0o600 });
  const shown = execFileSync('ssh-keygen', ['-y', '-f', file], { encoding: 'utf8' }).trim();
  expect(publicKeyOf(key, comment)?.trim()).toBe(shown);
});

test('the public half of a key from ssh-keygen is the one that ssh-keygen shows', () => {
  const file = join(directory, 'own');
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'host0', '-f', file]);
  const key = execFileSync('cat', [file], { encoding: 'utf8' });
  expect(`${publicKeyOf(key, 'host0')}\n`).toBe(execFileSync('cat', [`${file}.pub`], { encoding: 'utf8' }));
});

test('dropbear accepts the key as a host key', () => {
  const [key, converted] = [join(directory, 'openssh'), join(directory, 'dropbear')];
  const text = newPrivateKey('node1');
  writeFileSync(key, text, { mode: 0o600 });
  execFileSync('dropbearconvert', ['openssh', 'dropbear', key, converted], { stdio: 'ignore' });
  const shown = execFileSync('dropbearkey', ['-y', '-f', converted], { encoding: 'utf8' });
  expect(shown).toContain(publicKeyOf(text, '')?.trim());
});

test('two keys are different', () => {
  expect(newPrivateKey('a')).not.toBe(newPrivateKey('a'));
});

test('an incomplete key has no public half', () => {
  const key = newPrivateKey('host0');
  const lines = key.trimEnd().split('\n');
  const cut = (at: number) => [...lines.slice(0, at), lines.at(-1)].join('\n');
  const texts = ['', key.slice(0, 100), key.replace('BEGIN', 'END'), cut(2), cut(3), 'x'.repeat(400)];
  expect(texts.map((text) => publicKeyOf(text, ''))).toEqual(texts.map(() => undefined));
});
