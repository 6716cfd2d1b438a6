/** The installation secret: made once, for root only, and never replaced without a word. */

import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { InstallationSecret } from './installation-secret.ts';

let state: string;
let path: string;

beforeEach(async () => {
  state = join(await mkdtemp(join(tmpdir(), 'mw-secret-')), 'state');
  path = join(state, 'keys/installation');
});
afterEach(() => rm(join(state, '..'), { recursive: true }));

test('is made at the first start, differs between installations, and stays', async () => {
  const first = await InstallationSecret.open(state);
  expect(first.bytes).toHaveLength(32);
  expect((await InstallationSecret.open(state)).bytes).toEqual(first.bytes);
  expect((await InstallationSecret.open(`${state}.other`)).bytes).not.toEqual(first.bytes);
  const modes = await Promise.all([path, join(state, 'keys')].map(async (file) => (await stat(file)).mode & 0o777));
  expect(modes).toEqual([0o600, 0o700]);
  expect(first.health()).toEqual([]);
});

test('a damaged one is moved aside and told until the administrator restores it', async () => {
  const { bytes } = await InstallationSecret.open(state);
  const whole = await readFile(path, 'utf8');
  await writeFile(
    path,
    whole.replace(/[0-9a-f]"\n}/, (end) => `${end[0] === '0' ? '1' : '0'}"\n}`),
  );
  const damaged = await InstallationSecret.open(state);
  expect(damaged.bytes).toHaveLength(32);
  expect(damaged.bytes).not.toEqual(bytes);
  expect(damaged.health()).toMatchObject([{ code: 'MESH_STATE_DAMAGED', severity: 'warning', object: path }]);
  expect((await InstallationSecret.open(state)).health()).toHaveLength(1);
  // As the remedy says.
  await writeFile(path, whole);
  await rm(`${path}.damaged`);
  const restored = await InstallationSecret.open(state);
  expect([restored.bytes, restored.health()]).toEqual([bytes, []]);
});

test('one of a later version is left as it is, and host0 has no secret', async () => {
  await InstallationSecret.open(state);
  const later = (await readFile(path, 'utf8')).replace('"version": 1', '"version": 2');
  await writeFile(path, later);
  const secret = await InstallationSecret.open(state);
  expect(secret.bytes).toBeUndefined();
  expect(secret.health()).toMatchObject([{ code: 'MESH_STATE_LATER' }]);
  expect(await readFile(path, 'utf8')).toBe(later);
});

test('one that cannot be kept is not used', async () => {
  await mkdir(state, { recursive: true });
  await writeFile(join(state, 'keys'), 'no directory');
  const secret = await InstallationSecret.open(state);
  expect(secret.bytes).toBeUndefined();
  expect(secret.health()).toHaveLength(1);
});
