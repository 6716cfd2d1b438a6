/** The keys that host0 keeps: made once, readable by root only, and different for each machine. */
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unpackTar } from 'modern-tar';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseMachineId } from '../model/machine.ts';
import { authorizedKeysIn, commandKeyIn, makeCommandKey } from './command-key.ts';
import { hostKeyOf, removeHostKey, secretsOf, Tokens } from './overlay/machine-secrets.ts';

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
  expect(Buffer.from(again).equals(first)).toBe(true);
  const entries = await unpackTar(first);
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
  for (let time = 0; time < 2; time++) await removeHostKey(state, ONE);
  expect(await hostKeyOf(state, ONE)).toBeUndefined();
  expect(await hostKeyOf(state, TWO)).toBeDefined();
});

test('a token fits only its machine and this host0, also after a restart', async () => {
  const [token = new Uint8Array()] = (await unpackTar(await secretsOf(state, ONE))).map(({ data }) => data);
  const text = Buffer.from(token).toString('utf8').trim();
  expect(text).toMatch(/^[0-9a-f]{64}$/);
  const tokens = await Tokens.open(state);
  expect([tokens.fits(ONE, text), tokens.fits(TWO, text), tokens.fits(ONE, ''), tokens.fits(ONE, `${text}0`)]).toEqual([
    true,
    false,
    false,
    false,
  ]);
  expect((await Tokens.open(join(state, 'other'))).fits(ONE, text)).toBe(false);
  expect(await modeOf('keys/tokens')).toBe(0o600);
  // An empty file must not pass for a secret.
  await writeFile(join(state, 'keys/tokens'), '');
  await expect(Tokens.open(state)).rejects.toMatchObject({ code: 'MESH_KEY_DAMAGED' });
});
