/**
 * Tar archives as repositories of Alpine have them (ustar, POSIX.1-2017 pax, and the long names of GNU tar): read with limits,
 * since they come from the network, and written with bytes that depend on the entries alone.
 */
import { ApkFault } from './apk-fault.ts';

/** One entry. */
export interface TarEntry {
  readonly path: string;
  readonly type: 'file' | 'directory' | 'link' | 'hard link' | 'other';
  /** Where a link leads. */
  readonly target?: string;
  readonly bytes: number;
  /** Seconds since 1970. */
  readonly modifiedSec: number;
  readonly content: Uint8Array;
}

/** The header of one entry, with what the entries before it said about it. */
export type TarHead = Omit<TarEntry, 'content'>;

/** Headers and contents take whole blocks. */
export const BLOCK_BYTES = 512;
/** The end of a whole archive. */
export const TAR_END: Uint8Array = Buffer.alloc(2 * BLOCK_BYTES);
/** Of a header. */
const NAME_MAX = 100;
/** Names, links and records in entries of their own. */
const NOTE_MAX = 64 * 1024;

const TYPES: ReadonlyMap<string, TarEntry['type']> = new Map<string, TarEntry['type']>([
  ['', 'file'],
  ['0', 'file'],
  ['7', 'file'],
  ['1', 'hard link'],
  ['2', 'link'],
  ['5', 'directory'],
]);

/** Reads headers one after another, and keeps what some of them say about the next. */
export class TarHeads {
  #path: string | undefined;
  #target: string | undefined;
  #bytes: number | undefined;

  /**
   * The header in a block.
   * @returns `note` for an entry whose content belongs to `takeNote`; undefined for a block of zeros
   * @throws ApkFault `damaged`
   */
  read(block: Buffer): TarHead | { readonly note: string; readonly bytes: number } | undefined {
    if (block.every((byte) => byte === 0)) return undefined;
    if (!hasChecksum(block)) throw new ApkFault('damaged', 'a header of its tar archive is damaged');
    const type = text(block, 156, 1);
    const bytes = number(block, 124, 12);
    if (type === 'L' || type === 'K' || type === 'x' || type === 'g') {
      if (bytes > NOTE_MAX) throw new ApkFault('too large', 'a name in its tar archive is too long');
      return { note: type, bytes };
    }
    const prefix = block.toString('latin1', 257, 263) === 'ustar\0' ? text(block, 345, 155) : '';
    const name = text(block, 0, 100);
    const path = this.#path ?? (prefix === '' ? name : `${prefix}/${name}`);
    const kind = TYPES.get(type) ?? 'other';
    const target = this.#target ?? text(block, 157, 100);
    const size = kind === 'file' || kind === 'other' ? (this.#bytes ?? bytes) : 0;
    this.#path = this.#target = this.#bytes = undefined;
    return {
      path,
      type: kind,
      ...((kind === 'link' || kind === 'hard link') && { target }),
      bytes: size,
      modifiedSec: number(block, 136, 12),
    };
  }

  /** Takes what a `note` says about the next entry. @throws ApkFault `damaged` */
  takeNote(note: string, content: Buffer): void {
    if (note === 'L') this.#path = text(content, 0, content.length);
    else if (note === 'K') this.#target = text(content, 0, content.length);
    else if (note === 'x') this.#takeRecords(content);
  }

  /** Records `LENGTH KEY=VALUE\n`; the length counts all of the record. */
  #takeRecords(content: Buffer): void {
    for (let at = 0; at < content.length; ) {
      const digits = /^(\d{1,6}) /.exec(content.toString('latin1', at, at + 8))?.[1] ?? '0';
      const length = Number(digits);
      if (length < 5 || at + length > content.length || content[at + length - 1] !== 0x0a) {
        throw new ApkFault('damaged', 'a record of its tar archive is damaged');
      }
      const record = content.toString('utf8', at + digits.length + 1, at + length - 1);
      const equals = record.indexOf('=');
      const [key, value] = [record.slice(0, equals), record.slice(equals + 1)];
      if (key === 'path') this.#path = value;
      else if (key === 'linkpath') this.#target = value;
      else if (key === 'size' && /^\d{1,15}$/.test(value)) this.#bytes = Number(value);
      at += length;
    }
  }
}

/**
 * The entries of an archive in memory.
 * @param form `cut`: without the two blocks of zeros at its end, so that another archive can follow; `whole`: with them
 * @throws ApkFault `damaged`, also for an archive of the other form
 */
