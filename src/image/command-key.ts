/**
 * host0's own key pair, with which `mesh node ctl` commands nodes: OpenSSH's form, the public half in `.pub`. It is made
 * once, and every overlay names it.
 */
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createDurable, makeDirectory, writeDurable } from '../disk/durable-file.ts';
import { newPrivateKey, publicKeyOf } from '../formats/binary/openssh-key.ts';
import { errnoOf } from '../formats/conf/conf-reader.ts';
import { MeshError } from '../model/error.ts';

const COMMENT = 'meshwork-host0';
/** Keys are root's alone, and so is what there are keys of. */
const CLOSED = 0o700;
const SECRET = 0o600;
const SHOWN = 0o644;

export function commandKeyIn(stateDirectory: string): string {
  return join(stateDirectory, 'keys/command');
}

/**
 * Makes the pair unless it is there; durable when it resolves.
 * @throws MESH_KEY_DAMAGED, MESH_DISK_REFUSED
 */
export async function makeCommandKey(stateDirectory: string): Promise<void> {
  const file = commandKeyIn(stateDirectory);
  const key = publicKeyOf(await keyAt(stateDirectory, 'command', COMMENT), COMMENT);
  if (key === undefined) throw damagedKey(file, 'the nodes take the new one when they boot the next time');
  const line = `${key}\n`;
  if ((await createDurable(`${file}.pub`, () => line, SHOWN)) !== line) await writeDurable(`${file}.pub`, line);
}

/** Lines for an `authorized_keys`; none before host0 has made its key. */
export async function authorizedKeysIn(stateDirectory: string): Promise<readonly string[]> {
  try {
    const text = await readFile(`${commandKeyIn(stateDirectory)}.pub`, 'utf8');
    return text.split('\n').filter((line) => line !== '');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/** The private key of that name, which is made if there is none. @throws MESH_DISK_REFUSED */
export function keyAt(stateDirectory: string, name: string, comment: string): Promise<string> {
  return secretAt(stateDirectory, name, () => newPrivateKey(comment));
}

/** The same for any secret of host0. */
export async function secretAt(stateDirectory: string, name: string, make: () => string): Promise<string> {
  const file = join(stateDirectory, 'keys', name);
  await makeDirectory(stateDirectory);
  await makeDirectory(dirname(file), CLOSED);
  return await createDurable(file, make, SECRET);
}

export function damagedKey(file: string, then: string): MeshError {
  return new MeshError('MESH_KEY_DAMAGED', `${file} is not a key that host0 wrote`, {
    operation: 'read key',
    object: file,
    remedy: `Remove it, and restart host0: it makes another, and ${then}.`,
  });
}
