/** Manifests: the five actions, and the error for each mistake. */
import { expect, test } from 'vitest';
import { randomFrom } from '../../../test/kit/random.ts';
import { parseManifest } from './manifest.ts';

const parse = (text: string) => parseManifest('manifest', Buffer.from(text));
const FILE = 'O MODE=root:root:0644 SRC=/host0/machines/a/hostname TGT=/etc/hostname';

/** The errors as `line:column message`. */
function faults(text: string): string[] {
  return parse(text).errors.map(({ place, message }) => `${place?.line}:${place?.column} ${message}`);
}

test('the five actions, comments and blanks, fields in any order', () => {
  const { actions, errors } = parse(
    `# what node1 gets\n\n${FILE}\n` +
      '  A TGT=/etc/apk/world MODE=0:0:644 SRC=/host0/packages\r\n' +
      'L SRC=/usr/share/zoneinfo/EST TGT=/etc/localtime\n' +
      'D MODE=nobody:1000:1777 TGT=/mnt/data/\nR TGT=/etc/motd',
  );
  expect(errors).toEqual([]);
  expect(actions.map(({ place, targetPlace, ...action }) => ({ ...action, sourcePlace: undefined }))).toEqual([
    {
      type: 'overwrite',
      mode: { uid: 0, gid: 0, permissions: 0o644 },
      source: '/host0/machines/a/hostname',
      target: '/etc/hostname',
    },
    {
      type: 'append',
      mode: { uid: 0, gid: 0, permissions: 0o644 },
      source: '/host0/packages',
      target: '/etc/apk/world',
    },
    { type: 'link', to: '/usr/share/zoneinfo/EST', target: '/etc/localtime' },
    { type: 'directory', mode: { uid: 65534, gid: 1000, permissions: 0o1777 }, target: '/mnt/data' },
    { type: 'remove', target: '/etc/motd' },
  ]);
});

test.each([
  ['o MODE=root:root:0644', 'MESH_MANIFEST_INVALID', '1:1 there is no action "o"'],
  ['COPY a b', 'MESH_MANIFEST_INVALID', '1:1 there is no action "COPY"'],
  ['toString TGT=/a', 'MESH_MANIFEST_INVALID', '1:1 there is no action "toString"'],
  ['  R', 'MESH_MANIFEST_INVALID', '1:3 R lacks TGT'],
  ['L TGT=/a', 'MESH_MANIFEST_INVALID', '1:1 L lacks SRC'],
  ['R TGT=etc/motd', 'MESH_MANIFEST_INVALID', '1:7 TGT is not an absolute path'],
  ['R TGT=/etc/../motd', 'MESH_MANIFEST_INVALID', '1:7 TGT leads through ..'],
  ['R TGT=/etc//motd', 'MESH_MANIFEST_INVALID', '1:7 TGT has an empty name in it'],
  ['R TGT=/', 'MESH_MANIFEST_INVALID', '1:7 TGT is the root directory'],
  ['R TGT=/a TGT=/b', 'MESH_MANIFEST_INVALID', '1:10 TGT is given twice'],
  ['R TGT=/a MODE=root:root:0644', 'MESH_MANIFEST_INVALID', '1:10 "MODE=root:root:0644" is not a field of R'],
  ['R TGT=/a b', 'MESH_MANIFEST_INVALID', '1:10 "b" is not a field of R'],
  ['R TGT=/etc/\u001b[2J', 'MESH_MANIFEST_INVALID', '1:12 TGT has the character U+001B in it'],
  ['L SRC=/a\u202ecod TGT=/b', 'MESH_MANIFEST_INVALID', '1:9 SRC has the character U+202E in it'],
  ['R TGT=/a\u009bm', 'MESH_MANIFEST_INVALID', '1:9 TGT has the character U+009B in it'],
  ['R TGT=/a\ufffd', 'MESH_MANIFEST_INVALID', '1:9 TGT has the character U+FFFD in it'],
  ['D MODE=root:0755 TGT=/a', 'MESH_MANIFEST_INVALID', '1:8 MODE is not user:group:permissions'],
  ['D MODE=root:root:rwx TGT=/a', 'MESH_MANIFEST_INVALID', '1:18 "rwx" are not permissions'],
  ['D MODE=root:root:0888 TGT=/a', 'MESH_MANIFEST_INVALID', '1:18 "0888" are not permissions'],
  ['D MODE=root:chrony:0755 TGT=/a', 'MESH_MANIFEST_INVALID', '1:13 "chrony" is no group with a number of its own'],
  ['D MODE=2097152:0:0755 TGT=/a', 'MESH_MANIFEST_INVALID', '1:8 2097152 is too large for the number of a user'],
  ['D MODE=0:nogroup:0755 TGT=/a', 'MESH_MANIFEST_INVALID', '1:10 "nogroup" is no group with a number of its own'],
])('%s', (line, code, where) => {
  const { actions, errors } = parse(line);
  expect(actions).toEqual([]);
  expect(errors.map((error) => error.code)).toEqual([code]);
  expect(faults(line)[0]).toMatch(where);
  expect(errors[0]?.rule).toBeDefined();
});

