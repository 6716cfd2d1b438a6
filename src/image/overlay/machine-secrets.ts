/**
 * The secrets of one machine: its SSH host key and its token. host0 makes the host key when the machine boots for the
 * first time and keeps it, so that another machine that answers at the same address is recognised. By the token host0
 * recognises a machine that it has booted; with `admission=token` a mesh admits no other.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type PublicKeyLine, publicKeyOf } from '../../formats/binary/openssh-key.ts';
import { errnoOf } from '../../formats/conf/conf-reader.ts';
import type { MeshError } from '../../model/error.ts';
import type { MachineId } from '../../model/machine.ts';
import { damagedKey, keyAt, secretAt } from '../command-key.ts';
import { packEntries } from './overlay.ts';

/** Where `shell-server` on the node, and OpenSSH, look for the host key. */
const HOST_KEY = 'etc/ssh/ssh_host_ed25519_key';
/** Where the agent looks for the token (protocol/documents/paths.ts). */
const TOKEN = 'etc/meshwork/token';
const SECRET = { uid: 0, gid: 0, permissions: 0o600 };

/**
 * A tar of the machine's secrets, with their paths on the node. Makes the secrets if the machine has none yet.
 * @throws MESH_KEY_DAMAGED, MESH_DISK_REFUSED
 */
export async function secretsOf(stateDirectory: string, machine: MachineId): Promise<Uint8Array> {
  const key = await keyAt(stateDirectory, `hosts/${machine}`, machine);
  if (publicKeyOf(key, machine) === undefined) throw damaged(stateDirectory, machine);
  const token = `${(await Tokens.open(stateDirectory)).of(machine)}\n`;
  return await packEntries([
    { type: 'file', path: TOKEN, mode: SECRET, content: Buffer.from(token) },
    { type: 'file', path: HOST_KEY, mode: SECRET, content: Buffer.from(key) },
  ]);
}

/** The tokens of all machines, derived from one secret of host0 (HMAC-SHA-256 of the machine id). */
export class Tokens {
  readonly #secret: string;

  private constructor(secret: string) {
    this.#secret = secret;
  }

  /** Reads host0's secret, or makes it. @throws MESH_KEY_DAMAGED, MESH_DISK_REFUSED */
  static async open(stateDirectory: string): Promise<Tokens> {
    const secret = await secretAt(stateDirectory, 'tokens', () => randomBytes(32).toString('hex'));
    if (/^[0-9a-f]{64}$/.test(secret)) return new Tokens(secret);
    throw damagedKey(join(stateDirectory, 'keys/tokens'), 'machines get new tokens when they boot the next time');
  }

  /** The machine's token: 64 hex digits. */
  of(machine: MachineId): string {
    return createHmac('sha256', this.#secret).update(machine).digest('hex');
  }

  /** Whether `token` is the machine's; compares in constant time. */
  fits(machine: MachineId, token: string): boolean {
    const [ours, theirs] = [this.of(machine), token].map((text) => Buffer.from(text));
    return ours !== undefined && theirs?.length === ours.length && timingSafeEqual(ours, theirs);
  }
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

/** Removes the host key of a machine that was removed; if it boots again, it gets another. Never rejects. */
export async function removeHostKey(stateDirectory: string, machine: MachineId): Promise<void> {
  await rm(hostKeyIn(stateDirectory, machine), { force: true }).catch(() => undefined);
}

function hostKeyIn(stateDirectory: string, machine: MachineId): string {
  return join(stateDirectory, 'keys/hosts', machine);
}

function damaged(stateDirectory: string, machine: MachineId): MeshError {
  return damagedKey(hostKeyIn(stateDirectory, machine), 'the machine gets it when it boots the next time');
}
