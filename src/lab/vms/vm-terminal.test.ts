import { spawnSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packTar, type TarEntry } from 'modern-tar';
import { expect, onTestFinished, test } from 'vitest';
import { copyFiles, unpacking } from './vm-terminal.ts';

function place(): string {
  const directory = mkdtempSync(join(tmpdir(), 'mw-copy-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  return directory;
}

const file = (name: string, body: string, rest: Partial<TarEntry['header']> = {}): TarEntry => ({
  header: { name, size: Buffer.byteLength(body), type: 'file', mode: 0o644, ...rest },
  body,
});
const link = (name: string, linkname: string): TarEntry => ({
  header: { name, size: 0, type: 'symlink', mode: 0o777, linkname },
});

async function unpack(path: string, name: string, entries: TarEntry[], before: readonly string[] = []) {
  const [program = '', ...rest] = [...before, ...unpacking(path, name)];
  const { status, stderr } = spawnSync(program, rest, { input: await packTar(entries), encoding: 'utf8' });
  return { status, stderr };
}

test('of what a machine sends only the asked file leaves, without owner and special bits', async () => {
  const directory = place();
  const into = join(directory, 'into');
  mkdirSync(into);
  const { status } = await unpack(into, 'asked', [
    file('asked', 'content', { mode: 0o4755, uid: 12_345, gid: 12_345 }),
    file('.ssh/authorized_keys', 'key of a stranger'),
    file('other', 'not asked for'),
  ]);
  expect(status).toBe(0);
  expect(readdirSync(into)).toEqual(['asked']);
  const { mode, uid } = statSync(join(into, 'asked'));
  expect([mode & 0o7777, uid]).toEqual([0o755, process.getuid?.()]);
  expect(await unpack(into, 'asked', [file('other', 'not asked for')])).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('does not have asked'),
  });
  expect((await unpack(into, 'asked', [file('../asked', 'x')])).status).not.toBe(0);
  expect(readdirSync(into)).toEqual(['asked']);
});

test('links of an earlier copy lead no later copy out of its directory', async () => {
  const directory = place();
  const [into, outside] = [join(directory, 'into'), join(directory, 'outside')];
  for (const made of [into, outside]) mkdirSync(made);
  mkdirSync(join(into, 'asked'));
  symlinkSync(outside, join(into, 'asked/way'));
  writeFileSync(join(into, 'asked/kept'), 'kept');
  const { status } = await unpack(into, 'asked', [file('asked/way/file', 'from the machine')]);
  expect(status).toBe(0);
  expect(readdirSync(outside)).toEqual([]);
  expect(lstatSync(join(into, 'asked/way')).isDirectory()).toBe(true);
  expect(readFileSync(join(into, 'asked/kept'), 'utf8')).toBe('kept');
  await unpack(into, 'asked', [link('asked', outside), file('asked/file', 'from the machine')]);
  expect(readdirSync(outside)).toEqual([]);
});

test('a copy goes where cp -r would put it, and leaves nothing else', async () => {
  const directory = place();
  const at = (path: string) => `${directory}/${path}`;
  mkdirSync(at('from/below'), { recursive: true });
  mkdirSync(at('to'));
  writeFileSync(at('from/below/-x y'), 'text', { mode: 0o755 });
  const nowhere = () => {
    throw new TypeError('no machine');
  };
  const copy = (from: string, to: string) => copyFiles({ path: at(from) }, { path: at(to) }, nowhere);
  await copy('from', 'to');
  await copy('from', 'new');
  await copy('from/below/-x y', 'to');
  await copy('from/below/-x y', 'named');
  expect(readdirSync(directory).sort()).toEqual(['from', 'named', 'new', 'to']);
  expect(readdirSync(at('to')).sort()).toEqual(['-x y', 'from']);
  expect(readFileSync(at('new/below/-x y'), 'utf8')).toBe('text');
  expect(statSync(at('named')).mode & 0o777).toBe(0o755);
  await expect(copy('nothing', 'to')).rejects.toMatchObject({ code: 'MESH_LAB_FAILED' });
  await expect(copy('from/below/..', 'to')).rejects.toMatchObject({ code: 'MESH_LAB_FAILED' });
  await expect(copy('from', 'gone/new')).rejects.toMatchObject({ code: 'MESH_LAB_FAILED' });
  expect(existsSync(at('gone'))).toBe(false);
});

test('a machine unpacks with the tools of its busybox', async () => {
  const into = place();
  const applets = join(into, 'bin');
  mkdirSync(applets);
  spawnSync('busybox', ['--install', '-s', applets]);
  const entries = [file('asked', 'content')];
  const before = ['env', '-i', `PATH=${applets}`];
  expect(await unpack(into, 'asked', entries, before)).toMatchObject({ status: 0, stderr: '' });
  expect(await unpack(join(into, 'new'), 'asked', entries, before)).toMatchObject({ status: 0, stderr: '' });
  expect(readdirSync(into).sort()).toEqual(['asked', 'bin', 'new']);
});