export function readTar(archive: Uint8Array, form: 'cut' | 'whole'): TarEntry[] {
  const bytes = Buffer.from(archive.buffer, archive.byteOffset, archive.length);
  const heads = new TarHeads();
  const entries: TarEntry[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (at + BLOCK_BYTES > bytes.length) throw new ApkFault('damaged', 'its tar archive ends in the middle');
    const head = heads.read(bytes.subarray(at, at + BLOCK_BYTES));
    at += BLOCK_BYTES;
    if (head === undefined) {
      if (form === 'cut') throw new ApkFault('damaged', 'its tar archive has an end where another should follow');
      return entries;
    }
    const content = bytes.subarray(at, at + head.bytes);
    if (content.length < head.bytes) throw new ApkFault('damaged', 'its tar archive ends in the middle of a file');
    at += paddedBytes(head.bytes);
    if ('note' in head) heads.takeNote(head.note, content);
    else entries.push({ ...head, content });
  }
  return entries;
}

/** The bytes that a content takes: whole blocks. */
export function paddedBytes(bytes: number): number {
  return Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES;
}

/** A file of an archive that is written. */
export interface TarFile {
  /** At most 100 bytes. */
  readonly path: string;
  readonly content: Uint8Array;
  readonly modifiedSec: number;
  /** 644 if they are not given. */
  readonly permissions?: number;
}

/** An archive of files that all may read, and that belong to root. @param form as in `readTar` */
export function tarOf(files: readonly TarFile[], form: 'cut' | 'whole'): Uint8Array {
  const parts: Uint8Array[] = files.flatMap((file) => {
    const padding = Buffer.alloc(paddedBytes(file.content.length) - file.content.length);
    const { path, content, modifiedSec } = file;
    return [
      headerOf({ path, type: '0', bytes: content.length, permissions: file.permissions ?? 0o644, modifiedSec }),
      content,
      padding,
    ];
  });
  if (form === 'whole') parts.push(TAR_END);
  return Buffer.concat(parts);
}

/** What a header says. */
export interface WrittenHeader {
  readonly path: string;
  /** `0` file, `2` link, `5` directory, `x` records about the next entry. */
  readonly type: string;
  readonly to?: string;
  readonly bytes: number;
  readonly permissions: number;
  readonly modifiedSec: number;
}

/** A header of root's. Of a path or a link that is too long for it, the begin: a record before it has the whole. */
export function headerOf({ path, type, to = '', bytes, permissions, modifiedSec }: WrittenHeader): Buffer {
  const block = Buffer.alloc(BLOCK_BYTES);
  const octal = (value: number, at: number, digits: number) =>
    block.write(`${value.toString(8).padStart(digits, '0')}\0`, at);
  block.set(Buffer.from(path).subarray(0, NAME_MAX), 0);
  octal(permissions, 100, 7);
  octal(0, 108, 7);
  octal(0, 116, 7);
  octal(bytes, 124, 11);
  octal(modifiedSec, 136, 11);
  block.write(type, 156);
  block.set(Buffer.from(to).subarray(0, NAME_MAX), 157);
  block.write('ustar\x0000root', 257);
  block.write('root', 297);
  octal(0, 329, 7);
  octal(0, 337, 7);
  block.write(`${checksumOf(block).toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

/** A record of PAX: its length, which counts its own digits, the key and the value. */
export function paxRecord(key: string, value: string): Buffer {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  let length = rest + 1;
  while (length !== rest + String(length).length) length = rest + String(length).length;
  return Buffer.from(`${length} ${key}=${value}\n`);
}

/** The sum of all bytes, with blanks in place of the checksum itself. */
function checksumOf(block: Uint8Array): number {
  return block.reduce((sum, byte, at) => sum + (at >= 148 && at < 156 ? 0x20 : byte), 0);
}

function hasChecksum(block: Buffer): boolean {
  return Number.parseInt(text(block, 148, 8).trim(), 8) === checksumOf(block);
}

function text(block: Buffer, at: number, length: number): string {
  const end = block.indexOf(0, at);
  return block.toString('utf8', at, end < 0 || end > at + length ? at + length : end);
}

/** Octal digits; numbers too large for them are binary, with the highest bit set (GNU tar). @throws ApkFault `damaged` */
function number(block: Buffer, at: number, length: number): number {
  const first = block[at] ?? 0;
  if (first === 0x80) {
    const value = block.readBigUInt64BE(at + length - 8);
    if (value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value);
  }
  const digits = text(block, at, length).trim();
  if (!/^[0-7]*$/.test(digits)) throw new ApkFault('damaged', 'a number in its tar archive is damaged');
  return digits === '' ? 0 : Number.parseInt(digits, 8);
}
