/**
 * What one machine has that no other may have: its SSH host key. host0 makes it when the machine boots for the first
 * time and keeps it, so that whoever answers at the machine's address can be told from the machine.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../formats/conf-reader.ts';
import { type PublicKeyLine, publicKeyOf } from '../formats/openssh-key.ts';
import type { MeshError } from '../model/error.ts';
import type { MachineId } from '../model/machine.ts';
import { damagedKey, keyAt } from './command-key.ts';
import { packEntries } from './overlay.ts';

/** Where the node's `shell-server`, and OpenSSH, look for it. */
const HOST_KEY = 'etc/ssh/ssh_host_ed25519_key';
const SECRET = { uid: 0, gid: 0, permissions: 0o600 };

/**
 * A tar of the machine's secrets, as they lie on the node; they are made if there are none yet.
 * @throws MESH_KEY_DAMAGED, MESH_DISK_REFUSED
 */
export async function secretsOf(stateDirectory: string, machine: MachineId): Promise<Uint8Array> {
  const key = await keyAt(stateDirectory, `hosts/${machine}`, machine);
  if (publicKeyOf(key, machine) === undefined) throw damaged(stateDirectory, machine);
  return await packEntries([{ type: 'file', path: HOST_KEY, mode: SECRET, content: Buffer.from(key) }]);
}

/**
 * By what a machine is known; undefined for one that has never been given its secrets.
 * @throws MESH_KEY_DAMAGED
 */
export async function hostKeyOf(stateDirectory: string, machine: MachineId): Promise<PublicKeyLine | undefined> {
  try {
    const key = publicKeyOf(await readFile(hostKeyIn(stateDirectory, machine), 'utf8'), machine);
    if (key === undefined) throw damaged(stateDirectory, machine);
    return key;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function hostKeyIn(stateDirectory: string, machine: MachineId): string {
  return join(stateDirectory, 'keys/hosts', machine);
}

function damaged(stateDirectory: string, machine: MachineId): MeshError {
  return damagedKey(hostKeyIn(stateDirectory, machine), 'the machine gets it when it boots the next time');
}
