/**
 * A disk image that has arrived in part. What is there is used again when the transfer goes on, also after a restart of the agent.
 * After a reboot it is not: nothing tells which bytes have reached the disk.
 */
import { createHash, type Hash } from 'node:crypto';
import { createReadStream, readFileSync } from 'node:fs';
import { type FileHandle, open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { IMAGE_HEAD_BYTES } from '../../formats/binary/image-kind.ts';
import { MeshError } from '../../model/error.ts';
import { readDocument } from '../../protocol/shapes/document.ts';
import * as form from '../../protocol/shapes/form.ts';

/** What is kept beside the bytes. */
const NoteShape = form.object({
  boot: form.string({ max: 64 }),
  version: form.string({ max: 600 }),
  totalBytes: form.exactOptional(form.int(0)),
});
type Note = form.TypeOf<typeof NoteShape>;

/** Nobody may write to an image: volumes are over it. */
const IMAGE_MODE = 0o444;

/** One file that grows, with the hash of its bytes. */
export class PartFile {
  readonly #path: string;
  readonly #file: FileHandle;
  #hash: Hash = createHash('sha256');
  #head: Buffer = Buffer.alloc(0);
  #bytes = 0;
  #note: Note | undefined;

  private constructor(path: string, file: FileHandle) {
    this.#path = path;
    this.#file = file;
  }

  /** Opens the file, with what an earlier transfer of this boot has left in it. @throws MESH_DISK_REFUSED */
  static async open(path: string): Promise<PartFile> {
    const isThere = await stat(path).then(
      (found) => found.isFile(),
      () => false,
    );
    const note = isThere ? await noteAt(path) : undefined;
    const file = await open(path, note === undefined ? 'w+' : 'r+', 0o600).catch((cause: unknown) => {
      throw diskRefused(path, cause);
    });
    const part = new PartFile(path, file);
    if (note !== undefined) {
      part.#note = note;
      for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) part.#count(chunk);
    }
    return part;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Which content the bytes are of; undefined when the origin does not say, or nothing has come. */
  get version(): string | undefined {
    return this.#note?.version;
  }

  /** Whether all bytes are there. */
  get isWhole(): boolean {
    return this.#note?.totalBytes === this.#bytes;
  }

  /** The first bytes, for `imageKind`. */
  get head(): Buffer {
    return this.#head;
  }

  /** Begins anew. @param version of the content that comes now */
  async begin(version: string | undefined, totalBytes: number | undefined): Promise<void> {
    this.#hash = createHash('sha256');
    this.#head = Buffer.alloc(0);
    this.#bytes = 0;
    this.#note =
      version === undefined ? undefined : { boot: bootId(), version, ...(totalBytes !== undefined && { totalBytes }) };
    await this.#writing(async () => {
      await this.#file.truncate(0);
      if (this.#note === undefined) await rm(notePath(this.#path), { force: true });
      else await writeFile(notePath(this.#path), JSON.stringify(this.#note), { mode: 0o600 });
    });
  }

  /** Adds bytes to the end. @throws MESH_DISK_REFUSED */
  async append(chunk: Uint8Array): Promise<void> {
    await this.#writing(async () => {
      for (let done = 0; done < chunk.length; ) {
        const { bytesWritten } = await this.#file.write(chunk, done, chunk.length - done, this.#bytes + done);
        done += bytesWritten;
      }
    });
    this.#count(chunk);
  }

  /** Has the bytes written to the disk: so that the end of a long file does not wait for all of them. @throws MESH_DISK_REFUSED */
  async sync(): Promise<void> {
    await this.#writing(() => this.#file.sync());
  }

  /** Makes the bytes durable. @returns their SHA-256, as hex */
  async finish(): Promise<string> {
    await this.#writing(async () => {
      await this.#file.chmod(IMAGE_MODE);
      await this.#file.sync();
    });
    return this.#hash.copy().digest('hex');
  }

  /** Closes the file, which stays. */
  async close(): Promise<void> {
    await this.#file.close();
  }

  #count(chunk: Uint8Array): void {
    if (this.#head.length < IMAGE_HEAD_BYTES) {
      this.#head = Buffer.concat([this.#head, chunk.subarray(0, IMAGE_HEAD_BYTES - this.#head.length)]);
    }
    this.#hash.update(chunk);
    this.#bytes += chunk.length;
  }

  async #writing(write: () => Promise<void>): Promise<void> {
    await write().catch((cause: unknown) => {
      throw diskRefused(this.#path, cause);
    });
  }
}

/** Removes a file of `PartFile`, and what is kept beside it. */
export async function removePart(path: string): Promise<void> {
  await rm(notePath(path), { force: true });
  await rm(path, { force: true });
}

/** Removes what is beside a file that is whole. */
export async function removePartNote(path: string): Promise<void> {
  await rm(notePath(path), { force: true });
}

function notePath(path: string): string {
  return `${path}.json`;
}

async function noteAt(path: string): Promise<Note | undefined> {
  const text = await readFile(notePath(path), 'utf8').catch(() => '');
  const { document } = readDocument(NoteShape, text, 4096);
  return document?.boot === bootId() ? document : undefined;
}

/** Names the present boot of the machine. */
function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

/** The error for a disk that does not take an image. */
export function diskRefused(path: string, cause: unknown): MeshError {
  if (cause instanceof MeshError) return cause;
  const why = cause instanceof Error ? cause.message : String(cause);
  return new MeshError('MESH_DISK_REFUSED', `the disk does not take a disk image: ${why}`, {
    operation: 'write disk image',
    object: path,
    remedy:
      'Make room on the disk: `mesh workload image list` shows what is in the cache, `mesh workload image delete` removes an image.',
    cause,
    retryable: true,
  });
}
