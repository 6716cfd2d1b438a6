/** The form of `keys/installation`, the secret from which host0 derives the keys of all machines. */
import * as form from './form.ts';
import type { SealedForm } from './sealed-document.ts';

/** What the file holds. */
export interface SecretDocument {
  /** 64 hex digits. */
  readonly secret: string;
}

/** The form of the file. */
export const SECRET_FORM: SealedForm<SecretDocument> = {
  version: 1,
  shape: form.object({ secret: form.string({ pattern: /^[0-9a-f]{64}$/ }) }),
};
