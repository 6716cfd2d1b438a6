/**
 * A source of a mirror in the form of Alpine's, with packages of the test's own making: the programs in them are Debian's and those
 * of the node image. Its initramfs replays the steps of Alpine's own. No program of Alpine can be had where tests run.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync, zstdDecompressSync } from 'node:zlib';
import { indexArchive } from '../../../src/formats/apk/index-archive.ts';
import { packageArchive } from '../../../src/formats/apk/package-archive.ts';
import type { PackagedFile } from '../../../src/formats/apk/package-data-archive.ts';
import type { PackageRecord } from '../../../src/formats/apk/package-index.ts';
import { type CpioEntry, cpio } from '../../../src/formats/binary/cpio.ts';
import type { ListedImage } from '../../../src/image/node/generations.ts';
import type { TestSigner } from '../../kit/alpine-repository.ts';

const REPLAY = join(import.meta.dirname, 'alpine-replay');
/** As mirror.conf names them. */
export const RELEASE = { release: 'v3.21', netboot: '3.21.0', kernel: 'virt' };
const KOFFI = 'usr/lib/meshwork/dist/node_modules/@koromix/koffi-linux-x64/linux_x64/koffi.node';
const BUILT_SEC = 1_700_000_000;
/** Directories that are links to others in the image. */
const MERGED = /^(?:bin|sbin|lib|lib64)\//;
/** Not of the base system: Meshwork, modules, and what is made at each boot. */
const NOT_BASE = /^(?:usr\/lib\/(?:meshwork|modules)(?:\/|$)|usr\/bin\/(?:node|mesh)$|init$|dev\/|proc\/|run\/|sys\/)/;
const OPENRC = ['networking', 'modloop', 'hostname', 'localmount'];
const INITTAB = `::sysinit:/sbin/openrc sysinit
::sysinit:/sbin/openrc boot
::wait:/sbin/openrc default
::ctrlaltdel:/usr/sbin/reboot
`;

