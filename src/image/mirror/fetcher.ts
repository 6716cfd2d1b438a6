/** Fetches files of the source into the pool: what was cut off goes on where it stopped, and nothing is taken unchecked. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { ApkFault, type ApkFaultKind } from '../../formats/apk/apk-fault.ts';
import { checkPackageData } from '../../formats/apk/package-data.ts';
import { CONTROL_BYTES_MAX, checkAgainstRecord, readPackageControl } from '../../formats/apk/package-file.ts';
import { type PackageRecord, packageFileName } from '../../formats/apk/package-index.ts';
import type { TrustedKeys } from '../../formats/apk/signature.ts';
import { type ErrorCode, MeshError } from '../../model/error.ts';
import type { MirrorStore } from './mirror-store.ts';
import { fetchError, type Upstream } from './upstream.ts';

/** What every file of the pool is called until it is checked. */
const PART = '.part';
/** Another signature changes the size of a package that an index names. */
const SIGNATURE_BYTES_MAX = 64 * 1024;
/** No package of Alpine comes near. */
const PACKAGE_BYTES_MAX = 4 * 1024 ** 3;
/** More than twice the largest modloop of Alpine. */
const PLAIN_BYTES_MAX = 512 * 1024 ** 2;
/** Tries of one file that bring nothing further. */
const TRIES = 3;

const CODES: Readonly<Record<ApkFaultKind, ErrorCode>> = {
  untrusted: 'MESH_MIRROR_UNTRUSTED',
  forged: 'MESH_MIRROR_FORGED',
  damaged: 'MESH_MIRROR_DAMAGED',
  'too large': 'MESH_MIRROR_LARGE',
};

/** The error for what is wrong with a file of the source. @returns any other error as it is */
export function sourceError(error: unknown, file: string): unknown {
  if (!(error instanceof ApkFault)) return error;
  const remedies: Readonly<Record<ApkFaultKind, string>> = {
    untrusted: 'If the source is right, put its key into mirror-keys in the directory of host0.',
    forged: 'Use another source: somebody has changed the file, or it is broken there.',
    damaged: 'Run the command again; if the fault stays, use another source.',
    'too large': 'Use another source.',
  };
  return new MeshError(CODES[error.kind], `${file} is not taken: ${error.message}`, {
    operation: 'check file',
    object: file,
    rule: 'host0 gives to machines only packages that a key in mirror-keys has signed, and files with the hashes of mirror.conf.',
    remedy: remedies[error.kind],
    cause: error,
  });
}

/** Fetches from one source into one pool. */
export class Fetcher {
  readonly #upstream: Upstream;
  readonly #store: MirrorStore;
  readonly #keys: TrustedKeys;
  readonly #onBytes: (bytes: number) => void;

  /** @param onBytes called with the number of bytes that are there further */
  constructor(upstream: Upstream, store: MirrorStore, keys: TrustedKeys, onBytes: (bytes: number) => void = () => {}) {
    this.#upstream = upstream;
    this.#store = store;
    this.#keys = keys;
    this.#onBytes = onBytes;
  }

