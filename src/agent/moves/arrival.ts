/** One copy of volumes on its way to this node. */
import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { MeshError } from '../../model/error.ts';
import type { ArrivedFile, CopiedFile } from '../../protocol/documents/workload/volume-copy.ts';
import { PartFile, removePart } from '../images/part-file.ts';

/** A file whose hash is right. */
export interface WholeFile {
  readonly path: string;
  readonly head: Buffer;
  readonly sizeBytes: number;
}

/** A disk takes as many bytes in less than the time in which host0 waits for an answer. */
const SYNC_BYTES = 64 * 1024 * 1024;

/** The files of one copy. */
export class Arrival {
  readonly files: readonly CopiedFile[];
  readonly #directory: string;
  /** A file that has arrived in part is read for its hash when it is opened, which may take longer than host0 waits for an answer. */
  readonly #parts = new Map<string, Promise<PartFile>>();
  /** One piece at a time. */
  #last: Promise<unknown> = Promise.resolve();
  #unsyncedBytes = 0;

  constructor(directory: string, files: readonly CopiedFile[]) {
    this.#directory = directory;
    this.files = files;
  }

  /** Whether these files are copied. */
  isOf(files: readonly CopiedFile[]): boolean {
    return isDeepStrictEqual(files, this.files);
  }

  /** Opens a file, with what has arrived of it before. @throws MESH_DISK_REFUSED */
  async open({ file, sizeBytes, version }: CopiedFile): Promise<ArrivedFile> {
    let opening = this.#parts.get(file);
    if (opening === undefined) {
      opening = openPart(this.#pathOf(file), version, sizeBytes);
      this.#parts.set(file, opening);
      opening.catch(() => this.#parts.delete(file));
    }
    return { file, bytes: (await opening).bytes };
  }

  /** @throws MESH_VOLUME_REFUSED for more bytes than the file has, MESH_DISK_REFUSED */
  add(file: string, firstByte: number, bytes: Buffer): Promise<ArrivedFile> {
    const turn = this.#last.then(async () => {
      const part = await this.#partOf(file);
      if (firstByte !== part.bytes) return { file, bytes: part.bytes };
      const { sizeBytes = 0 } = this.files.find((one) => one.file === file) ?? {};
      if (part.bytes + bytes.length > sizeBytes)
        throw new MeshError('MESH_VOLUME_REFUSED', `more comes of ${file} than its ${sizeBytes} bytes`, {
          object: file,
        });
      await part.append(bytes);
      this.#unsyncedBytes += bytes.length;
      if (this.#unsyncedBytes >= SYNC_BYTES) {
        await part.sync();
        this.#unsyncedBytes = 0;
      }
      return { file, bytes: part.bytes };
    });
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  /** Ends a file. @throws MESH_DISK_IMAGE_HASH, with nothing left of the file */
  async finish(file: string, sha256: string, mode?: number): Promise<WholeFile> {
    await this.#last;
    const part = await this.#partOf(file);
    const path = this.#pathOf(file);
    const found = await part.finish();
    await part.close();
    this.#parts.delete(file);
    const { sizeBytes } = this.files.find((one) => one.file === file) ?? {};
    if (found !== sha256 || part.bytes !== sizeBytes) {
      await removePart(path);
      throw new MeshError('MESH_DISK_IMAGE_HASH', `${file} did not arrive as it was sent`, {
        object: file,
        rule: 'The SHA-256 of a copied volume is that of the file on the node where it comes from.',
        remedy: 'It is copied again automatically.',
        retryable: true,
      });
    }
    if (mode !== undefined) await chmod(path, mode);
    return { path, head: part.head, sizeBytes: part.bytes };
  }

  /** Leaves what has arrived where it is. */
  async close(): Promise<void> {
    await this.#last;
    for (const part of this.#parts.values()) await part.then((one) => one.close()).catch(() => undefined);
    this.#parts.clear();
  }

  async #partOf(file: string): Promise<PartFile> {
    const part = await this.#parts.get(file);
    if (part !== undefined) return part;
    throw new MeshError('MESH_VOLUME_REFUSED', `${file} is no file of this copy`, { object: file, retryable: true });
  }

  #pathOf(file: string): string {
    return join(this.#directory, `${file}.part`);
  }
}

async function openPart(path: string, version: string, sizeBytes: number): Promise<PartFile> {
  const part = await PartFile.open(path);
  if (part.version !== version) await part.begin(version, sizeBytes);
  return part;
}