/** Writes the source. @param directory is emptied first */
export function writeAlpineSource(directory: string, image: ListedImage, signer: TestSigner): void {
  rmSync(directory, { recursive: true, force: true });
  const root = join(directory, 'root');
  mkdirSync(root, { recursive: true });
  const archive = zstdDecompressSync(readFileSync(join(image.directory, 'initrd.img')));
  execFileSync('busybox', ['cpio', '-idm', '--quiet'], {
    cwd: root,
    input: archive,
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  writePackages(join(directory, 'v3.21/main/x86_64'), root, signer);
  writePackages(join(directory, 'v3.21/community/x86_64'), undefined, signer);
  writeNetboot(join(directory, `v3.21/releases/x86_64/netboot-${RELEASE.netboot}`), root, image);
  rmSync(root, { recursive: true });
}

/** @param root the root of the node image; undefined: the repository has one small package */
function writePackages(place: string, root: string | undefined, signer: TestSigner): void {
  mkdirSync(place, { recursive: true });
  const records: PackageRecord[] = [];
  const add = (
    title: string,
    files: readonly PackagedFile[],
    words: { depends?: string[]; provides?: string[] } = {},
  ) => {
    const [, name = '', version = ''] = /^(.+?)-(\d.*)$/.exec(title) ?? [];
    const { depends = [], provides = [] } = words;
    const about = { description: name, license: 'none', architecture: 'x86_64', builtSec: BUILT_SEC };
    const description = { ...about, name, version, depends, provides };
    const { bytes, record } = packageArchive({ description, files, scripts: {}, key: signer });
    writeFileSync(join(place, `${title}.apk`), bytes);
    records.push(record);
  };
  if (root === undefined) add('hello-1.0-r0', [text('usr/share/hello', 'hello\n')]);
  else {
    const base = treeOf(root).filter(({ path }) => !NOT_BASE.test(path) && path !== 'etc/shadow');
    add(
      'alpine-base-3.21.0-r0',
      [
        ...base,
        // As in Alpine: root has no password.
        text('etc/shadow', 'root:::0:::::\n'),
        text('etc/inittab', INITTAB),
        // Debian's OpenRC reads it; the directories are made by Alpine's base package.
        text('etc/insserv.conf', ''),
        ...['run', 'tmp', 'mnt', 'var/cache', 'var/lib', 'var/log'].map((path) => text(`${path}/.keep`, '')),
        file('usr/sbin/apk', join(REPLAY, 'apk')),
        file('etc/udhcpc/default.script', join(root, 'usr/lib/meshwork/boot/dhcp')),
      ],
      { depends: ['openrc'], provides: ['so:libnftables.so.1=1.1.0', 'cmd:sh=1', '/bin/sh'] },
    );
    add('openrc-0.45-r0', [...openrc(), ...OPENRC.map((name) => file(`etc/init.d/${name}`, join(REPLAY, name)))]);
    // The agent's package has koffi for musl alone; the Node.js here is for glibc.
    add('nodejs-24.21.0-r0', [
      file('usr/bin/node', join(root, 'usr/lib/meshwork/node')),
      file(KOFFI, join(root, KOFFI)),
    ]);
    add('setpriv-2.39-r0', withLibraries('/usr/bin/setpriv'), { provides: ['cmd:setpriv=2.39-r0'] });
    for (const title of [
      'libstdc++-14.2.0-r4',
      'dropbear-2024.86-r0',
      'dropbear-convert-2024.86-r0',
      'openssl-3.3.2-r4',
    ])
      add(title, [text(`usr/share/${title}`, title)]);
  }
  const key = { name: signer.name, key: signer.key };
  writeFileSync(
    join(place, 'APKINDEX.tar.gz'),
    indexArchive(records, { description: 'v3.21', madeSec: BUILT_SEC, key }),
  );
}

/** The files of Debian's package, with the libraries of its programs. */
function openrc(): readonly PackagedFile[] {
  const listed = execFileSync('dpkg', ['-L', 'openrc', 'libeinfo1', 'librc1'], { encoding: 'utf8' }).split('\n');
  const paths = listed.filter(
    (path) => /^\/(?:bin|sbin|lib|etc\/rc\.conf)/.test(path) && !lstatSync(path).isDirectory(),
  );
  const programs = ['/sbin/openrc', '/sbin/openrc-run', '/sbin/supervise-daemon', '/lib/rc/bin/checkpath'];
  return uniqueOf([...paths.map(hostFile), ...programs.flatMap(withLibraries)]);
}

/** A program of this machine with the libraries that it is linked with. */
function withLibraries(program: string): readonly PackagedFile[] {
  const linked = execFileSync('ldd', [program], { encoding: 'utf8' });
  const libraries = Array.from(linked.matchAll(/=> (\/\S+)/g), ([, path = '']) => path);
  return uniqueOf([hostFile(program), ...libraries.map((path) => file(merged(path), path))]);
}

function hostFile(path: string): PackagedFile {
  const found = lstatSync(path);
  return found.isSymbolicLink()
    ? { type: 'link', path: merged(path), to: readlinkSync(path) }
    : file(merged(path), path);
}

function merged(path: string): string {
  const bare = path.replace(/^\//, '');
  return MERGED.test(bare) ? `usr/${bare}` : bare;
}

function uniqueOf(files: readonly PackagedFile[]): readonly PackagedFile[] {
  return [...new Map(files.map((one) => [one.path, one])).values()];
}

function file(path: string, from: string): PackagedFile {
  const { mode } = lstatSync(from);
  return { type: 'file', path, content: readFileSync(from), permissions: mode & 0o111 ? 0o755 : 0o644 };
}

function text(path: string, content: string): PackagedFile {
  return { type: 'file', path, content: Buffer.from(content), permissions: 0o644 };
}

/** All files and links below a directory. Links to directories are not followed. */
function treeOf(directory: string, below = ''): readonly PackagedFile[] {
  return readdirSync(join(directory, below), { withFileTypes: true }).flatMap((entry): readonly PackagedFile[] => {
    const path = join(below, entry.name);
    if (entry.isSymbolicLink()) return [{ type: 'link', path, to: readlinkSync(join(directory, path)) }];
    if (entry.isDirectory()) return treeOf(directory, path);
    return entry.isFile() ? [file(path, join(directory, path))] : [];
  });
}

/** The kernel of the image, an initramfs that replays Alpine's, and modloop. */
function writeNetboot(place: string, root: string, image: ListedImage): void {
  mkdirSync(place, { recursive: true });
  cpSync(join(image.directory, 'vmlinuz'), join(place, `vmlinuz-${RELEASE.kernel}`));
  const entries = new Map<string, CpioEntry>();
  const put = (entry: CpioEntry) => {
    for (const parent of parentsOf(entry.path)) {
      if (!entries.has(parent)) entries.set(parent, { kind: 'directory', path: parent, mode: 0o755 });
    }
    entries.set(entry.path, entry);
  };
  const putFile = (path: string, content: Uint8Array, mode = 0o755) => put({ kind: 'file', path, mode, content });
  for (const path of ['dev', 'proc', 'sys', 'sysroot', 'tmp', 'etc']) put({ kind: 'directory', path, mode: 0o755 });
  putFile('bin/busybox', readFileSync(join(root, 'usr/bin/busybox')));
  const applets = execFileSync('busybox', ['--list'], { encoding: 'utf8' }).trim().split('\n');
  for (const name of applets) if (name !== 'busybox') put({ kind: 'link', path: `bin/${name}`, target: 'busybox' });
  for (const one of withLibraries('/usr/bin/openssl')) {
    if (one.type === 'file') putFile(one.path, one.content);
  }
  putFile('lib64/ld-linux-x86-64.so.2', readFileSync('/lib64/ld-linux-x86-64.so.2'));
  putFile('etc/ld.so.conf', Buffer.from('/usr/lib/x86_64-linux-gnu\n'));
  put({ kind: 'link', path: 'lib/x86_64-linux-gnu', target: '../usr/lib/x86_64-linux-gnu' });
  for (const name of ['init', 'apk-add']) putFile(name, readFileSync(join(REPLAY, name)));
  putFile('udhcpc', readFileSync(join(root, 'usr/lib/meshwork/boot/dhcp')));
  const modules = join(root, 'usr/lib/modules');
  for (const one of treeOf(modules)) {
    if (one.type === 'file' && /modules\.|virtio|failover|loop|squashfs|zlib|lz|xz|zstd|packet/.test(one.path))
      putFile(`lib/modules/${one.path}`, one.content, 0o644);
  }
  writeFileSync(join(place, `initramfs-${RELEASE.kernel}`), gzipSync(Buffer.concat([...cpio(entries.values())])));
  const squash = join(dirname(root), 'squash');
  mkdirSync(join(squash, 'modules'), { recursive: true });
  cpSync(modules, join(squash, 'modules'), { recursive: true });
  const words = [
    squash,
    join(place, `modloop-${RELEASE.kernel}`),
    '-quiet',
    '-no-progress',
    '-comp',
    'gzip',
    '-noappend',
  ];
  execFileSync('mksquashfs', words, { stdio: 'ignore' });
  rmSync(squash, { recursive: true });
}

function parentsOf(path: string): string[] {
  const names = path.split('/').slice(0, -1);
  return names.map((_, index) => names.slice(0, index + 1).join('/'));
}

/** SHA-256 of the three files for netboot, as mirror.conf has them. */
export function netbootHashes(directory: string): readonly string[] {
  const place = join(directory, `v3.21/releases/x86_64/netboot-${RELEASE.netboot}`);
  const names = ['vmlinuz', 'initramfs', 'modloop'].map((name) => `${name}-${RELEASE.kernel}`);
  return names.map((name) =>
    createHash('sha256')
      .update(readFileSync(join(place, name)))
      .digest('hex'),
  );
}
