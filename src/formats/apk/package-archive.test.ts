/** A package that we write is what abuild would make of the same files, as openssl, gzip and two tars see it. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { testSigner } from '../../../test/kit/alpine-repository.ts';
import { trusting } from '../../image/mirror-key.ts';
import { readGzipMember } from './gzip-members.ts';
import { packageArchive } from './package-archive.ts';
import { checkPackageData } from './package-data.ts';
import type { PackagedFile } from './package-data-archive.ts';
import { checkAgainstRecord, readPackageControl } from './package-file.ts';

const LONG = `usr/lib/${'deep/'.repeat(30)}file`;
const signer = testSigner('host0-0123abcd.rsa.pub');
const description = {
  name: 'meshwork',
  version: '1.2.3-r0',
  description: 'a test',
  url: 'https://example.org',
  license: 'Apache-2.0',
  architecture: 'x86_64',
  depends: ['/bin/sh', 'nodejs>=22'],
  provides: ['cmd:mesh=1.2.3-r0'],
  builtSec: 1_700_000_000,
};
const files: readonly PackagedFile[] = [
  { type: 'file', path: 'usr/bin/real', content: Buffer.from('#!/bin/sh\n'), permissions: 0o755 },
  { type: 'link', path: 'usr/bin/mesh', to: '../lib/meshwork/bin/mesh' },
  { type: 'link', path: 'usr/lib/far', to: `/${LONG}` },
  { type: 'file', path: LONG, content: Buffer.from('far below'), permissions: 0o600 },
  { type: 'file', path: 'etc/empty', content: Buffer.alloc(0), permissions: 0o644 },
];
const written = packageArchive({
  description,
  files,
  scripts: { 'post-install': Buffer.from('#!/bin/sh\nexit 0\n') },
  key: signer,
});

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'mw-apk-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

/** The three members, found without our own reader of packages. */
function members(): readonly Uint8Array[] {
  const found: Uint8Array[] = [];
  for (let rest = written.bytes; rest.length > 0; ) {
    const { compressed } = readGzipMember(rest, 2 ** 30);
    found.push(compressed);
    rest = rest.subarray(compressed.length);
  }
  return found;
}

const gunzip = (bytes: Uint8Array) => execFileSync('gzip', ['-dc'], { input: bytes });

test('openssl verifies the signature, and the hashes are those of the members', () => {
  const [signatures = Buffer.alloc(0), control = Buffer.alloc(0), data = Buffer.alloc(0)] = members();
  writeFileSync(join(directory, 'key.pem'), signer.pem);
  writeFileSync(join(directory, 'control'), control);
  for (const [type, hash] of [
    ['RSA256', '-sha256'],
    ['RSA', '-sha1'],
  ]) {
    // A cut archive has no end: tar reads it as one that is followed by more.
    const signature = execFileSync('tar', ['-xO', `.SIGN.${type}.${signer.name}`], { input: gunzip(signatures) });
    writeFileSync(join(directory, 'signature'), signature);
    const words = ['dgst', hash ?? '', '-verify', 'key.pem', '-signature', 'signature', 'control'];
    expect(execFileSync('openssl', words, { cwd: directory, encoding: 'utf8' })).toBe('Verified OK\n');
  }
  const info = execFileSync('tar', ['-xO', '.PKGINFO'], { input: gunzip(control), encoding: 'utf8' });
  expect(info).toBe(`# Made by meshwork
pkgname = meshwork
pkgver = 1.2.3-r0
pkgdesc = a test
url = https://example.org
builddate = 1700000000
size = 1536
arch = x86_64
origin = meshwork
license = Apache-2.0
depend = /bin/sh
depend = nodejs>=22
provides = cmd:mesh=1.2.3-r0
datahash = ${createHash('sha256').update(data).digest('hex')}
`);
  const sha1 = createHash('sha1').update(control).digest('base64');
  expect(written.record.text).toBe(
    [
      `C:Q1${sha1}`,
      'P:meshwork',
      'V:1.2.3-r0',
      'A:x86_64',
      `S:${written.bytes.length}`,
      'I:1536',
      'T:a test',
      'U:https://example.org',
      'L:Apache-2.0',
      'o:meshwork',
      't:1700000000',
      'D:/bin/sh nodejs>=22',
      'p:cmd:mesh=1.2.3-r0',
    ].join('\n'),
  );
});

