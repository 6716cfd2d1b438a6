/**
 * Machine keys: the lasting secret of host0 and one machine, by which both ends of a node's channel prove who they are.
 *
 * host0 keeps one secret for the whole installation and derives every key from it, so that it keeps none. A machine gets a key of
 * another generation whenever it boots or is enrolled. The key itself is sent once, when it is delivered; TLS gets a pre-shared
 * key (PSK) that is derived from it, and the identity, which travels in clear.
 */
import { createHmac, hkdfSync } from 'node:crypto';
import { isMachineId, type MachineId } from './machine.ts';

/** Which key of which machine, as TLS sends it before anything is encrypted: `<machine>.<generation>`, for example `10eff964.3`. */
export type KeyIdentity = string & { readonly __brand: 'KeyIdentity' };

/** A `KeyIdentity` taken apart. Generations count from 1; a later one replaces the earlier ones once it was used. */
export interface KeyGeneration {
  readonly machine: MachineId;
  readonly generation: number;
}

/** The length of installation secrets, machine keys and PSKs: as much as SHA-256 gives. */
export const KEY_BYTES = 32;
/** Strangers raise the generation by one with each boot that they forge. One boot a second reaches this after 68 years. */
export const GENERATION_MAX = 0x7fff_ffff;

/** Another text gives other PSKs: a later version of the channel has another number here. */
const PSK_INFO = 'meshwork node tls v1';
const TOKEN_INFO = 'meshwork report token v1';
const GENERATION = /^[1-9]\d{0,9}$/;

/** Whether a number can be a generation. */
export function isGeneration(number: number): boolean {
  return Number.isInteger(number) && number >= 1 && number <= GENERATION_MAX;
}

/** Prints an identity. */
export function keyIdentity({ machine, generation }: KeyGeneration): KeyIdentity {
  return `${machine}.${generation}` as KeyIdentity;
}

/**
 * Takes an identity apart; undefined for every text that `keyIdentity` does not print, such as one with a leading zero.
 * Texts from the network come here, so that the function throws nothing.
 */
export function parseKeyIdentity(text: string): KeyGeneration | undefined {
  const [machine = '', digits = '', ...more] = text.split('.', 3);
  if (!isMachineId(machine) || !GENERATION.test(digits) || more.length > 0) return undefined;
  const generation = Number(digits);
  return isGeneration(generation) ? { machine, generation } : undefined;
}

/** Whether a text is an identity. */
export function isKeyIdentity(text: string): text is KeyIdentity {
  return parseKeyIdentity(text) !== undefined;
}

/**
 * The key of one generation of a machine: HMAC-SHA-256 under the installation secret over `key`, the machine id and the generation
 * in decimal digits, joined by one NUL byte as the parts of a `genid` are. No part can hold a NUL byte, and the number of
 * parts is fixed: two different keys never have the same input.
 * @param secret 32 bytes that only host0 has
 */
export function machineKey(secret: Uint8Array, { machine, generation }: KeyGeneration): Buffer {
  return createHmac('sha256', secret)
    .update(['key', machine, `${generation}`].join('\0'))
    .digest();
}

/** Tells one installation secret from another without revealing it: 32 hex digits. No machine key has this input. */
export function secretCheck(secret: Uint8Array): string {
  return createHmac('sha256', secret).update('check').digest('hex').slice(0, 32);
}

/**
 * The pre-shared key of TLS for a machine key: HKDF-SHA-256 (RFC 5869) without salt, 32 bytes. TLS gets this in place of the key,
 * so that a PSK which leaks from a TLS library does not reveal the key.
 */
export function channelPsk(key: Uint8Array): Buffer {
  return derived(key, PSK_INFO);
}

/**
 * The token that goes with a machine key, 64 hex digits: by it the agents of earlier images prove their reports
 * (protocol/documents/membership.ts). It reveals neither the key nor the PSK.
 */
export function reportToken(key: Uint8Array): string {
  return derived(key, TOKEN_INFO).toString('hex');
}

function derived(key: Uint8Array, info: string): Buffer {
  return Buffer.from(hkdfSync('sha256', key, new Uint8Array(), info, KEY_BYTES));
}
