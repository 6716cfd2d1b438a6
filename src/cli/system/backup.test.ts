/** `mesh system backup`, `restore` and `diff` of a host0 that is stopped: one file, and every file that is none. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { expect, onTestFinished, test } from 'vitest';
import { mesh } from '../../../test/cli/mesh.ts';
import { pathsBelow } from '../../protocol/documents/paths.ts';
import { SqliteStore } from '../../store/sqlite/sqlite-store.ts';

/** A directory in the place of the root of a machine. */
function machine() {
  const root = mkdtempSync(join(tmpdir(), 'mw-backup-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  const paths = pathsBelow(root);
  const run = (...words: readonly string[]) => mesh(['--root', root, '--json', 'system', ...words]);
  const said = (...words: readonly string[]) => mesh(['--root', root, 'system', ...words]);
  const file = (path: string, text: string, mode = 0o640) => {
    const at = join(root, path);
    mkdirSync(join(at, '..'), { recursive: true });
    writeFileSync(at, text);
    chmodSync(at, mode);
  };
  return { root, paths, run, said, file };
}

/** A host0 with a bit of all. */
async function host0() {
  const made = machine();
  const { root, paths, file } = made;
  file('host0/host0.conf', 'boot="off"\nadmission="known"\n', 0o644);
  file('host0/network/blue.conf', 'name=blue\n');
  file('host0/machines/rack1/overlay.manifest', 'F /etc/motd\n', 0o600);
  symlinkSync('../rack1', join(root, 'host0/machines/rack2'));
  file('host0/isos/large.iso', 'x'.repeat(70_000));
  file('var/lib/meshwork/keys/installation', 'a secret\n', 0o600);
  file('var/lib/meshwork/keys/command', 'another secret\n', 0o600);
  file('var/lib/meshwork/images/node/1/vmlinuz', 'y'.repeat(70_000));
  file('var/lib/meshwork/mirror/seen.json', '{}');
  file('var/lib/meshwork/mirror/pool/aa.apk', 'z'.repeat(70_000));
  mkdirSync(join(root, 'var/lib/meshwork/mirror/generations/1/files'), { recursive: true });
  linkSync(
    join(root, 'var/lib/meshwork/mirror/pool/aa.apk'),
    join(root, 'var/lib/meshwork/mirror/generations/1/files/a.apk'),
  );
  symlinkSync('1', join(root, 'var/lib/meshwork/mirror/generations/current'));
  file('var/lib/meshwork/boot/installation', '0123abcd\n');
  file('etc/default/meshwork', 'AGENT_OPTIONS=""\n', 0o644);
  file('etc/default/other', 'not ours\n');
  file('etc/meshwork/machine', '10eff964\n');
  file('etc/meshwork/host0.key', 'a key\n', 0o600);
  const store = await SqliteStore.open(join(paths.state, 'store.db'));
  for (let at = 0; at < 70; at++) await store.txn([], [{ put: `/v1/networks/${at}`, value: `{"at":${at}}` }]);
  await store.close();
  return { ...made, epoch: store.epoch, backup: join(root, 'host0.backup') };
}

/** All files below a root that a restore may touch, with their texts. */
function treeOf(root: string): Record<string, string> {
  const all: Record<string, string> = {};
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const name = path.slice(root.length + 1);
    if (entry.isSymbolicLink()) all[name] = `-> ${readlinkSync(path)}`;
    else if (entry.isFile())
      all[name] = `${(statSync(path).mode & 0o7777).toString(8)} ${readFileSync(path, 'latin1')}`;
  }
  return all;
}

const storeOf = async (state: string) => {
  const store = await SqliteStore.open(join(state, 'store.db'));
  try {
    return (await store.range('/v1/')).entries.map(({ key, value }) => [key, value]);
  } finally {
    await store.close();
  }
};

test('an empty machine becomes the host0 of the file, whose images and packages it leaves out', async () => {
  const { root, run, backup, epoch, paths } = await host0();
  const written = JSON.parse((await run('backup', backup)).stdout);
  expect(written).toMatchObject({ epoch, files: 8, skipped: [] });
  expect(written.leftOut.map(({ bytes }: { bytes: number }) => bytes)).toEqual([70_000, 70_000, 70_000]);
  expect(statSync(backup).mode & 0o777).toBe(0o600);
  expect(readdirSync(root).filter((name) => name.endsWith('.new'))).toEqual([]);
  await expect(run('backup', backup)).rejects.toMatchObject({ code: 'MESH_ALREADY_MADE' });
  // Tools that everybody has read the file.
  const listed = execFileSync('tar', ['-tzf', backup], { encoding: 'utf8' }).split('\n');
  expect(listed.slice(0, 3)).toEqual(['meshwork-backup.json', 'store.json', 'files/host0/']);

  const other = machine();
  other.file('etc/default/other', 'of the other\n');
  other.file('etc/meshwork/machine', 'cafecafe\n');
  const restored = JSON.parse((await other.run('restore', backup)).stdout);
  expect(restored).toMatchObject({ files: 8, entries: 70, store: 'sqlite' });
  expect(restored.epoch).not.toBe(epoch);
  const [before, after] = [treeOf(root), treeOf(other.root)];
  const same = Object.keys(before).filter((name) => before[name] === after[name]);
  expect(same.toSorted()).toEqual([
    'etc/default/meshwork',
    'etc/meshwork/host0.key',
    'host0/host0.conf',
    'host0/machines/rack1/overlay.manifest',
    'host0/machines/rack2',
    'host0/network/blue.conf',
    'var/lib/meshwork/keys/command',
    'var/lib/meshwork/keys/installation',
    'var/lib/meshwork/mirror/seen.json',
  ]);
  expect(
    Object.keys(after)
      .filter((name) => !(name in before))
      .toSorted(),
  ).toEqual(['var/lib/meshwork/host0.lock', 'var/lib/meshwork/restore.lock', 'var/lib/meshwork/restored.json']);
  expect(after['etc/default/other']).toBe('640 of the other\n');
  expect(after['etc/meshwork/machine']).toBe('640 cafecafe\n');
  expect(await storeOf(other.paths.state)).toEqual(await storeOf(paths.state));
  expect(JSON.parse(readFileSync(join(other.paths.state, 'restored.json'), 'utf8'))).toMatchObject({
    installation: '0123abcd',
  });
  expect(existsSync(join(other.root, 'host0/.meshwork-restore'))).toBe(false);
});

test('a machine that is a host0 already is replaced only by force, and then whole', async () => {
  const { run, backup } = await host0();
  await run('backup', backup);
  const other = await host0();
  other.file('host0/network/red.conf', 'name=red\n');
  other.file('var/lib/meshwork/keys/installation', 'its own secret\n', 0o600);
  other.file('var/lib/meshwork/epoch.json', '{}');
  const before = treeOf(other.root);
  await expect(other.run('restore', backup)).rejects.toMatchObject({ code: 'MESH_ALREADY_MADE' });
  const plan = JSON.parse((await other.run('restore', backup, '--plan')).stdout);
  expect(plan.differences).toEqual([
    { kind: 'file', name: 'host0/network/red.conf', side: 'now only' },
    {
      kind: 'key',
      name: 'state/keys/installation',
      side: 'differs',
      fingerprints: { backup: expect.stringMatching(/^[0-9a-f]{16}$/), now: expect.stringMatching(/^[0-9a-f]{16}$/) },
    },
  ]);
  expect(treeOf(other.root)).toEqual({
    ...before,
    'var/lib/meshwork/host0.lock': expect.anything(),
    'var/lib/meshwork/restore.lock': expect.anything(),
  });
  await other.run('restore', backup, '--force');
  const after = treeOf(other.root);
  expect(after['host0/network/red.conf']).toBeUndefined();
  expect(after['var/lib/meshwork/epoch.json']).toBeUndefined();
  expect(after['var/lib/meshwork/keys/installation']).toBe('600 a secret\n');
  expect(after['var/lib/meshwork/images/node/1/vmlinuz']).toBe(before['var/lib/meshwork/images/node/1/vmlinuz']);
  expect(after['host0/isos/large.iso']).toBe(before['host0/isos/large.iso']);
  const { stdout, code } = await other.run('diff', backup);
  expect({ ...JSON.parse(stdout), code }).toMatchObject({ differences: [], code: 0 });
});

test('what differs is told by names and fingerprints, and no secret is printed', async () => {
  const { run, said, backup, file, paths } = await host0();
  await run('backup', backup);
  file('var/lib/meshwork/keys/installation', 'a later secret\n', 0o600);
  file('host0/network/blue.conf', 'name=blue2\n');
  const store = await SqliteStore.open(join(paths.state, 'store.db'));
  await store.txn([], [{ put: '/v1/networks/70', value: 'later' }, { delete: '/v1/networks/0' }]);
  await store.close();
  const { stdout, code } = await said('diff', backup);
  expect(code).toBe(1);
  expect(stdout.replace(/[0-9a-f]{16}/g, 'HASH').replace(/ +/g, ' ')).toContain(
    [
      'file host0/network/blue.conf differs',
      'key state/keys/installation differs HASH → HASH',
      'network 0 backup only',
      'network 70 now only',
    ].join('\n'),
  );
  expect(stdout).not.toMatch(/secret|later/);
});

test('a filter makes the file and takes it back, and one that fails changes nothing', async () => {
  const { root, run, backup } = await host0();
  await run('backup', backup, '--filter', 'tr "\\\\000-\\\\377" "\\\\001-\\\\377\\\\000"');
  const backwards = ['--filter', 'tr "\\\\001-\\\\377\\\\000" "\\\\000-\\\\377"'];
  expect(() => gunzipSync(readFileSync(backup))).toThrow();
  const other = machine();
  await expect(other.run('restore', backup)).rejects.toMatchObject({ code: 'MESH_BACKUP_FOREIGN' });
  await expect(other.run('restore', backup, '--filter', 'echo no key >&2; exit 3')).rejects.toMatchObject({
    code: 'MESH_BACKUP_FILTER',
    message: expect.stringContaining('ended with 3: no key'),
  });
  // All bytes come, and the end of the program says that they do not count.
  await expect(other.run('restore', backup, '--filter', `${backwards[1]}; exit 4`)).rejects.toMatchObject({
    code: 'MESH_BACKUP_FILTER',
  });
  expect(treeOf(other.root)).toEqual({
    'var/lib/meshwork/host0.lock': '640 ',
    'var/lib/meshwork/restore.lock': '640 ',
  });
  await other.run('restore', backup, ...backwards);
  expect(treeOf(other.root)['host0/network/blue.conf']).toBe('640 name=blue\n');
  const cut = join(root, 'cut.backup');
  await expect(run('backup', cut, '--filter', 'head -c 10; exit 1')).rejects.toMatchObject({
    code: 'MESH_BACKUP_FILTER',
  });
  expect(readdirSync(root).filter((name) => name.startsWith('cut'))).toEqual([]);
});

test('packages of the mirror and isos come along when they are asked for, each once', async () => {
  const { run, backup } = await host0();
  await run('backup', backup, '--with-mirror', '--with-isos');
  const other = machine();
  await other.run('restore', backup);
  const { root } = other;
  const [pool, tree] = ['pool/aa.apk', 'generations/1/files/a.apk'].map((path) =>
    statSync(join(root, 'var/lib/meshwork/mirror', path)),
  );
  expect([pool?.ino, pool?.size]).toEqual([tree?.ino, 70_000]);
  expect(readlinkSync(join(root, 'var/lib/meshwork/mirror/generations/current'))).toBe('1');
  expect(statSync(join(root, 'host0/isos/large.iso')).size).toBe(70_000);
});

test('a restored host0 begins by a command, which says whether it has waited', async () => {
  const { run, backup } = await host0();
  await run('backup', backup);
  const other = machine();
  await other.run('restore', backup);
  const takeOver = async () => JSON.parse((await mesh(['--root', other.root, '--json', 'host0', 'take-over'])).stdout);
  expect(await takeOver()).toEqual({ wasRestored: true });
  expect(existsSync(join(other.paths.state, 'restored.json'))).toBe(false);
  expect(await takeOver()).toEqual({ wasRestored: false });
});

test('a file and --finish exclude each other, and neither is nothing', async () => {
  const { run } = machine();
  for (const words of [[], ['x', '--finish']])
    await expect(run('restore', ...words)).rejects.toMatchObject({ code: 'MESH_USAGE' });
});

test('while another process has the lock of host0 or of a restore, nothing is restored', async () => {
  const { run, backup } = await host0();
  await run('backup', backup);
  const other = machine();
  mkdirSync(other.paths.state, { recursive: true });
  for (const name of ['host0.lock', 'restore.lock']) {
    const lock = join(other.paths.state, name);
    writeFileSync(lock, '');
    const holder = spawn('flock', [lock, 'sh', '-c', 'echo held; read _'], { stdio: ['pipe', 'pipe', 'ignore'] });
    await once(holder.stdout, 'data');
    await expect(other.run('restore', backup)).rejects.toMatchObject({ code: 'MESH_ALREADY_RUNNING' });
    expect(existsSync(other.paths.host0)).toBe(false);
    holder.stdin.end('\n');
    await once(holder, 'exit');
  }
  await other.run('restore', backup);
});
