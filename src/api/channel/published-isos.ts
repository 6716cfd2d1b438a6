/**
 * Sends files of host0's folder `isos` to a node, on the node's channel: the node asks line by line (agent/images/host0-isos.ts), and
 * bytes follow each line of the answer.
 */
import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import type { Duplex } from 'node:stream';
import { openBelow } from '../../disk/published-file.ts';
import type { Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import { linesOf } from '../../protocol/http/lines.ts';
import { FILE_LINE_MAX_LENGTH, FileAskShape } from '../../protocol/shapes/disk-image-shape.ts';
import { readDocument } from '../../protocol/shapes/document.ts';
import type { NodeConnection } from './node-connection.ts';

/** A channel that files can be sent on. */
export type FileConnection = Pick<NodeConnection, 'node' | 'isOver'>;

/** A node that gave up one file asks for the next one after this time. */
const AGAIN_MS = 100;
/** A node waits for an answer before it asks again. */
const WAITING_MAX = 8;
/** A part of a file: pings of the channel pass between two of them. */
const PIECE_BYTES = 64 * 1024;

/** Sends files for as long as the channel stands. Never rejects. A node of an earlier version asks for none. */
export async function sendIsos(connection: FileConnection, directory: string, clock: Clock): Promise<void> {
  while (!connection.isOver) {
    const stream = await connection.node.converse('PUT /isos').catch(() => undefined);
    if (stream === undefined) return;
    stream.on('error', () => stream.destroy());
    await answerLines(stream, directory);
    await new Promise<void>((resolve) => clock.after(AGAIN_MS, resolve));
  }
}

/** Answers one request after the other. Requests are read also meanwhile: only so the end of the stream is seen while bytes wait. */
async function answerLines(stream: Duplex, directory: string): Promise<void> {
  let waiting = 0;
  let sending: Promise<void> = Promise.resolve();
  try {
    for await (const lines of linesOf(stream, FILE_LINE_MAX_LENGTH)) {
      for (const line of lines) {
        if (++waiting > WAITING_MAX) return;
        sending = sending
          .then(() => send(stream, directory, line))
          .then(
            () => void waiting--,
            () => void stream.destroy(),
          );
      }
    }
  } catch {
    // The node does not want the rest, or the channel has ended.
  } finally {
    stream.destroy();
    await sending;
  }
}

async function send(stream: Duplex, directory: string, line: string): Promise<void> {
  const { document, fault } = readDocument(FileAskShape, line, FILE_LINE_MAX_LENGTH);
  if (fault !== undefined) throw new MeshError('MESH_MEMBER_REPORT_INVALID', `the node asks with a line that ${fault}`);
  const { path, firstByte, version } = document;
  let file: FileHandle;
  try {
    file = await openBelow(directory, path.split('/').map(encodeURIComponent).join('/'), 'root');
  } catch (thrown) {
    await write(stream, `${JSON.stringify({ error: MeshError.from(thrown) })}\n`);
    return;
  }
  try {
    const { dev, ino, size, mtimeNs } = await file.stat({ bigint: true });
    const present = createHash('sha256').update(`${dev} ${ino} ${size} ${mtimeNs}`).digest('hex').slice(0, 32);
    const totalBytes = Number(size);
    const first = version === present && firstByte <= totalBytes ? firstByte : 0;
    await write(stream, `${JSON.stringify({ firstByte: first, totalBytes, version: present })}\n`);
    const piece = Buffer.alloc(PIECE_BYTES);
    for (let at = first; at < totalBytes; ) {
      const { bytesRead } = await file.read(piece, 0, Math.min(PIECE_BYTES, totalBytes - at), at);
      // The file was cut meanwhile: the node must not take other bytes for the rest.
      if (bytesRead === 0) throw new MeshError('MESH_DISK_IMAGE_FETCH', 'the file has become shorter');
      await write(stream, Buffer.from(piece.subarray(0, bytesRead)));
      at += bytesRead;
    }
  } finally {
    await file.close();
  }
}

/** Writes, and waits until there is room again. */
async function write(stream: Duplex, bytes: string | Buffer): Promise<void> {
  if (stream.destroyed || stream.writableEnded) throw new MeshError('MESH_NODE_OFFLINE', 'the node has gone');
  if (stream.write(bytes)) return;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const closed = (): void => reject(new MeshError('MESH_NODE_OFFLINE', 'the node has gone'));
  stream.once('drain', resolve);
  stream.once('close', closed);
  await promise.finally(() => {
    stream.off('drain', resolve);
    stream.off('close', closed);
  });
}
