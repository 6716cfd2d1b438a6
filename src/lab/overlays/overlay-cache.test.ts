import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { buildOverlay, overlaidGuest } from './overlay-cache.ts';
import { findOverlay, listOverlays, overlayFiles, overlayTree } from './overlay-source.ts';

/** A directory for overlays; guests and archives are kept there, too. */
function place(): string {
  const directory = mkdtempSync(join(tmpdir(), 'mw-overlay-'));
  const before = process.env.XDG_CACHE_HOME;
  process.env.XDG_CACHE_HOME = join(directory, 'cache');
  onTestFinished(() => {
    if (before === undefined) delete process.env.XDG_CACHE_HOME;
    else process.env.XDG_CACHE_HOME = before;
    rmSync(directory, { recursive: true });
  });
  writeFileSync(join(directory, 'base'), 'base');
  return directory;
}

const guestIn = (directory: string) => ({
  kernel: 'k',
  base: join(directory, 'base'),
  tools: join(directory, 'base'),
  disks: join(directory, 'base'),
  id: 'guest',
});

function tree(directory: string): string {
  const path = join(directory, 'mine');
  mkdirSync(join(path, 'default/bin'), { recursive: true });
  writeFileSync(join(path, 'README'), 'Mine.\n');
  writeFileSync(join(path, 'default/bin/hello'), '#!/bin/sh\n', { mode: 0o755 });
  symlinkSync('hello', join(path, 'default/bin/hi'));
  return path;
}

test('a directory, a tar and a script that prints one give the same files', async () => {
  const directory = place();
  const path = tree(directory);
  const archive = join(directory, 'mine.tar.gz');
  execFileSync('tar', ['czf', archive, '-C', join(path, 'default'), '.']);
  const script = join(directory, 'script');
  mkdirSync(script);
  writeFileSync(join(script, 'tar'), `#!/bin/sh\n[ "$1" = - ] || exit 1\nexec tar cf - -C ${path}/default .\n`);
  chmodSync(join(script, 'tar'), 0o755);
  const sources = [path, archive, script].map((word) => findOverlay(word, '/'));
  expect(sources.map(({ kind }) => kind)).toEqual(['directory', 'tar', 'script']);
  const guest = guestIn(directory);
  const built = await Promise.all(sources.map((source) => buildOverlay(source, guest)));
  const [first, ...others] = built.map((overlay) => readFileSync(overlay.archive));
  // A directory bin would take the place of the guest's link of that name.
  expect(await overlayFiles(findOverlay('./mine', directory))).toEqual(['/usr/bin/hello', '/usr/bin/hi']);
  for (const other of others) expect(other.equals(first ?? Buffer.alloc(0))).toBe(true);
});

test('what has not changed is not built again', async () => {
  const directory = place();
  const path = tree(directory);
  const guest = guestIn(directory);
  const before = await overlaidGuest(guest, [path, 'routers', path], '/');
  expect(before.overlays.map(({ name, fresh }) => [name, fresh])).toEqual([
    ['mine', true],
    ['routers', true],
  ]);
  const again = await overlaidGuest(guest, [path, 'routers'], '/');
  expect(again.overlays.some(({ fresh }) => fresh)).toBe(false);
  expect(again.initrd).toBe(before.initrd);
  expect(readFileSync(again.initrd).subarray(0, 10).toString()).toBe('base070701');
  writeFileSync(join(path, 'default/bin/hello'), '#!/bin/sh\nexit 1\n');
  const changed = await overlaidGuest(guest, [path, 'routers'], '/');
  expect(changed.overlays.map(({ fresh }) => fresh)).toEqual([true, false]);
  expect(changed.initrd).not.toBe(before.initrd);
});

