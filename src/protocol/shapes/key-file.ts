/**
 * The key file of a node, `/etc/meshwork/key`: the identity of a machine key and the key itself, with a format version and a
 * checksum. host0 writes the text at a boot and for `mesh node enroll`; the agent reads it.
 *
 *     {"version": 1, "checksum": "…", "identity": "10eff964.3", "key": "<64 hex digits>"}
 *
 * And the file of the secret that host0 derives the keys from.
 */
import { isKeyIdentity, type KeyIdentity } from '../../model/machine-key.ts';
import type { GivenKey } from '../documents/given-key.ts';
import * as form from './form.ts';
import { MachineIdShape } from './parts.ts';
import { readSealed, type SealedForm, type SealedReading, sealed } from './sealed-document.ts';

/** A machine key with its name. Never logged: the key is a secret of its machine and host0. */
export interface NamedKey {
  readonly identity: KeyIdentity;
  /** 32 bytes. */
  readonly key: Uint8Array;
}

/** Longer than any text of this form. */
export const KEY_FILE_MAX_BYTES = 4_096;

const IdentityShape = form.guard<KeyIdentity>(
  (value) => typeof value === 'string' && isKeyIdentity(value),
  undefined,
  form.TEXT,
);
/** The form of a key that an enrolment gives out. */
export const GivenKeyShape: form.Shape<GivenKey> = form.object({
  machine: MachineIdShape,
  identity: IdentityShape,
  text: form.string({ max: KEY_FILE_MAX_BYTES }),
});

const KEY_FILE: SealedForm<NamedKey> = {
  version: 1,
  shape: form.object({
    identity: IdentityShape,
    key: form.mapped(form.string({ pattern: /^[0-9a-f]{64}$/ }), (text) => Buffer.from(text, 'hex')),
  }),
};

/** The text of a key file. */
export function keyFileText({ identity, key }: NamedKey): string {
  return sealed(KEY_FILE, { identity, key: Buffer.from(key).toString('hex') });
}

/** Reads a key file; the fault names no part of the key. */
export function readKeyFile(text: string): SealedReading<NamedKey> {
  return readSealed(KEY_FILE, text);
}

/** What `keys/installation` of host0 holds, the secret from which all machine keys follow. */
export interface SecretDocument {
  /** 64 hex digits. */
  readonly secret: string;
}

/** The form of `keys/installation`. */
export const SECRET_FORM: SealedForm<SecretDocument> = {
  version: 1,
  shape: form.object({ secret: form.string({ pattern: /^[0-9a-f]{64}$/ }) }),
};
