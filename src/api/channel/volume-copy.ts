/**
 * Copies the volumes of a stopped workload from its node to another one, by the channels of both: host0 reads pieces at the one end and
 * writes them at the other. Nodes never speak with each other. A copy that was cut goes on where it stopped.
 */
import type { Alarm, Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import type { CopiedFile, CopyName } from '../../protocol/documents/workload/volume-copy.ts';
import type { AskedNode } from './assignment-push.ts';

/** How far a copy is. */
export interface CopyProgress {
  readonly doneBytes: number;
  readonly totalBytes: number;
}

/** A copy. */
export interface VolumeCopy {
  readonly name: CopyName;
  readonly from: AskedNode['node'];
  readonly to: AskedNode['node'];
  readonly clock: Clock;
  readonly onProgress: (progress: CopyProgress) => void;
  /** The copy is not wanted any more. */
  readonly signal: AbortSignal;
}

/** A node that sends nothing for so long has a disk that does not answer. */
const SILENCE_MS = 60_000;
/** An earlier version does not know the routes. */
const UNKNOWN_ROUTE = /there is no (?:GET|POST) \/(?:volumes|arrivals)/;

/**
 * Copies, and resolves when all is there and its hashes are right. What has arrived stays when it fails: `dropCopy` removes it.
 * @throws errors of both nodes, and MESH_NOT_SUPPORTED for one of an earlier version
 */
export async function copyVolumes(copy: VolumeCopy): Promise<void> {
  const { name, from, to, onProgress, signal } = copy;
  const files = await from.ask('GET /volumes', { query: { workload: name.workload }, signal }).catch(explained);
  if (files.length === 0) return;
  const have = await to.ask('POST /arrivals', { body: { ...name, files: [...files] }, signal }).catch(explained);
  const totalBytes = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  let doneBytes = have.reduce((sum, { bytes }) => sum + bytes, 0);
  onProgress({ doneBytes, totalBytes });
  const sums: Record<string, string> = {};
  for (const file of files) {
    const isImage = file.file === file.version;
    const firstByte = have.find((one) => one.file === file.file)?.bytes ?? 0;
    if (isImage && firstByte === file.sizeBytes) continue;
    const sha256 = await copyFile(copy, file, firstByte, (bytes) => {
      doneBytes += bytes;
      onProgress({ doneBytes, totalBytes });
    });
    if (!isImage) sums[file.file] = sha256;
  }
  await to.ask('POST /arrivals/end', { body: { ...name, sums }, signal });
}

/** Removes what has arrived by a copy that was given up. @throws the error of a node that does not answer */
export async function dropCopy(to: AskedNode['node'], { workload, word }: CopyName): Promise<void> {
  await to.ask('DELETE /arrivals', { query: { workload, word } });
}

/** @returns the hash of the whole file */
async function copyFile(
  { name, from, to, clock, signal }: VolumeCopy,
  { file, version }: CopiedFile,
  firstByte: number,
  copied: (bytes: number) => void,
): Promise<string> {
  const silent = new AbortController();
  const watch = (): Alarm => clock.after(SILENCE_MS, () => silent.abort());
  let alarm = watch();
  let at = firstByte;
  const query = { workload: name.workload, file, version, first: firstByte };
  const lines = from.lines('GET /volume', { query, signal: AbortSignal.any([signal, silent.signal]) });
  try {
    for await (const { document, fault } of lines) {
      alarm.cancel();
      if (document === undefined) throw broken(file, `a line ${fault}`);
      if (document.kind === 'whole') return document.sha256;
      if (document.kind === 'piece') {
        const { base64 } = document;
        const arrived = await to.ask('PUT /arrivals', { body: { ...name, file, firstByte: at, base64 }, signal });
        const bytes = Buffer.byteLength(base64, 'base64');
        if (arrived.bytes !== at + bytes)
          throw broken(file, `${arrived.bytes} bytes are there in place of ${at + bytes}`);
        at = arrived.bytes;
        copied(bytes);
      }
      alarm = watch();
    }
  } finally {
    alarm.cancel();
  }
  throw broken(file, silent.signal.aborted ? 'nothing came for a minute' : 'its node ended before the end');
}

function broken(file: string, why: string): MeshError {
  return new MeshError('MESH_NODE_OFFLINE', `the copy of ${file} was cut: ${why}`, {
    object: file,
    remedy: 'It goes on automatically. See `mesh node list`.',
    retryable: true,
  });
}

function explained(thrown: unknown): never {
  const error = MeshError.from(thrown);
  if (error.code !== 'MESH_OBJECT_UNKNOWN' || !UNKNOWN_ROUTE.test(error.message)) throw error;
  throw new MeshError('MESH_NOT_SUPPORTED', 'a node of an earlier version copies no disks', {
    remedy: 'Upgrade Meshwork on both nodes. `mesh workload move` to the present node gives the move up.',
    cause: error,
  });
}
