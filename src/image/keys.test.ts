/** The keys that host0 keeps: made once, readable by root only, and different for each machine. */

import { execFileSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unpackTar } from 'modern-tar';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseMachineId } from '../model/machine.ts';
import { authorizedKeysIn, commandKeyHealth, commandKeyIn, makeCommandKey } from './command-key.ts';
import { hostKeyOf, removeSecrets, secretsOf } from './overlay/machine-secrets.ts';
import { MachineTokens } from './overlay/machine-tokens.ts';
import { TokenSecret } from './overlay/token-secret.ts';

const [ONE, TWO] = [parseMachineId('10eff964'), parseMachineId('2b1c0d3e')];
let state: string;

beforeEach(async () => {
  state = join(await mkdtemp(join(tmpdir(), 'mw-keys-')), 'state');
});
afterEach(() => rm(join(state, '..'), { recursive: true }));

const modeOf = async (path: string) => (await stat(join(state, path))).mode & 0o777;

test('the command key is made once, for root only, and ssh-keygen derives the listed public half', async () => {
  expect(await authorizedKeysIn(state)).toEqual([]);
  await Promise.all([makeCommandKey(state), makeCommandKey(state)]);
  const [line] = await authorizedKeysIn(state);
  await makeCommandKey(state);
  expect(await authorizedKeysIn(state)).toEqual([line]);
  expect(line).toMatch(/^ssh-ed25519 [A-Za-z0-9+/]+=* meshwork-host0$/);
  expect(await Promise.all(['keys', 'keys/command'].map(modeOf))).toEqual([0o700, 0o600]);
  const shown = execFileSync('ssh-keygen', ['-y', '-f', commandKeyIn(state)], { encoding: 'utf8' }).trim();
  expect(shown).toBe(line);
});

test('a lost public half is written again', async () => {
  await makeCommandKey(state);
  const before = await authorizedKeysIn(state);
  await rm(`${commandKeyIn(state)}.pub`);
  await makeCommandKey(state);
  expect(await authorizedKeysIn(state)).toEqual(before);
});

test('a damaged key is an error, and is not replaced', async () => {
  await makeCommandKey(state);
  await writeFile(commandKeyIn(state), 'garbage');
  await expect(makeCommandKey(state)).rejects.toMatchObject({ code: 'MESH_KEY_DAMAGED', object: commandKeyIn(state) });
  expect(await readFile(commandKeyIn(state), 'utf8')).toBe('garbage');
});

test('a machine gets the same host key at each boot, and no other machine has it', async () => {
  expect(await hostKeyOf(state, ONE)).toBeUndefined();
  const [first, again, other] = [await secretsOf(state, ONE), await secretsOf(state, ONE), await secretsOf(state, TWO)];
  const entries = await unpackTar(first);
  const [token, key] = await unpackTar(again);
  expect(key?.data).toEqual(entries[1]?.data);
  expect(token?.data).not.toEqual(entries[0]?.data);
  expect(entries.map(({ header: { name, mode, uid, gid } }) => [name, mode, uid, gid])).toEqual([
    ['etc/meshwork/token', 0o600, 0, 0],
    ['etc/ssh/ssh_host_ed25519_key', 0o600, 0, 0],
  ]);
  const file = join(state, 'unpacked');
  await writeFile(file, entries[1]?.data ?? '', { mode: 0o600 });
  const shown = execFileSync('ssh-keygen', ['-y', '-f', file], { encoding: 'utf8' }).trim();
  expect(await hostKeyOf(state, ONE)).toBe(shown);
  expect(await hostKeyOf(state, TWO)).not.toBe(shown);
  expect(Buffer.from(other).equals(first)).toBe(false);
  expect(await modeOf(`keys/hosts/${ONE}`)).toBe(0o600);
  for (let time = 0; time < 2; time++) await removeSecrets(state, ONE);
  expect(await hostKeyOf(state, ONE)).toBeUndefined();
  expect(await hostKeyOf(state, TWO)).toBeDefined();
});

