/**
 * Signatures of Alpine's indexes and packages: a gzip member before the one that is signed, a tar archive without an end whose
 * entries are called `.SIGN.<RSA|RSA256|RSA512>.<file of the key>`. The key is found by that name (abuild-sign; apk-tools).
 */
import { createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { ApkFault } from './apk-fault.ts';
import { gzipMember } from './gzip-members.ts';
import { readTar, tarOf } from './tar-blocks.ts';

const HASHES: ReadonlyMap<string, string> = new Map([
  ['RSA', 'sha1'],
  ['RSA256', 'sha256'],
  ['RSA512', 'sha512'],
]);
const SIGNATURE_NAME = /^\.SIGN\.([A-Z0-9]+)\.(.+)$/;
/** A file name in `/etc/apk/keys`, and one word of an overlay's path. */
const KEY_NAME = /^[A-Za-z0-9][A-Za-z0-9@._+-]{0,80}$/;
/** Shorter keys can be broken. */
const KEY_BITS_MIN = 2048;
const SIGNATURES_MAX = 16;

/** Public keys by the names of their files. */
export type TrustedKeys = ReadonlyMap<string, KeyObject>;

/**
 * A public key that may be trusted.
 * @param name of its file
 * @param pem `BEGIN PUBLIC KEY`
 * @throws ApkFault `damaged` with what is wrong with it
 */
export function trustedKey(name: string, pem: string): KeyObject {
  if (!KEY_NAME.test(name)) throw new ApkFault('damaged', 'its name cannot be that of a key');
  // Node would take the public half of a private key, which has no business where keys of others are.
  if (pem.includes('PRIVATE KEY')) throw new ApkFault('damaged', 'it is a private key');
  let key: KeyObject;
  try {
    key = createPublicKey({ key: pem, format: 'pem', type: 'spki' });
  } catch {
    throw new ApkFault('damaged', 'it is no public key in the form PEM');
  }
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  if (key.asymmetricKeyType !== 'rsa') throw new ApkFault('damaged', 'it is no RSA key');
  if (bits < KEY_BITS_MIN)
    throw new ApkFault('damaged', `it has ${bits} bits, and fewer than ${KEY_BITS_MIN} are not safe`);
  return key;
}

/**
 * Checks that one of the signatures is of a trusted key.
 * @param archive the content of the signatures' member
 * @param signed the compressed bytes of the member that is signed
 * @returns the name of the key
 * @throws ApkFault `untrusted`, `forged`, `damaged`
 */
export function checkSignature(archive: Uint8Array, signed: Uint8Array, keys: TrustedKeys): string {
  const strangers: string[] = [];
  let forged: string | undefined;
  for (const { path, content } of readTar(archive, 'cut').slice(0, SIGNATURES_MAX)) {
    const [, type = '', name = ''] = SIGNATURE_NAME.exec(path) ?? [];
    const hash = HASHES.get(type);
    if (hash === undefined) continue;
    const key = keys.get(name);
    if (key === undefined) strangers.push(name);
    else if (verify(hash, signed, key, content)) return name;
    else forged ??= name;
  }
  if (forged !== undefined) throw new ApkFault('forged', `it is not what the key ${forged} has signed`);
  if (strangers.length === 0) throw new ApkFault('untrusted', 'it has no signature');
  throw new ApkFault('untrusted', `it is signed by ${strangers[0]?.slice(0, 100)}, which is not among the keys`);
}

/** A private key with the file name of its public half. */
export interface SigningKey {
  readonly name: string;
  readonly key: KeyObject;
}

/**
 * The member with the signatures of `signed`, which is to stand before it: one with SHA-256, and one with SHA-1 for apk before 2.12.
 * The bytes depend on both alone.
 */
export function signatureMember(signed: Uint8Array, { name, key }: SigningKey): Uint8Array {
  const files = ['RSA256', 'RSA'].map((type) => ({
    path: `.SIGN.${type}.${name}`,
    content: sign(HASHES.get(type), signed, key),
    modifiedSec: 0,
  }));
  return gzipMember(tarOf(files, 'cut'));
}
