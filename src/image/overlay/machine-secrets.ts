/**
 * The secrets of one machine: its SSH host key and its machine key. host0 makes the host key when the machine boots for the
 * first time and keeps it, so that another machine that answers at the same address is recognised. The machine key is another
 * one at each boot (model/machine-key.ts). By it node and host0 recognise each other. Agents of earlier images know a token in
 * its place, which is derived from the key.
 */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type PublicKeyLine, publicKeyOf } from '../../formats/binary/openssh-key.ts';
import { errnoOf } from '../../formats/conf/conf-reader.ts';
import type { MeshError } from '../../model/error.ts';
import type { MachineId } from '../../model/machine.ts';
import { reportToken } from '../../model/machine-key.ts';
import { keyFileText, type NamedKey } from '../../protocol/shapes/key-file.ts';
import { damagedKey, keyAt } from '../command-key.ts';
import { MachineTokens } from './machine-tokens.ts';
import { packEntries } from './overlay.ts';

/** Where `shell-server` on the node, and OpenSSH, look for the host key. */
const HOST_KEY = 'etc/ssh/ssh_host_ed25519_key';
/** Where the agent looks for its key (protocol/documents/paths.ts), and agents of earlier images for the token. */
const [KEY, TOKEN] = ['etc/meshwork/key', 'etc/meshwork/token'];
const SECRET = { uid: 0, gid: 0, permissions: 0o600 };

/**
 * A tar of the machine's secrets, with their paths on the node. Makes a host key if the machine has none yet.
 * @param key the key of this boot; without one the node has no channel
 * @throws MESH_KEY_DAMAGED, MESH_DISK_REFUSED
 */
export async function secretsOf(stateDirectory: string, machine: MachineId, key?: NamedKey): Promise<Uint8Array> {
  const hostKey = await makeHostKey(stateDirectory, machine);
  const files: readonly (readonly [path: string, text: string])[] = [
    ...(key === undefined
      ? []
      : ([
          [KEY, keyFileText(key)],
          [TOKEN, `${reportToken(key.key)}\n`],
        ] as const)),
    [HOST_KEY, hostKey],
  ];
  return await packEntries(
    files.map(([path, text]) => ({ type: 'file', path, mode: SECRET, content: Buffer.from(text) })),
  );
}

/** The machine's SSH host key, which is made if the machine has none. @throws MESH_KEY_DAMAGED, MESH_DISK_REFUSED */
export async function makeHostKey(stateDirectory: string, machine: MachineId): Promise<string> {
  const key = await keyAt(stateDirectory, `hosts/${machine}`, machine);
  if (publicKeyOf(key, machine) === undefined) throw damaged(stateDirectory, machine);
  return key;
}

/**
 * The public half of the machine's SSH host key; undefined if the machine has never fetched its secrets.
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

/** Removes the secrets of a machine that was removed; if it boots again, it gets others. Never rejects. */
export async function removeSecrets(stateDirectory: string, machine: MachineId): Promise<void> {
  await new MachineTokens(stateDirectory).forget(machine);
  await rm(hostKeyIn(stateDirectory, machine), { force: true }).catch(() => undefined);
}

function hostKeyIn(stateDirectory: string, machine: MachineId): string {
  return join(stateDirectory, 'keys/hosts', machine);
}

function damaged(stateDirectory: string, machine: MachineId): MeshError {
  return damagedKey(hostKeyIn(stateDirectory, machine), 'the machine gets it when it boots the next time');
}
