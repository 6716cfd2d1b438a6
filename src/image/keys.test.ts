/** The keys that host0 keeps: made once, readable by root only, and different for each machine. */

import { execFileSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { unpackTar } from 'modern-tar';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type MachineId, parseMachineId } from '../model/machine.ts';
import { keyIdentity, machineKey, reportToken } from '../model/machine-key.ts';
import { type NamedKey, readKeyFile } from '../protocol/shapes/key-file.ts';
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

test('a machine gets the same host key at each boot with the key of that boot, and no other machine has it', async () => {
  expect(await hostKeyOf(state, ONE)).toBeUndefined();
  const keyOf = (machine: MachineId, generation: number): NamedKey => ({
    identity: keyIdentity({ machine, generation }),
    key: machineKey(Buffer.alloc(32), { machine, generation }),
  });
  const [first, again] = [await secretsOf(state, ONE, keyOf(ONE, 1)), await secretsOf(state, ONE, keyOf(ONE, 2))];
  const other = await secretsOf(state, TWO, keyOf(TWO, 1));
  const entries = await unpackTar(first);
  expect(entries.map(({ header: { name, mode, uid, gid } }) => [name, mode, uid, gid])).toEqual([
    ['etc/meshwork/key', 0o600, 0, 0],
    ['etc/meshwork/token', 0o600, 0, 0],
    ['etc/ssh/ssh_host_ed25519_key', 0o600, 0, 0],
  ]);
  const textOf = (index: number) => Buffer.from(entries[index]?.data ?? '').toString('utf8');
  expect(readKeyFile(textOf(0)).document).toEqual(keyOf(ONE, 1));
  expect(textOf(1)).toBe(`${reportToken(keyOf(ONE, 1).key)}\n`);
  const later = await unpackTar(again);
  expect([0, 1, 2].map((index) => isDeepStrictEqual(later[index]?.data, entries[index]?.data))).toEqual([
    false,
    false,
    true,
  ]);
  expect((await unpackTar(await secretsOf(state, ONE))).map(({ header }) => header.name)).toEqual([
    'etc/ssh/ssh_host_ed25519_key',
  ]);
  const file = join(state, 'unpacked');
  await writeFile(file, entries[2]?.data ?? '', { mode: 0o600 });
  const shown = execFileSync('ssh-keygen', ['-y', '-f', file], { encoding: 'utf8' }).trim();
  expect(await hostKeyOf(state, ONE)).toBe(shown);
  expect(await hostKeyOf(state, TWO)).not.toBe(shown);
  expect(Buffer.from(other).equals(first)).toBe(false);
  expect(await modeOf(`keys/hosts/${ONE}`)).toBe(0o600);
  for (let time = 0; time < 2; time++) await removeSecrets(state, ONE);
  expect(await hostKeyOf(state, ONE)).toBeUndefined();
  expect(await hostKeyOf(state, TWO)).toBeDefined();
});

describe('a token of an earlier host0', () => {
  const derived = (secret: string, machine: string) => createHmac('sha256', secret).update(machine).digest('hex');
  const tokens = () => new MachineTokens(state);
  const [FIRST, SECOND] = ['1'.repeat(64), '2'.repeat(64)];
  const give = async (name: string, token: string) => {
    await mkdir(join(state, 'keys/machines'), { recursive: true });
    await writeFile(join(state, 'keys/machines', name), token);
  };

  test('holds until the one after it is used', async () => {
    await give(ONE, FIRST);
    expect([await tokens().of(ONE), await tokens().of(TWO)]).toEqual([[FIRST], []]);
    await give(`${ONE}.next`, SECOND);
    expect(await tokens().of(ONE)).toEqual([FIRST, SECOND]);
    await tokens().used(ONE, FIRST);
    expect(await tokens().of(ONE)).toEqual([FIRST, SECOND]);
    await Promise.all([tokens().used(ONE, SECOND), tokens().used(ONE, SECOND)]);
    expect(await tokens().of(ONE)).toEqual([SECOND]);
  });

  test('is taken away by an empty file, and when the machine is removed', async () => {
    await give(ONE, '');
    expect(await tokens().of(ONE)).toEqual([]);
    await give(TWO, FIRST);
    await removeSecrets(state, TWO);
    expect(await tokens().of(TWO)).toEqual([]);
  });

  test('that is damaged is a finding, until the machine has used a key', async () => {
    const source = tokens();
    await give(ONE, FIRST.slice(0, 30));
    expect(await source.of(ONE)).toEqual([]);
    const object = join(state, `keys/machines/${ONE}`);
    expect(source.health()).toMatchObject([{ code: 'MESH_KEY_DAMAGED', severity: 'warning', object }]);
    await source.forget(ONE);
    expect([await source.of(ONE), source.health()]).toEqual([[], []]);
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
    const next = FIRST;
    await give(`${ONE}.next`, next);
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