describe('a token', () => {
  const derived = (secret: string, machine: string) => createHmac('sha256', secret).update(machine).digest('hex');
  const tokens = () => new MachineTokens(state);

  test('is new at each boot, and the one before holds until the new one is used', async () => {
    const [token] = await unpackTar(await secretsOf(state, ONE));
    const first = Buffer.from(token?.data ?? '')
      .toString('utf8')
      .trim();
    expect(first).toMatch(/^[0-9a-f]{64}$/);
    expect(await tokens().of(ONE)).toEqual([first]);
    expect(await tokens().of(TWO)).toEqual([]);
    await tokens().used(ONE, first);
    const second = await tokens().offer(ONE);
    expect(second).not.toBe(first);
    expect(await tokens().of(ONE)).toEqual([first, second]);
    await tokens().used(ONE, first);
    expect(await tokens().of(ONE)).toEqual([first, second]);
    await Promise.all([tokens().used(ONE, second), tokens().used(ONE, second)]);
    expect(await tokens().of(ONE)).toEqual([second]);
    expect(await modeOf(`keys/machines/${ONE}`)).toBe(0o600);
  });

  test('is taken away by an empty file, and when the machine is removed', async () => {
    await tokens().used(ONE, await tokens().offer(ONE));
    await writeFile(join(state, `keys/machines/${ONE}`), '');
    expect(await tokens().of(ONE)).toEqual([]);
    await tokens().used(TWO, await tokens().offer(TWO));
    await removeSecrets(state, TWO);
    expect(await tokens().of(TWO)).toEqual([]);
  });

  test('that is damaged is a finding, until the machine has booted again', async () => {
    const source = tokens();
    await source.used(ONE, await source.offer(ONE));
    const file = join(state, `keys/machines/${ONE}`);
    await writeFile(file, (await readFile(file, 'utf8')).slice(0, 30));
    expect(await source.of(ONE)).toEqual([]);
    expect(source.health()).toMatchObject([{ code: 'MESH_KEY_DAMAGED', severity: 'warning', object: file }]);
    await source.used(ONE, await source.offer(ONE));
    expect(await source.of(ONE)).toHaveLength(1);
    expect(source.health()).toEqual([]);
  });

  test.each([
    ['cut', (secret: string) => secret.slice(0, 20)],
    ['changed in one digit', (secret: string) => secret.replace('a', 'b')],
    ['emptied', () => ''],
  ])('of an older host0 are told, if their secret was %s', async (_, damage) => {
    const secret = 'a'.repeat(64);
    await makeCommandKey(state);
    const file = join(state, 'keys/tokens');
    await writeFile(file, secret, { mode: 0o600 });
    expect((await TokenSecret.check(state)).health()).toEqual([]);
    expect((await TokenSecret.check(state)).health()).toEqual([]);
    await writeFile(file, damage(secret));
    expect((await TokenSecret.check(state)).health()).toMatchObject([{ code: 'MESH_KEY_DAMAGED', object: file }]);
    expect(await tokens().of(ONE)).toEqual([]);
    expect(await tokens().of(TWO)).toEqual([]);
    // As the remedy says.
    await writeFile(file, secret);
    await rm(`${file}.damaged`);
    expect((await TokenSecret.check(state)).health()).toEqual([]);
    expect(await tokens().of(ONE)).toEqual([derived(secret, ONE)]);
  });

  test('a command key that is damaged is a finding, and the remedy heals', async () => {
    await makeCommandKey(state);
    const file = join(state, 'keys/command');
    await writeFile(file, 'x');
    expect((await commandKeyHealth(state)).health()).toMatchObject([{ code: 'MESH_KEY_DAMAGED', object: file }]);
    await rm(file);
    await mkdir(file);
    expect((await commandKeyHealth(state)).health()).toMatchObject([{ code: 'MESH_KEY_DAMAGED', object: file }]);
    await rm(file, { recursive: true });
    expect((await commandKeyHealth(state)).health()).toEqual([]);
  });

  test('of an older host0 holds until the machine has used another', async () => {
    const secret = 'a'.repeat(64);
    await makeCommandKey(state);
    await writeFile(join(state, 'keys/tokens'), secret, { mode: 0o600 });
    expect(await tokens().of(ONE)).toEqual([derived(secret, ONE)]);
    expect(await tokens().sentBy(ONE)).toBe(derived(secret, ONE));
    const next = await tokens().offer(ONE);
    expect(await tokens().of(ONE)).toEqual([derived(secret, ONE), next]);
    await tokens().used(ONE, next);
    expect(await tokens().of(ONE)).toEqual([next]);
    expect(await tokens().sentBy(ONE)).toBeUndefined();
    await removeSecrets(state, ONE);
    expect([await tokens().of(ONE), await tokens().sentBy(ONE)]).toEqual([[], undefined]);
    // An empty file must not pass for a secret.
    await writeFile(join(state, 'keys/tokens'), '');
    expect([await tokens().of(TWO), await tokens().sentBy(TWO)]).toEqual([[], undefined]);
  });
});
