/** The commands of the mirror, as docs/mirror.md shows them, on a source of the test's own. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { meshCommands, missingLine, shownCommands } from '../../../test/cli/console-block.ts';
import { commandLine, mesh } from '../../../test/cli/mesh.ts';
import { testSigner, writeRepository } from '../../../test/kit/alpine-repository.ts';
import { lockFile } from '../../kernel/file-lock.ts';

const PAGE = new URL('../../../docs/mirror.md', import.meta.url).pathname;
const signer = testSigner('alpine-test-1.rsa.pub');
const PACKAGES = [
  { title: 'alpine-base-3.19.1-r0', depends: 'busybox openrc' },
  { title: 'busybox-1.36.1-r0', provides: 'cmd:sh=1.36.1-r0', depends: 'so:libc.so.1' },
  { title: 'musl-1.2.4-r0', provides: 'so:libc.so.1=1' },
  { title: 'openrc-0.52-r0', depends: 'so:libc.so.1' },
  { title: 'chrony-4.5-r0', depends: 'so:libcap.so.2' },
  { title: 'chrony-openrc-4.5-r0', installIf: 'openrc chrony=4.5-r0' },
  { title: 'libcap2-2.69-r0', provides: 'so:libcap.so.2=2.69' },
  { title: 'htop-3.2-r0' },
];

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'mesh-mirror-'));
  put('host0/machines/node1/UUID', '10eff964\n');
  put('host0/machines/node1/manifest', '');
  put('host0/machines/node1/packages', 'chrony\n');
  put('host0/mirror.conf', `source="${root}/source"\nrelease="v3.19"\nrepositories="main"\n`);
  put(`host0/mirror-keys/${signer.name}`, signer.pem);
  put('host0/network/manage.conf', 'name=manage\nprefix=fd42:2345:1234:9abc::/64\nvni=456\nkey=456\n');
  writeRepository(join(root, 'source'), 'v3.19/main', PACKAGES, signer);
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

function put(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

const run = (...words: string[]) => commandLine(['--root', root, ...words]);

test('what the page shows is what one gets', async () => {
  for (const { line, text, answer } of shownCommands(readFileSync(PAGE, 'utf8'))) {
    for (const words of meshCommands(text)) {
      const { stdout, stderr, code } = await run(...words);
      expect([code, stderr.includes('MESH_')], `docs/mirror.md:${line}: ${stdout}${stderr}`).toEqual([0, false]);
      expect(missingLine(stdout, answer), `docs/mirror.md:${line}: ${stdout}`).toBeUndefined();
    }
  }
});

test('a machine that cannot install its packages is named, and nothing is published', async () => {
  put('host0/machines/node1/packages', 'chronny\n');
  const { stdout, code } = await run('system', 'download');
  expect(code).toBe(1);
  expect(stdout).toContain('node1 needs chronny: no repository has it');
  expect(stdout).toContain('nothing was published');
  expect((await run('system', 'generations')).stdout).toContain('There is no mirror yet');
});

test('a preview says what is installed and why, and what is not in the mirror', async () => {
  await run('system', 'download');
  expect((await run('node', 'preview', 'node1')).stdout).toMatch(
    /libcap2-2\.69-r0 +chrony-4\.5-r0 needs so:libcap\.so\.2/,
  );
  expect((await run('node', 'preview', 'node1')).stdout).toMatch(
    /chrony-openrc-4\.5-r0 +comes with openrc and chrony=4\.5-r0/,
  );
  put('host0/machines/node1/packages', 'chrony\nhtop\n');
  expect((await run('node', 'preview', 'node1')).stdout).toContain('node1 needs htop: no repository has it');
});

test('a machine gets the key of the mirror with its overlay', async () => {
  await run('system', 'download');
  const { stdout } = await mesh(['--root', root, '--json', 'node', 'preview', 'node1']);
  const [name = ''] = /host0-[0-9a-f]{8}\.rsa\.pub/.exec(stdout) ?? [];
  const { stdout: pem } = await run('node', 'preview', 'node1', '--file', `/etc/apk/keys/${name}`);
  // openssl itself finds that this key has signed the index.
  const place = join(root, 'var/lib/meshwork/mirror/generations/current/files/v3.19/main/x86_64');
  const index = join(place, 'APKINDEX.tar.gz');
  execFileSync('tar', ['--extract', '--gzip', '--ignore-zeros', '--file', index, '--directory', root]);
  expect(readdirSync(root)).toEqual(expect.arrayContaining(['APKINDEX', 'DESCRIPTION', `.SIGN.RSA256.${name}`]));
  writeFileSync(join(root, 'key.pem'), pem);
  writeFileSync(join(root, 'signed'), secondMember(readFileSync(index)));
  const verify = ['dgst', '-sha256', '-verify', 'key.pem', '-signature', `.SIGN.RSA256.${name}`, 'signed'];
  expect(execFileSync('openssl', verify, { cwd: root, encoding: 'utf8' })).toBe('Verified OK\n');
});

test('two downloads at once do not disturb each other', async () => {
  put('var/lib/meshwork/mirror/lock', '');
  const release = lockFile(join(root, 'var/lib/meshwork/mirror/lock'));
  try {
    expect((await run('system', 'download')).stderr).toContain('MESH_ALREADY_RUNNING');
  } finally {
    release?.();
  }
  // What another version has written there holds nothing.
  put('var/lib/meshwork/mirror/lock', '{"pid": 1');
  expect(await run('system', 'download')).toMatchObject({ code: 0 });
});

describe('what is wrong in /host0', () => {
  test.each([
    ['no mirror.conf', () => rmSync(join(root, 'host0/mirror.conf')), 'MESH_MIRROR_CONF'],
    [
      'a source with a password',
      () => put('host0/mirror.conf', 'source="https://a:b@c.example"\nrelease="v3.19"\n'),
      'MESH_MIRROR_CONF',
    ],
    [
      'a key that is none',
      () => put('host0/mirror.conf', 'source="/x"\nrelease="v3.19"\nsourse="/y"\n'),
      'MESH_CONF_KEY_UNKNOWN',
    ],
    ['no release', () => put('host0/mirror.conf', 'source="/x"\n'), 'MESH_CONF_KEY_MISSING'],
    ['no keys', () => rmSync(join(root, 'host0/mirror-keys'), { recursive: true }), 'MESH_MIRROR_KEY'],
    ['a short key', () => put('host0/mirror-keys/short.rsa.pub', testSigner('short', 1024).pem), 'MESH_MIRROR_KEY'],
    [
      'a private key',
      () => put('host0/mirror-keys/secret.rsa.pub', signer.key.export({ type: 'pkcs8', format: 'pem' }).toString()),
      'MESH_MIRROR_KEY',
    ],
  ])('%s', async (_, spoil, code) => {
    spoil();
    expect((await run('system', 'download')).stderr).toContain(code);
  });
});

/** What stands behind the first gzip member: its trailer is found by the magic number of the next one. */
function secondMember(bytes: Buffer): Buffer {
  return bytes.subarray(bytes.indexOf(Buffer.from([0x1f, 0x8b, 8]), 10));
}
