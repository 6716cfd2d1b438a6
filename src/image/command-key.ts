/**
 * host0's own SSH key pair, with which `mesh node ctl` commands nodes, in OpenSSH's file format, the public half in
 * `.pub`. host0 makes the pair once; every overlay has the public half in `authorized_keys`.
 */
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createDurable, makeDirectory, writeDurable } from '../disk/durable-file.ts';
import { newPrivateKey, publicKeyOf } from '../formats/binary/openssh-key.ts';
import { errnoOf } from '../formats/conf/conf-reader.ts';
import { MeshError } from '../model/error.ts';
import { findingOf, type HealthSource } from '../protocol/documents/finding.ts';

const COMMENT = 'meshwork-host0';
/** Only root may read keys, and list the machines that have keys. */
const CLOSED = 0o700;
const SECRET = 0o600;
const SHOWN = 0o644;

/** The path of the private half; the public half has `.pub` behind it. */
export function commandKeyIn(stateDirectory: string): string {
  return join(stateDirectory, 'keys/command');
}

/**
 * Makes the pair unless it exists; durable when it resolves.
 * @throws MESH_KEY_DAMAGED, MESH_DISK_REFUSED
 */
export async function makeCommandKey(stateDirectory: string): Promise<void> {
  const file = commandKeyIn(stateDirectory);
  const key = publicKeyOf(await keyAt(stateDirectory, 'command', COMMENT), COMMENT);
  if (key === undefined) throw damagedKey(file, 'the nodes take the new one when they boot the next time');
  const line = `${key}\n`;
  if ((await createDurable(`${file}.pub`, () => line, SHOWN)) !== line) await writeDurable(`${file}.pub`, line);
}

/** Makes the pair unless it exists. Never rejects: without its key, host0 still boots machines, but cannot command them. */
export async function commandKeyHealth(stateDirectory: string): Promise<HealthSource> {
  try {
    await makeCommandKey(stateDirectory);
    return { health: () => [] };
  } catch (thrown) {
    const file = commandKeyIn(stateDirectory);
    const finding = findingOf(unusableKey(file, thrown), { object: file, severity: 'warning' });
    return { health: () => [finding] };
  }
}

function unusableKey(file: string, thrown: unknown): MeshError {
  const error = MeshError.from(thrown);
  if (error.code !== 'MESH_INTERNAL') return error;
  return new MeshError('MESH_KEY_DAMAGED', `${file} cannot be read: ${error.message}`, {
    remedy: `Look at ${file} (\`ls -ld\`), move it away or let root read it, and restart host0.`,
    cause: thrown,
  });
}

/** Lines for an `authorized_keys`; empty until host0 has made its key. */
export async function authorizedKeysIn(stateDirectory: string): Promise<readonly string[]> {
  try {
    const text = await readFile(`${commandKeyIn(stateDirectory)}.pub`, 'utf8');
    return text.split('\n').filter((line) => line !== '');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/** The text of the private key `keys/NAME`, which is made if it does not exist. @throws MESH_DISK_REFUSED */
export async function keyAt(stateDirectory: string, name: string, comment: string): Promise<string> {
  return await createDurable(await secretPath(stateDirectory, name), () => newPrivateKey(comment), SECRET);
}

/** The path of a secret, in a directory that only root can list. */
async function secretPath(stateDirectory: string, name: string): Promise<string> {
  const file = join(stateDirectory, 'keys', name);
  await makeDirectory(stateDirectory);
  await makeDirectory(dirname(file), CLOSED);
  return file;
}

/** The error MESH_KEY_DAMAGED for a key file. @param then what follows when host0 has made another, as the end of a sentence */
export function damagedKey(file: string, then: string): MeshError {
  return new MeshError('MESH_KEY_DAMAGED', `${file} is not a key that host0 wrote`, {
    operation: 'read key',
    object: file,
    remedy: `Remove it, and restart host0: it makes another, and ${then}.`,
  });
}
