/**
 * The last set of network files that was accepted whole, kept on disk so that a restart can use it when the files have
 * become invalid.
 */

import { readFile } from 'node:fs/promises';
import { errnoOf } from '../formats/conf/conf-reader.ts';
import type { NetworkFile } from '../formats/conf/network-set.ts';
import { MeshError } from '../model/error.ts';
import { readDocument } from '../protocol/shapes/document.ts';
import * as form from '../protocol/shapes/form.ts';
import { writeDurable } from './durable-file.ts';

interface AcceptedDocument {
  readonly version: 1;
  readonly files: readonly { readonly file: string; readonly text: string }[];
}

const FILES_MAX = 16_384;
const AcceptedShape: form.Shape<AcceptedDocument> = form.object({
  version: form.literal(1),
  files: form.listOf(form.object({ file: form.string({ max: 4_096 }), text: form.string() }), FILES_MAX),
});

/**
 * Reads the set at `path`; empty when none was ever written.
 * @throws MESH_STATE_DAMAGED when the file exists and cannot be used
 */
export async function readAcceptedSet(path: string): Promise<readonly NetworkFile[]> {
  try {
    const { document, fault } = readDocument(AcceptedShape, await readFile(path, 'utf8'));
    if (fault !== undefined) throw new TypeError(`it ${fault}`);
    return document.files.map(({ file, text }) => ({ file, bytes: Buffer.from(text) }));
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return [];
    throw new MeshError('MESH_STATE_DAMAGED', `${path} cannot be read: ${MeshError.from(cause).message}`, {
      operation: 'read file',
      object: path,
      remedy: 'Correct the file or its permissions, or remove it',
      cause,
    });
  }
}

/**
 * Replaces the set at `path`; durable when it resolves.
 * @throws MESH_DISK_REFUSED
 */
export async function writeAcceptedSet(path: string, files: readonly NetworkFile[]): Promise<void> {
  const document: AcceptedDocument = {
    version: 1,
    files: files.map(({ file, bytes }) => ({ file, text: Buffer.from(bytes).toString('utf8') })),
  };
  await writeDurable(path, `${JSON.stringify(document, undefined, 2)}\n`);
}
