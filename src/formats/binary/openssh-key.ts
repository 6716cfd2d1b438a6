/** Ed25519 keys in the forms that OpenSSH reads (its PROTOCOL.key, RFC 8709), and dropbear's `dropbearconvert` too. */
import { generateKeyPairSync, randomBytes } from 'node:crypto';

/** A line for `authorized_keys`, and with a host before it for `known_hosts`: `ssh-ed25519 AAAA… comment`. */
export type PublicKeyLine = string & { readonly __brand: 'PublicKeyLine' };

const ALGORITHM = 'ssh-ed25519';
const MAGIC = Buffer.from('openssh-key-v1\0');
const BEGIN = '-----BEGIN OPENSSH PRIVATE KEY-----';
const END = '-----END OPENSSH PRIVATE KEY-----';
const LINE_LENGTH = 70;
/** What `none` encrypts in. */
const BLOCK_BYTES = 8;

/**
 * A new private key, not encrypted.
 * @param comment printable, without a line break; a key carries it, and its public line shows it
 */
export function newPrivateKey(comment: string): string {
  const { privateKey } = generateKeyPairSync('ed25519');
  const { d = '', x = '' } = privateKey.export({ format: 'jwk' });
  const seed = Buffer.from(d, 'base64url');
  const point = Buffer.from(x, 'base64url');
  const check = randomBytes(4);
  const secret = Buffer.concat([check, check, ...[ALGORITHM, point, Buffer.concat([seed, point]), comment].map(field)]);
  const padding = Buffer.from(Array.from({ length: -secret.length & (BLOCK_BYTES - 1) }, (_, index) => index + 1));
  const document = Buffer.concat([
    MAGIC,
    ...['none', 'none', ''].map(field),
    uint32(1),
    field(publicBlob(point)),
    field(Buffer.concat([secret, padding])),
  ]);
  const lines = document.toString('base64').match(new RegExp(`.{1,${LINE_LENGTH}}`, 'g')) ?? [];
  return `${[BEGIN, ...lines, END].join('\n')}\n`;
}

/**
 * The public half of a private key as `newPrivateKey` writes it.
 * @returns undefined for anything else: an encrypted key, another algorithm, half a file
 */
export function publicKeyOf(privateKey: string, comment: string): PublicKeyLine | undefined {
  const [begin, ...rest] = privateKey.trimEnd().split('\n');
  if (begin !== BEGIN || rest.pop() !== END) return undefined;
  const document = Buffer.from(rest.join(''), 'base64');
  const header = Buffer.concat([MAGIC, ...['none', 'none', ''].map(field), uint32(1)]);
  const blob = document.subarray(header.length + 4, header.length + 4 + publicBlob(Buffer.alloc(32)).length);
  const point = blob.subarray(-32);
  const whole = document.subarray(0, header.length).equals(header) && blob.equals(publicBlob(point));
  // The secret half ends with the public one, so that a file that was cut off is told.
  if (!whole || document.lastIndexOf(point) === document.indexOf(point)) return undefined;
  return `${ALGORITHM} ${blob.toString('base64')} ${comment}` as PublicKeyLine;
}

function publicBlob(point: Uint8Array): Buffer {
  return Buffer.concat([ALGORITHM, point].map(field));
}

/** RFC 4251, section 5: `string` is a length and so many bytes. */
function field(content: string | Uint8Array): Buffer {
  const bytes = Buffer.from(content);
  return Buffer.concat([uint32(bytes.length), bytes]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