test.each([
  ['fails', 'echo "no compiler" >&2; exit 4', /script of the overlay bad ended with 4: no compiler/],
  ['prints no archive', 'echo building; tar cf - /dev/null 2>/dev/null', /is no tar archive/],
  ['prints nothing', ':', /is no tar archive|is empty/],
  [
    'leads out of the guest',
    'cd /; mkdir -p "$OUT/a"; cd "$OUT/a"; echo x >../x; tar -P -cf - ../x',
    /leads out of the guest/,
  ],
])('a script that %s is told', async (_, text, says) => {
  const directory = place();
  const script = join(directory, 'bad');
  mkdirSync(script);
  writeFileSync(join(script, 'tar'), `#!/bin/sh\nOUT=${directory}\n${text}\n`);
  chmodSync(join(script, 'tar'), 0o755);
  await expect(buildOverlay(findOverlay(script, '/'), guestIn(directory))).rejects.toMatchObject({
    code: 'MESH_LAB_OVERLAY',
    message: expect.stringMatching(says),
  });
});

test('what killed processes left, and what was not used for long, goes at the next build', async () => {
  const directory = place();
  const path = tree(directory);
  const cache = join(directory, 'cache/meshwork/lab');
  const guest = guestIn(directory);
  const { initrd, overlays } = await overlaidGuest(guest, [path], '/');
  mkdirSync(join(cache, 'draft-killed'));
  mkdirSync(join(cache, 'draft-at-work'));
  writeFileSync(join(cache, 'initrd-0123.cpio'), 'of an overlay of last year');
  writeFileSync(join(cache, 'notes'), 'not ours');
  const old = new Date(Date.now() - 40 * 24 * 60 * 60 * 1_000);
  const kept = overlays.map(({ archive }) => archive);
  for (const file of ['draft-killed', 'initrd-0123.cpio', 'notes'].map((name) => join(cache, name)))
    utimesSync(file, old, old);
  for (const file of [initrd, ...kept]) utimesSync(file, old, old);
  // What is used again is no longer old.
  await overlaidGuest(guest, [path], '/');
  await overlaidGuest(guest, [path, 'routers'], '/');
  const names = readdirSync(cache);
  expect(names).toEqual(
    expect.arrayContaining(['draft-at-work', 'notes', ...[initrd, ...kept].map((file) => basename(file))]),
  );
  expect(names).not.toContain('draft-killed');
  expect(names).not.toContain('initrd-0123.cpio');
});

test.each([
  ['takes too long', 'sleep 300 & echo $! >"$OUT/pid"; wait', /did not end within/],
  ['takes too long in a session of its own', 'setsid sleep 300 & echo $! >"$OUT/pid"; wait', /did not end within/],
  ['prints too much', 'sleep 300 & echo $! >"$OUT/pid"; exec yes', /printed more than/],
])('a script that %s is ended', async (_, text, says) => {
  const directory = place();
  const script = join(directory, 'bad');
  mkdirSync(script);
  writeFileSync(join(script, 'tar'), `#!/bin/sh\nOUT=${directory}\n${text}\n`);
  chmodSync(join(script, 'tar'), 0o755);
  const ended = overlayTree(findOverlay(script, '/'), { withinMs: 1_000, maxBytes: 1_048_576 });
  await expect(ended).rejects.toMatchObject({ code: 'MESH_LAB_OVERLAY', message: expect.stringMatching(says) });
  const pid = Number(readFileSync(join(directory, 'pid'), 'utf8'));
  if (text.startsWith('setsid')) process.kill(pid, 'SIGKILL');
  // A child of nobody is a zombie until the first process takes note.
  await expect
    .poll(() =>
      existsSync(`/proc/${pid}/stat`) ? readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.[0] : 'Z',
    )
    .toBe('Z');
});

test('an overlay that is not there names those that are', () => {
  expect(() => findOverlay('routrs', '/')).toThrow(
    expect.objectContaining({ remedy: expect.stringContaining('routers') }),
  );
  expect(listOverlays().map(({ name }) => name)).toEqual(
    expect.arrayContaining(['tools', 'cluster-net', 'external-net', 'routers', 'ipv6-only', 'mtu', 'lossy']),
  );
});
