/**
 * Sends the volumes of workloads that move away: the files of their disks, and the images that these are over. The workload must be
 * stopped, and stays so until host0 has decided: what is sent does not change.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { MeshError } from '../../model/error.ts';
import type { AssignedWorkload } from '../../protocol/documents/workload/assigned-workload.ts';
import { COPY_PIECE_BYTES, type CopiedFile, type CopyLine } from '../../protocol/documents/workload/volume-copy.ts';
import type { Volumes } from '../images/volumes.ts';
import { copiedVolumes } from './copied-volumes.ts';
import { movesVariables, VARIABLES_FILE } from './firmware-variables.ts';

/** What is asked for. */
export interface WantedFile {
  readonly workload: string;
  readonly file: string;
  readonly version: string;
  readonly first: number;
}

/** What the node's end of a move needs. */
export interface LeavingVolumesInput {
  /** A workload that is stopped here. @throws MESH_WORKLOAD_RUNS */
  readonly stopped: (workload: string) => AssignedWorkload;
  readonly volumes: Pick<Volumes, 'found'>;
  /** Where the firmware of a workload keeps its variables. */
  readonly variablesOf: (workload: string) => string;
  /** Puts what has come with the workload itself into its place. */
  readonly settle: (assigned: AssignedWorkload) => Promise<void>;
}

/** A file, and where it is. */
interface LeavingFile extends CopiedFile {
  readonly path: string;
}

/** A line that says that the node reads, after as many pieces. */
const READING_PIECES = 256;

/** Sends. */
export class LeavingVolumes {
  readonly #input: LeavingVolumesInput;

  constructor(input: LeavingVolumesInput) {
    this.#input = input;
  }

  /** @throws MESH_WORKLOAD_RUNS, MESH_VOLUME_REFUSED */
  async list(workload: string): Promise<readonly CopiedFile[]> {
    return (await this.#files(workload)).map(({ path: _, ...file }) => file);
  }

  /** Sends a file line by line. @throws MESH_WORKLOAD_RUNS, MESH_VOLUME_REFUSED before the first line */
  async send({ workload, file: name, version, first }: WantedFile, opened: () => Writable): Promise<void> {
    const found = (await this.#files(workload)).find(({ file }) => file === name);
    if (found?.version !== version) throw changed(name);
    const file = await open(found.path, 'r');
    const out = opened();
    out.on('error', () => out.destroy());
    try {
      const sha256 = await sendFile(file, found, first, out);
      this.#input.stopped(workload);
      if (!(await isSame(found))) throw changed(name);
      await write(out, { kind: 'whole', sha256 });
      out.end();
    } catch {
      // What has come is not the whole file: the requester sees an end without a hash.
      out.destroy();
    } finally {
      await file.close();
    }
  }

  async #files(workload: string): Promise<LeavingFile[]> {
    const assigned = this.#input.stopped(workload);
    await this.#input.settle(assigned);
    const files = new Map<string, LeavingFile>();
    for (const volume of copiedVolumes(assigned.workload)) {
      const found = await this.#input.volumes.found(volume);
      if (found === undefined) continue;
      const { path, base } = found;
      if (base !== undefined) {
        const { sha256, sizeBytes } = base;
        files.set(sha256, { file: sha256, path: base.path, sizeBytes, version: sha256 });
      }
      const { sizeBytes, version } = await stateOf(path);
      files.set(volume.id, { file: volume.id, path, sizeBytes, version, ...(base && { over: base.sha256 }) });
    }
    const path = this.#input.variablesOf(workload);
    if (movesVariables(assigned.workload) && existsSync(path))
      files.set(VARIABLES_FILE, { file: VARIABLES_FILE, path, ...(await stateOf(path)) });
    return [...files.values()];
  }
}

async function sendFile(file: FileHandle, { sizeBytes }: LeavingFile, first: number, out: Writable): Promise<string> {
  const hash = createHash('sha256');
  const piece = Buffer.alloc(COPY_PIECE_BYTES);
  let count = 0;
  for (let at = 0; at < sizeBytes; ) {
    // The bytes before the first one are read for the hash alone.
    const end = at < first ? Math.min(first, sizeBytes) : sizeBytes;
    const { bytesRead } = await file.read(piece, 0, Math.min(piece.length, end - at), at);
    if (bytesRead === 0) throw new RangeError('the file has become shorter');
    const bytes = piece.subarray(0, bytesRead);
    hash.update(bytes);
    if (at >= first) await write(out, { kind: 'piece', base64: bytes.toString('base64') });
    else if (count++ % READING_PIECES === 0) await write(out, { kind: 'reading' });
    at += bytesRead;
  }
  return hash.digest('hex');
}

/** An image of the cache is named by its content. */
async function isSame({ file, path, version }: LeavingFile): Promise<boolean> {
  return file === version || (await stateOf(path)).version === version;
}

async function stateOf(path: string): Promise<Pick<CopiedFile, 'sizeBytes' | 'version'>> {
  const file = await open(path, 'r');
  try {
    const { dev, ino, size, mtimeNs } = await file.stat({ bigint: true });
    const version = createHash('sha256').update(`${dev} ${ino} ${size} ${mtimeNs}`).digest('hex').slice(0, 32);
    return { sizeBytes: Number(size), version };
  } finally {
    await file.close();
  }
}

/** Writes a line, and waits until there is room again. */
async function write(out: Writable, line: CopyLine): Promise<void> {
  if (out.destroyed || out.writableEnded) throw new RangeError('the requester has gone');
  if (out.write(`${JSON.stringify(line)}\n`)) return;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const closed = (): void => reject(new RangeError('the requester has gone'));
  out.once('drain', resolve);
  out.once('close', closed);
  await promise.finally(() => {
    out.off('drain', resolve);
    out.off('close', closed);
  });
}

function changed(file: string): MeshError {
  return new MeshError('MESH_VOLUME_REFUSED', `the file ${file} has changed while it was copied`, {
    object: file,
    remedy: 'See who has written to it. The copy is begun again automatically.',
    retryable: true,
  });
}
