/**
 * Gzip members one by one (RFC 1952). An index or a package of Alpine is several members behind each other, and what is signed
 * or hashed is the compressed bytes of one of them; `gunzip` would join them all.
 */
import { crc32, gzipSync, inflateRawSync } from 'node:zlib';
import { ApkFault } from './apk-fault.ts';

/** One member. */
export interface GzipMember {
  /** All of its bytes, from the first of its header to the last of its trailer. */
  readonly compressed: Uint8Array;
  readonly content: Uint8Array;
}

const HEADER_BYTES = 10;
/** CRC and length behind the compressed data. */
export const TRAILER_BYTES = 8;
/** A header with a file name or a comment is longer than ten bytes, but never this long. */
export const GZIP_HEADER_MAX = 4096;

const FLAG_CRC = 0x02;
const FLAG_EXTRA = 0x04;
const FLAG_NAME = 0x08;
const FLAG_COMMENT = 0x10;
const FLAGS_RESERVED = 0xe0;

/** How many bytes the header at the begin of `bytes` has. @throws ApkFault `damaged` */
export function gzipHeaderBytes(bytes: Uint8Array): number {
  const [first, second, method, flags = 0] = bytes;
  if (bytes.length < HEADER_BYTES || first !== 0x1f || second !== 0x8b || method !== 8 || flags & FLAGS_RESERVED) {
    throw new ApkFault('damaged', 'it is not compressed with gzip where it should be');
  }
  let at = HEADER_BYTES;
  if (flags & FLAG_EXTRA) at += 2 + ((bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8));
  for (const flag of [FLAG_NAME, FLAG_COMMENT]) {
    if (flags & flag) at = bytes.indexOf(0, at) + 1 || GZIP_HEADER_MAX + 1;
  }
  if (flags & FLAG_CRC) at += 2;
  if (at > GZIP_HEADER_MAX || at > bytes.length)
    throw new ApkFault('damaged', 'the header of its gzip data is too long');
  return at;
}

/**
 * The member at the begin of `bytes`.
 * @param contentMax the most bytes that it may unpack to
 * @throws ApkFault `damaged`, `too large`
 */
export function readGzipMember(bytes: Uint8Array, contentMax: number): GzipMember {
  const header = gzipHeaderBytes(bytes);
  const { buffer, engine } = inflate(bytes.subarray(header), contentMax);
  const length = header + engine.bytesWritten + TRAILER_BYTES;
  if (length > bytes.length) throw new ApkFault('damaged', 'its gzip data ends too early');
  const trailer = Buffer.from(bytes.buffer, bytes.byteOffset + length - TRAILER_BYTES, TRAILER_BYTES);
  if (trailer.readUInt32LE(4) !== buffer.length % 2 ** 32 || trailer.readUInt32LE(0) !== crc32(buffer)) {
    throw new ApkFault('damaged', 'its gzip data does not have the checksum that it names');
  }
  return { compressed: bytes.subarray(0, length), content: buffer };
}

interface Inflated {
  readonly buffer: Uint8Array;
  readonly engine: { readonly bytesWritten: number };
}

function inflate(bytes: Uint8Array, maxOutputLength: number): Inflated {
  try {
    // With `info`, zlib gives an object that its type declaration does not name.
    return infoOf(inflateRawSync(bytes, { info: true, maxOutputLength }));
  } catch (error) {
    if (error instanceof ApkFault) throw error;
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ERR_BUFFER_TOO_LARGE')
      throw new ApkFault('too large', `it unpacks to more than ${maxOutputLength} bytes`);
    throw new ApkFault('damaged', 'its gzip data is damaged or ends too early');
  }
}

function infoOf(result: unknown): Inflated {
  if (isInflated(result)) return result;
  throw new ApkFault('damaged', 'zlib tells no length');
}

function isInflated(result: unknown): result is Inflated {
  return typeof result === 'object' && result !== null && 'buffer' in result && 'engine' in result;
}

/** A member whose bytes depend on the content alone. */
export function gzipMember(content: Uint8Array): Uint8Array {
  const bytes = gzipSync(content, { level: 9 });
  // The operating system in the header is Unix on every machine.
  bytes[9] = 3;
  return bytes;
}
