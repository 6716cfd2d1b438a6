/** Ed25519 keys in the formats of OpenSSH (its PROTOCOL.key, RFC 8709), which `dropbearconvert` reads, too. */
import { generateKeyPairSync, randomBytes } from 'node:crypto';

/** A line of `authorized_keys`: `ssh-ed25519 AAAA… comment`. With a host in front, it is a line of `known_hosts`. */
export type PublicKeyLine = string & { readonly __brand: 'PublicKeyLine' };

const ALGORITHM = 'ssh-ed25519';
const MAGIC = Buffer.from('openssh-key-v1\0');
const BEGIN = '-----BEGIN OPENSSH PRIVATE KEY-----';
const END = '-----END OPENSSH PRIVATE KEY-----';
const LINE_LENGTH = 70;
/** Block size of the cipher `none`: the private part is padded to a multiple. */
const BLOCK_BYTES = 8;

/**
 * A new private key, not encrypted, as text.
 * @param comment printable, without line breaks; part of the key
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
 * The public half of a private key that `newPrivateKey` or `ssh-keygen` has made.
 * @returns undefined for an encrypted key, another algorithm, or an incomplete file
 */
export function publicKeyOf(privateKey: string, comment: string): PublicKeyLine | undefined {
  const [begin, ...rest] = privateKey.trimEnd().split('\n');
  if (begin !== BEGIN || rest.pop() !== END) return undefined;
  const document = Buffer.from(rest.join(''), 'base64');
  const header = Buffer.concat([MAGIC, ...['none', 'none', ''].map(field), uint32(1)]);
  const blob = document.subarray(header.length + 4, header.length + 4 + publicBlob(Buffer.alloc(32)).length);
  const point = blob.subarray(-32);
  const whole = document.subarray(0, header.length).equals(header) && blob.equals(publicBlob(point));
  // The private half contains the public half a second time. In an incomplete file the second copy is missing.
  if (!whole || document.lastIndexOf(point) === document.indexOf(point)) return undefined;
  return `${ALGORITHM} ${blob.toString('base64')} ${comment}` as PublicKeyLine;
}

function publicBlob(point: Uint8Array): Buffer {
  return Buffer.concat([ALGORITHM, point].map(field));
}

/** A `string` (RFC 4251 §5): the length in 4 bytes, and the bytes. */
function field(content: string | Uint8Array): Buffer {
  const bytes = Buffer.from(content);
  return Buffer.concat([uint32(bytes.length), bytes]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