test('every wrong line has an error, and its remedy is what to write', () => {
  expect(faults(`X\n${FILE}\nR TGT=a\nR`)).toHaveLength(3);
  expect(parse('R TGT=../etc/motd').errors[0]?.remedy).toBe('Write TGT=/etc/motd');
  expect(parse('R TGT=/etc/a/../motd').errors[0]?.remedy).toBe('Write TGT=/etc/motd');
  const { errors } = parseManifest('/x/host0/groups/base/manifest', Buffer.from('A MODE=0:0:644 SRC=motd TGT=/a'));
  expect(errors[0]?.remedy).toBe('Write SRC=/host0/groups/base/motd');
  expect(parse('d MODE=root:root:0755 TGT=/a').errors[0]?.remedy).toBe('Write D');
});

test('bytes that are not UTF-8 are no part of a path, and may be in a comment', () => {
  const { actions, errors } = parseManifest(
    'm',
    Buffer.from('# caf\xe9\nR TGT=/etc/caf\xe9\nR TGT=/etc/motd\n', 'latin1'),
  );
  expect(actions.map(({ target }) => target)).toEqual(['/etc/motd']);
  expect(errors).toMatchObject([{ code: 'MESH_MANIFEST_INVALID', place: { line: 2, column: 15 } }]);
});

test('random bytes never make the parser throw', () => {
  const seed = Number(process.env.MESH_SEED ?? Date.now() % 1_000_000);
  console.info(`MESH_SEED=${seed}`);
  const random = randomFrom(seed);
  const pieces = [
    'O',
    'A',
    'L',
    'D',
    'R',
    ' ',
    ' ',
    '\n',
    '\t',
    'MODE=',
    'SRC=',
    'TGT=',
    '/',
    '..',
    'root:',
    ':',
    '0644',
    '\0',
    '#',
    '=',
    'é',
    '\uFEFF',
    '\u001b',
    '\u0085',
    '\u202e',
    'a',
  ];
  const until = Date.now() + 300;
  for (let tries = 0; tries < 50_000 && Date.now() < until; tries++) {
    const text = Array.from(
      { length: Math.floor(random() * 30) },
      () => pieces[Math.floor(random() * pieces.length)],
    ).join('');
    const { actions, errors } = parse(text);
    for (const { target } of actions)
      expect(target, `seed ${seed}: ${text}`).toMatch(/^(?:\/(?!\.{1,2}(?:\/|$))[^/\p{Cc}\p{Cf}]+)+$/u);
    for (const error of errors) expect(error.code, `seed ${seed}: ${text}`).toBe('MESH_MANIFEST_INVALID');
  }
});
