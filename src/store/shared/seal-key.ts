/**
 * The key of several host0s, `/etc/meshwork/host0.key`: 32 random bytes that the administrator copies from one host0 to the next. With
 * it, each seals and opens the secrets of the installation in their store (AES-256-GCM, NIST SP 800-38D). etcd, and who reads it or
 * its backups, has only the sealed documents.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createDurable, makeDirectory } from '../../disk/durable-file.ts';
import { errnoOf } from '../../formats/conf/conf-reader.ts';
import { MeshError } from '../../model/error.ts';
import { readDocument } from '../../protocol/shapes/document.ts';
import * as form from '../../protocol/shapes/form.ts';
import { readSealed, type SealedForm, sealed } from '../../protocol/shapes/sealed-document.ts';

const KEY_BYTES = 32;
/** The length that the standard recommends. A random nonce may be used 2^32 times with one key; host0 seals some a year. */
const NONCE_BYTES = 12;
const FILE_MAX_BYTES = 4_096;
const SECRET_MODE = 0o600;
const OTHERS = 0o077;
/** A file of at most 64 KiB in base64, and the fields around it. */
const DOCUMENT_MAX_LENGTH = 128 * 1024;

const KEY_FILE: SealedForm<{ readonly key: string }> = {
  version: 1,
  shape: form.object({ key: form.string({ pattern: /^[0-9a-f]{64}$/ }) }),
};

const hex = (bytes: number) => form.string({ pattern: new RegExp(`^[0-9a-f]{${2 * bytes}}$`) });
/** Format 1: AES-256-GCM, over the bytes of a file. Its name is bound to it, so that no two documents can be exchanged. */
const SealedShape = form.object({
  format: form.literal(1),
  key: hex(8),
  nonce: hex(NONCE_BYTES),
  tag: hex(16),
  text: form.string({ pattern: /^[A-Za-z0-9+/]*={0,2}$/, max: DOCUMENT_MAX_LENGTH }),
});

/** Seals and opens the secrets of an installation. */
export class SealKey {
  /** Tells this key from another, and reveals nothing of it. */
  readonly id: string;
  readonly #key: Buffer;

  private constructor(key: Buffer) {
    this.#key = key;
    this.id = createHash('sha256').update('meshwork host0 key v1\0').update(key).digest('hex').slice(0, 16);
  }

  /** @returns undefined when there is no such file. @throws MESH_SEAL_REFUSED, MESH_CONF_UNREADABLE */
  static async read(path: string): Promise<SealKey | undefined> {
    const text = await secretText(path).catch((cause: unknown) => {
      if (errnoOf(cause) === 'ENOENT') return undefined;
      throw cause;
    });
    if (text === undefined) return undefined;
    const { document, fault, later } = readSealed(KEY_FILE, text);
    if (document !== undefined) return new SealKey(Buffer.from(document.key, 'hex'));
    const why = later === undefined ? `${fault}` : `is of a later version, ${later}`;
    throw refused(path, `${path} is no key of host0s: it ${why}`, `Copy ${path} again from a host0 that leads.`);
  }

  /** Makes a key in a file that is not there yet. @throws MESH_DISK_REFUSED */
  static async make(path: string): Promise<void> {
    await makeDirectory(dirname(path));
    const text = () => sealed(KEY_FILE, { key: randomBytes(KEY_BYTES).toString('hex') });
    await createDurable(path, text, SECRET_MODE);
  }

  /** The document of a secret. @param name what the secret is called; the document is good under this name only */
  seal(name: string, secret: Uint8Array): string {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce).setAAD(Buffer.from(name));
    const text = Buffer.concat([cipher.update(secret), cipher.final()]).toString('base64');
    const tag = cipher.getAuthTag().toString('hex');
    return JSON.stringify({ format: 1, key: this.id, nonce: nonce.toString('hex'), tag, text });
  }

  /** @throws MESH_SEAL_REFUSED for a document of another key, one that was changed, and one that is no such document */
  open(name: string, document: string): Buffer {
    const { document: known, fault } = readDocument(SealedShape, document, DOCUMENT_MAX_LENGTH);
    if (fault !== undefined) throw refused(name, `the sealed secret ${name} in the store ${fault}`, damaged(name));
    if (known.key !== this.id) {
      throw refused(
        name,
        `the key file is ${this.id}, and the secrets in the store are sealed with ${known.key}`,
        'Copy /etc/meshwork/host0.key again from a host0 that leads; `mesh host0 show` there shows its id.',
      );
    }
    try {
      const nonce = Buffer.from(known.nonce, 'hex');
      const cipher = createDecipheriv('aes-256-gcm', this.#key, nonce, { authTagLength: 16 }).setAAD(Buffer.from(name));
      cipher.setAuthTag(Buffer.from(known.tag, 'hex'));
      return Buffer.concat([cipher.update(Buffer.from(known.text, 'base64')), cipher.final()]);
    } catch {
      throw refused(name, `the sealed secret ${name} in the store was changed`, damaged(name));
    }
  }
}

const damaged = (name: string): string =>
  `Restore the store from a backup; or run \`etcdctl del /v1/sealed/${name}\`: the host0 that leads puts its own file there again.`;

async function secretText(path: string): Promise<string> {
  // Opening a pipe would otherwise wait for its writer for ever.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const found = await file.stat();
    if (!found.isFile() || found.size > FILE_MAX_BYTES)
      throw refused(path, `${path} is no key of host0s`, 'Copy it again.');
    if ((found.mode & OTHERS) !== 0) {
      const mode = (found.mode & 0o777).toString(8).padStart(4, '0');
      throw refused(path, `${path} has mode ${mode}, so that others can read it`, `Run \`chmod 600 ${path}\`.`);
    }
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

function refused(object: string, message: string, remedy: string): MeshError {
  return new MeshError('MESH_SEAL_REFUSED', message, {
    object,
    operation: 'open the secrets of the installation',
    rule: 'All host0s of an installation have the same key file.',
    remedy,
  });
}
