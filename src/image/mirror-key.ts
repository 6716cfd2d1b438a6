/** The key that host0 signs its indexes with, and the keys of others that it trusts. */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createDurable, ifThere, makeDirectory } from '../disk/durable-file.ts';
import { ApkFault } from '../formats/apk/apk-fault.ts';
import { type SigningKey, type TrustedKeys, trustedKey } from '../formats/apk/signature.ts';
import { MeshError } from '../model/error.ts';

/** As safe as AES-128 (NIST SP 800-57 part 1, table 2). */
const BITS = 3072;
const SECRET = 0o600;
const CLOSED = 0o700;
/** The name of the file below `keys/`. */
export const MIRROR_KEY = 'mirror';
const KEY_BYTES_MAX = 64 * 1024;
const KEYS_MAX = 200;

/** The public half, as a file of `/etc/apk/keys`. */
export interface PublicKeyFile {
  readonly name: string;
  readonly pem: string;
}

/** The key of this host0, which is made at the first call. @throws MESH_KEY_DAMAGED, MESH_DISK_REFUSED */
export async function mirrorKey(stateDirectory: string): Promise<SigningKey> {
  const file = keyFile(stateDirectory);
  await makeDirectory(stateDirectory);
  await makeDirectory(dirname(file), CLOSED);
  return signingKey(file, await createDurable(file, newKey, SECRET));
}

/** The public half; undefined until host0 has made its key. It goes into every overlay, so that nodes trust the mirror. */
export async function mirrorPublicKey(stateDirectory: string): Promise<PublicKeyFile | undefined> {
  const file = keyFile(stateDirectory);
  const pem = await ifThere(readFile(file, 'utf8'));
  if (pem === undefined) return undefined;
  const { name, key } = signingKey(file, pem);
  return { name, pem: createPublicKey(key).export({ type: 'spki', format: 'pem' }).toString() };
}

/** The public half of a key for checking what it has signed. */
export function trusting({ name, key }: SigningKey): TrustedKeys {
  return new Map([[name, createPublicKey(key)]]);
}

function keyFile(stateDirectory: string): string {
  return join(stateDirectory, 'keys', MIRROR_KEY);
}

function newKey(): string {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: BITS });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

function signingKey(file: string, pem: string): SigningKey {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch (cause) {
    throw new MeshError('MESH_KEY_DAMAGED', `${file} is not a key that host0 wrote`, {
      operation: 'read key',
      object: file,
      remedy: 'Restore it from a backup; or remove it, run `mesh system download`, and boot the nodes again.',
      cause,
    });
  }
  // apk finds keys by the names of files: another host0 must have another one.
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' });
  return { name: `host0-${createHash('sha256').update(spki).digest('hex').slice(0, 8)}.rsa.pub`, key };
}

/**
 * The keys in a directory, by the names of their files, which end in `.rsa.pub`.
 * @throws MESH_MIRROR_KEY if there is none, or if one is not safe
 */
export async function trustedKeysIn(directory: string): Promise<TrustedKeys> {
  const all = (await readdir(directory).catch(() => [])).filter((name) => name.endsWith('.rsa.pub'));
  const keys = new Map<string, KeyObject>();
  for (const name of all.sort().slice(0, KEYS_MAX)) {
    const pem = await readFile(join(directory, name));
    try {
      if (pem.length > KEY_BYTES_MAX) throw new ApkFault('damaged', 'it is too long for a key');
      keys.set(name, trustedKey(name, pem.toString('latin1')));
    } catch (error) {
      if (!(error instanceof ApkFault)) throw error;
      throw new MeshError('MESH_MIRROR_KEY', `the key ${join(directory, name)} is not used: ${error.message}`, {
        operation: 'read keys',
        object: join(directory, name),
        remedy: 'Put the right file in its place, or remove it.',
      });
    }
  }
  if (keys.size > 0) return keys;
  throw new MeshError('MESH_MIRROR_KEY', `there is no key in ${directory}`, {
    operation: 'read keys',
    object: directory,
    rule: 'host0 takes packages only from who has a key there: NAME.rsa.pub, as in /etc/apk/keys of Alpine.',
    remedy: `Copy the keys of Alpine into ${directory}, from a machine with Alpine that you trust.`,
  });
}
