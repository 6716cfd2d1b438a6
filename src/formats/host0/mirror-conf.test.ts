/** What mirror.conf may say. */
import { expect, test } from 'vitest';
import { parseMirrorConf } from './mirror-conf.ts';

const parse = (more: string) =>
  parseMirrorConf('mirror.conf', Buffer.from(`source="https://mirror.example.org/alpine"\nrelease="v3.19"\n${more}\n`));
const HASHES = ['a', 'b', 'c'].map((digit) => digit.repeat(64));

test.each([
  'repositories="main" "main"',
  'repositories="main"\ntagged="old=v3.19/main"',
  'tagged="a=edge/testing" "b=edge/testing"',
])('a repository is named once: %s', (text) => {
  expect(parse(text)).toEqual([
    expect.objectContaining({ code: 'MESH_MIRROR_CONF', message: expect.stringContaining('twice') }),
  ]);
});

test('the hashes of a kernel are three', () => {
  const quoted = HASHES.map((hash) => `"${hash}"`);
  expect(parse(`netboot="3.19.1"\nnetboot_sha256=${quoted.join(' ')}`)).toMatchObject({
    netboot: { version: '3.19.1', kernel: 'lts', sha256: HASHES },
  });
  for (const wrong of [quoted.slice(1).join(' '), `${quoted.join(' ')} "${'d'.repeat(64)}"`, '"a" "b" "c"'])
    expect(parse(`netboot_sha256=${wrong}`)).toEqual([expect.objectContaining({ code: 'MESH_MIRROR_CONF' })]);
});
