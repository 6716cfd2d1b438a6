/** The files of a package: read once to the end, without keeping them, before a mirror takes the package. */
import { createHash } from 'node:crypto';
import { createInflateRaw } from 'node:zlib';
import { ApkFault } from './apk-fault.ts';
import { GZIP_HEADER_MAX, gzipHeaderBytes, TRAILER_BYTES } from './gzip-members.ts';
import { BLOCK_BYTES, paddedBytes, TarHeads } from './tar-blocks.ts';

const UNPACKED_MAX = 16 * 1024 ** 3;
const ENTRIES_MAX = 1_000_000;

/**
 * Reads the third member of a package.
 * @param pieces all bytes behind the second member
 * @param dataHash SHA-256 of them, in hex
 * @throws ApkFault `forged` for other bytes; `damaged` for what apk would not unpack, or would unpack elsewhere
 */
export async function checkPackageData(pieces: AsyncIterable<Buffer>, dataHash: string): Promise<void> {
  const hash = createHash('sha256');
  const walk = new DataWalk();
  const inflater = createInflateRaw();
  let bytes = 0;
  let header = 0;
  // All is hashed, also behind a fault: bytes that nobody has signed are forged, whatever else is wrong with them.
  const give = async (piece: Buffer) => {
    if (inflater.destroyed || inflater.writableEnded || inflater.write(piece)) return;
    await new Promise<void>((resolve) => {
      // A large package waits thousands of times: no listener may stay behind.
      const goOn = () => {
        inflater.off('drain', goOn).off('close', goOn);
        resolve();
      };
      inflater.on('drain', goOn).on('close', goOn);
    });
  };
  const feed = async () => {
    // The header may come in several pieces.
    let begin: Buffer | undefined = Buffer.alloc(0);
    const giveBegin = async () => {
      if (begin === undefined) return;
      header = gzipHeaderBytes(begin);
      const rest = begin.subarray(header);
      begin = undefined;
      await give(rest);
    };
    for await (const piece of pieces) {
      hash.update(piece);
      bytes += piece.length;
      if (begin === undefined) await give(piece);
      else {
        begin = Buffer.concat([begin, piece]);
        if (begin.length >= GZIP_HEADER_MAX) await giveBegin();
      }
    }
    await giveBegin();
    if (!inflater.destroyed) inflater.end();
  };
  const read = async () => {
    try {
      for await (const piece of inflater) walk.take(piece);
    } finally {
      inflater.destroy();
    }
  };
  const [fed, walked] = await Promise.allSettled([
    feed().catch((error: unknown) => {
      inflater.destroy();
      throw error;
    }),
    read(),
  ]);
  if (fed.status === 'rejected') throw fed.reason;
  const code =
    walked.status === 'rejected' && walked.reason instanceof Error && 'code' in walked.reason ? walked.reason.code : '';
  if (code === 'Z_BUF_ERROR') throw new ApkFault('damaged', 'its files end too early');
  if (hash.digest('hex') !== dataHash) throw new ApkFault('forged', 'its files are not those that it was signed with');
  if (walked.status === 'rejected') throw walked.reason;
  if (header + inflater.bytesWritten + TRAILER_BYTES !== bytes) {
    throw new ApkFault('damaged', 'there is something behind its files');
  }
  walk.end();
}

/** Goes through a tar archive that comes in pieces. */
class DataWalk {
  readonly #heads = new TarHeads();
  #held: Buffer = Buffer.alloc(0);
  /** Bytes of a content that is passed over. */
  #skip = 0;
  #note: { readonly note: string; readonly bytes: number } | undefined;
  #ended = false;
  #entries = 0;
  #unpacked = 0;

  /** @throws ApkFault */
  take(piece: Buffer): void {
    this.#unpacked += piece.length;
    if (this.#unpacked > UNPACKED_MAX) throw new ApkFault('too large', `it unpacks to more than ${UNPACKED_MAX} bytes`);
    if (this.#ended) return;
    let rest = this.#held.length === 0 ? piece : Buffer.concat([this.#held, piece]);
    for (;;) {
      const passed = Math.min(this.#skip, rest.length);
      this.#skip -= passed;
      rest = rest.subarray(passed);
      const needed = this.#note === undefined ? BLOCK_BYTES : paddedBytes(this.#note.bytes);
      if (this.#skip > 0 || rest.length < needed || this.#ended) break;
      this.#takeBlock(rest.subarray(0, needed));
      rest = rest.subarray(needed);
    }
    this.#held = rest;
  }

  /** @throws ApkFault `damaged` if the archive is not whole */
  end(): void {
    if (!this.#ended) throw new ApkFault('damaged', 'the archive of its files has no end');
  }

  #takeBlock(block: Buffer): void {
    if (this.#note !== undefined) {
      this.#heads.takeNote(this.#note.note, block.subarray(0, this.#note.bytes));
      this.#note = undefined;
      return;
    }
    const head = this.#heads.read(block);
    if (head === undefined) {
      this.#ended = true;
      return;
    }
    if ('note' in head) {
      this.#note = head;
      return;
    }
    if (++this.#entries > ENTRIES_MAX) throw new ApkFault('too large', `it has more than ${ENTRIES_MAX} files`);
    requireInside(head.path, 'a file');
    if (head.type === 'hard link') requireInside(head.target ?? '', 'a hard link');
    this.#skip = paddedBytes(head.bytes);
  }
}

/** @throws ApkFault `damaged` for a path that apk ignores, or that leads out of the system that it installs into */
function requireInside(path: string, what: string): void {
  const names = path.split('/');
  if (path.startsWith('/') || names[0] === '.' || names.includes('..') || path.includes('\0')) {
    throw new ApkFault(
      'damaged',
      `it has ${what} at the path ${JSON.stringify(path.slice(0, 100))}, which apk does not unpack`,
    );
  }
}