  /** A whole small file. @throws MESH_MIRROR_FETCH, MESH_MIRROR_LARGE */
  async small(path: string, bytesMax: number): Promise<Buffer> {
    return await this.#trying(async () => {
      const { bytes, pieces } = await this.#upstream.open(path, 0);
      const parts: Buffer[] = [];
      let length = 0;
      for await (const piece of pieces) {
        length += piece.length;
        if (length > bytesMax) throw sourceError(new ApkFault('too large', `it has more than ${bytesMax} bytes`), path);
        parts.push(piece);
      }
      if (bytes !== undefined && length !== bytes)
        throw fetchError(`${this.#upstream.name}/${path}`, 'ends too early', true);
      return Buffer.concat(parts);
    });
  }

  /** Fetches a package, checks it and takes it into the pool. @throws MESH_MIRROR_*, MESH_DISK_REFUSED */
  async package(record: PackageRecord, path: string): Promise<void> {
    const target = this.#store.packagePath(record.checksum);
    const part = `${target}${PART}`;
    // The index is signed, and so is the size in it. A record without one has 0.
    const bytesMax = record.bytes > 0 ? record.bytes + SIGNATURE_BYTES_MAX : PACKAGE_BYTES_MAX;
    await this.#fetch(path, part, Math.min(bytesMax, PACKAGE_BYTES_MAX), (file) => this.#checkPackage(file, record));
    await this.#store.take(part, target);
  }

  /** Checks a package of the pool again. @throws MESH_MIRROR_* */
  async checkAgain(record: PackageRecord): Promise<void> {
    try {
      await this.#checkPackage(this.#store.packagePath(record.checksum), record);
    } catch (error) {
      throw sourceError(error, packageFileName(record));
    }
  }

  /** Whether such a file is in the pool. @param verify read the file, too */
  async hasPlain(sha256: string, bytes: number, verify: boolean): Promise<boolean> {
    const path = this.#store.bootPath(sha256);
    if (!(await this.#store.has(path, bytes))) return false;
    return !verify || (await hashOf(path)).sha256 === sha256;
  }

  /**
   * Fetches a file that nothing signs, and takes it into the pool by its hash.
   * @param wanted the hash that it must have; absent: any
   */
  async plain(
    path: string,
    check: (file: string) => Promise<void>,
    wanted?: string,
  ): Promise<{ sha256: string; bytes: number }> {
    const name = createHash('sha256').update(path).digest('hex').slice(0, 32);
    const part = `${this.#store.bootPath(name)}${PART}`;
    await this.#fetch(path, part, PLAIN_BYTES_MAX, async (file) => {
      if (wanted !== undefined && (await hashOf(file)).sha256 !== wanted)
        throw new ApkFault('forged', 'it has not the SHA-256 that mirror.conf names');
      await check(file);
    });
    const found = await hashOf(part);
    await this.#store.take(part, this.#store.bootPath(found.sha256));
    return found;
  }

  /** Fetches a file to `part`. One that goes on from an old part and is wrong then is fetched once more from its begin. */
  async #fetch(path: string, part: string, bytesMax: number, check: (file: string) => Promise<void>): Promise<void> {
    const resumed = await this.#trying(() => this.#append(path, part, bytesMax));
    try {
      await check(part);
    } catch (error) {
      await rm(part, { force: true });
      if (!resumed) throw sourceError(error, path);
      await this.#trying(() => this.#append(path, part, bytesMax));
      try {
        await check(part);
      } catch (again) {
        await rm(part, { force: true });
        throw sourceError(again, path);
      }
    }
  }

  /** @returns whether a part was there before */
  async #append(path: string, part: string, bytesMax: number): Promise<boolean> {
    const file = await openPart(part);
    try {
      const { size } = await file.stat();
      const { from, bytes, pieces } = await this.#upstream.open(path, size);
      if (from < size) await file.truncate(from);
      let at = from;
      for await (const piece of pieces) {
        if (Math.max(bytes ?? 0, at + piece.length) > bytesMax)
          throw new ApkFault('too large', `it has more than ${bytesMax} bytes`);
        await file.write(piece, 0, piece.length, at);
        at += piece.length;
        this.#onBytes(piece.length);
      }
      if (bytes !== undefined && at !== bytes)
        throw fetchError(`${this.#upstream.name}/${path}`, 'ends too early', true);
      return from > 0;
    } catch (error) {
      if (error instanceof ApkFault) await rm(part, { force: true });
      throw sourceError(error, path);
    } finally {
      await file.close();
    }
  }

  async #trying<T>(work: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        return await work();
      } catch (error) {
        const isPassing = error instanceof MeshError && error.code === 'MESH_MIRROR_FETCH' && error.retryable;
        if (!isPassing || tries === TRIES) throw error;
      }
    }
  }

  async #checkPackage(file: string, record: PackageRecord): Promise<void> {
    const control = readPackageControl(await beginOf(file), this.#keys);
    checkAgainstRecord(control, record);
    await checkPackageData(
      createReadStream(file, { start: control.dataAt, highWaterMark: 1024 * 1024 }),
      control.dataHash,
    );
  }
}

async function hashOf(file: string): Promise<{ sha256: string; bytes: number }> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const piece of createReadStream(file)) {
    hash.update(piece);
    bytes += piece.length;
  }
  return { sha256: hash.digest('hex'), bytes };
}

async function openPart(part: string): Promise<FileHandle> {
  try {
    return await open(part, 'r+');
  } catch {
    return await open(part, 'w+', 0o644);
  }
}

async function beginOf(file: string): Promise<Buffer> {
  const handle = await open(file, 'r');
  try {
    const { size } = await handle.stat();
    const bytes = Buffer.alloc(Math.min(size, CONTROL_BYTES_MAX));
    await handle.read(bytes, 0, bytes.length, 0);
    return bytes;
  } finally {
    await handle.close();
  }
}
