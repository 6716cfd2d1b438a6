/** The tree: lists of packages, names that nothing reads, and files that are none. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readHost0Tree } from './host0-tree.ts';
import { packageFault } from './package-word.ts';

let tree: string;

beforeEach(() => {
  tree = mkdtempSync(join(tmpdir(), 'mesh-tree-'));
  put('groups/base/manifest', '');
  put('machines/node1/UUID', '10eff964');
  put('machines/node1/manifest', '');
});

afterEach(() => rmSync(tree, { recursive: true }));

function put(path: string, text: string): void {
  mkdirSync(dirname(join(tree, path)), { recursive: true });
  writeFileSync(join(tree, path), text);
}

const TAKEN = [
  'chrony',
  '7zip',
  'g++',
  'libstdc++',
  '_x',
  '.x',
  'htop@edge',
  'htop@edge=3.2-r0',
  'linux-lts=6.6.50-r0',
  'a>=1.2.3b_rc1_p2-r1',
  'a<2',
  'a~1.2',
  'a>~1',
  'a~=1',
  'a=1~0abc12-r0',
  '!openssh',
  'so:libnftables.so.1',
  'cmd:nft',
  'pc:zlib>=1.2',
  'py3.11:yaml',
  '/bin/sh',
  'name><Q1abc+/=',
];

test.each(TAKEN)('apk takes %s', (word) => {
  expect(packageFault(word)).toBeUndefined();
});

test.each([
  ['chrony=4.5-r0@edge', 'Write chrony@edge=4.5-r0'],
  ['chrony=9:4', 'Write chrony'],
  ['chrony=4.5-1+deb12u1', 'Write chrony'],
  ['chrony@edge=new', 'Write chrony@edge'],
  ['chrony=', 'Write chrony'],
  ['>=', 'Put one name on each line'],
  ['-x', 'Put one name on each line'],
  ['a b', 'Put one name on each line'],
  ['café', 'Put one name on each line'],
])('apk cannot parse %s', (word, remedy) => {
  expect(packageFault(word)).toMatchObject({ remedy });
  put('machines/node1/packages', `# fine\n${word}\n`);
  expect(readHost0Tree(tree).errors).toMatchObject([{ code: 'MESH_MACHINE_FOLDER', remedy, place: { line: 2 } }]);
});

test('names that nothing reads are a warning with the name that was meant; files that manifests copy are not', () => {
  put('machines/node1/Groups', 'base');
  put('machines/node1/packages.txt', 'chrony');
  put('machines/node1/skip', '');
  put('machines/node1/uuid', '10eff964');
  put('machines/node1/manifest.bak', '');
  put('machines/node1/motd', '');
  put('machines/node1/.manifest.swp', '');
  put('groups/base/package', '');
  put('groups/base/skip', 'copied');
  put('groups/base/manifest', 'O MODE=0:0:644 SRC=/host0/groups/base/package TGT=/srv/a\n');
  put('Machines/x', '');
  put('isos/debian.iso', '');
  const { warnings, errors, machines } = readHost0Tree(tree);
  expect(errors).toEqual([]);
  expect(machines[0]).toMatchObject({ groups: [], packages: [], skip: false });
  expect(warnings.map(({ message, remedy }) => `${message.replace(`${tree}/`, '')}: ${remedy}`).toSorted()).toEqual([
    'Machines is not used: Remove it, or give it another name.',
    'machines/node1/Groups is not used: Rename it to groups.',
    'machines/node1/manifest.bak is not used: Remove it, or give it another name.',
    'machines/node1/packages.txt is not used: Rename it to packages.',
    'machines/node1/skip is not used: Rename it to SKIP.',
    'machines/node1/uuid is not used: Remove it, or give it another name.',
  ]);
});

test('a group that is named twice runs once, with a warning', () => {
  put('machines/node1/groups', 'base\n# again\nbase # twice\n');
  const { machines, warnings } = readHost0Tree(tree);
  expect(machines[0]?.groups.map(({ name }) => name)).toEqual(['base']);
  expect(warnings).toMatchObject([{ message: 'the group base is named twice', place: { line: 3, column: 1 } }]);
});

test.each([
  'machines/node1/manifest',
  'machines/node1/UUID',
  'machines/node1/groups',
  'groups/base/packages',
  'packages',
])('a pipe as %s is an error, and does not wait for a writer', (path) => {
  rmSync(join(tree, path), { force: true });
  execFileSync('mkfifo', [join(tree, path)]);
  const messages = readHost0Tree(tree).errors.map(({ message }) => message);
  expect(messages).toContain(`${join(tree, path)} cannot be read: it is not a regular file`);
});