test.each([
  ['tar', ['-x']],
  ['busybox', ['tar', '-x']],
])('%s unpacks the whole package as one archive, with its modes, links and long paths', (program, words) => {
  // The first two members are cut, so that all three are one archive, which is how apk reads a package.
  execFileSync(program, [...words, '-f', '-', '-C', directory], { input: gunzip(written.bytes) });
  expect(readFileSync(join(directory, LONG), 'utf8')).toBe('far below');
  expect(statSync(join(directory, LONG)).mode & 0o7777).toBe(0o600);
  expect(statSync(join(directory, 'usr/bin/real')).mode & 0o7777).toBe(0o755);
  const links = execFileSync('find', ['.', '-type', 'l', '-printf', '%p %l\n'], { cwd: directory, encoding: 'utf8' });
  expect(links.trim().split('\n').toSorted()).toEqual([
    './usr/bin/mesh ../lib/meshwork/bin/mesh',
    `./usr/lib/far /${LONG}`,
  ]);
  expect(readFileSync(join(directory, '.post-install'), 'utf8')).toBe('#!/bin/sh\nexit 0\n');
});

test('every directory has an entry before what is in it, and every file its checksum in a record of PAX', () => {
  const [, , data = Buffer.alloc(0)] = members();
  writeFileSync(join(directory, 'data.tar'), gunzip(data));
  // Python reads the records of PAX: GNU tar shows none of them.
  const script =
    'import tarfile\nfor m in tarfile.open("data.tar"):\n print(m.name, m.type.decode(), m.uid, m.gid, m.uname, oct(m.mode), m.pax_headers.get("APK-TOOLS.checksum.SHA1", "-"))';
  const listed = execFileSync('python3', ['-c', script], { cwd: directory, encoding: 'utf8' }).trim().split('\n');
  const entries = listed.map((line) => line.split(' '));
  const seen = new Set<string>();
  for (const [path = '', type, uid, gid, owner, , sum] of entries) {
    const parent = path.split('/').slice(0, -1).join('/');
    expect(parent === '' || seen.has(parent), `${parent} before ${path}`).toBe(true);
    expect([uid, gid, owner]).toEqual(['0', '0', 'root']);
    if (type === '5') seen.add(path);
    const file = files.find((each) => each.path === path);
    const content = file === undefined ? undefined : file.type === 'file' ? file.content : Buffer.from(file.to);
    expect(sum).toBe(content === undefined ? '-' : createHash('sha1').update(content).digest('hex'));
  }
  expect(entries.filter(([, type]) => type !== '5').map(([path]) => path)).toEqual(
    files.map(({ path }) => path).toSorted(),
  );
});

test('our own check of packages takes the package, and the same parts give the same bytes', async () => {
  const control = readPackageControl(written.bytes, trusting(signer));
  checkAgainstRecord(control, written.record);
  const pieces = (async function* () {
    yield Buffer.from(written.bytes.subarray(control.dataAt));
  })();
  await expect(checkPackageData(pieces, control.dataHash)).resolves.toBeUndefined();
  const again = packageArchive({
    description,
    files: files.toReversed(),
    scripts: { 'post-install': Buffer.from('#!/bin/sh\nexit 0\n') },
    key: signer,
  });
  expect(Buffer.compare(again.bytes, written.bytes)).toBe(0);
});

test('a description that no index can have is refused', () => {
  expect(() => packageArchive({ description: { ...description, name: 'a b' }, files, scripts: {} })).toThrow(
    RangeError,
  );
});
