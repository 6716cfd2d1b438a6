/**
 * The last set of network files that was accepted whole, kept on disk so that a restart can use it when the files have
 * become invalid.
 */

import type { NetworkFile } from '../formats/conf/network-set.ts';
import type { MeshError } from '../model/error.ts';
import * as form from '../protocol/shapes/form.ts';
import { StateFile, type StateForm } from './state-file.ts';

interface AcceptedDocument {
  readonly files: readonly { readonly file: string; readonly text: string }[];
}

const FILES_MAX = 16_384;
const ACCEPTED_FILE: StateForm<AcceptedDocument> = {
  version: 1,
  shape: form.object({
    files: form.listOf(form.object({ file: form.string({ max: 4_096 }), text: form.string() }), FILES_MAX),
  }),
  holds: 'the network files of before',
  remedy: 'Correct the network files, if any has an error: the file is written anew when all are right.',
  comesBack: true,
};

/** The file `networks.accepted.json`. Read it once before the first write. */
export class AcceptedSet {
  readonly #file: StateFile<AcceptedDocument>;

  constructor(path: string) {
    this.#file = new StateFile(path, ACCEPTED_FILE);
  }

  /** The set; empty when there is no file that can be used. Never rejects. */
  async read(): Promise<readonly NetworkFile[]> {
    const { files = [] } = (await this.#file.read()) ?? {};
    return files.map(({ file, text }) => ({ file, bytes: Buffer.from(text) }));
  }

  /**
   * Replaces the set; durable when it resolves.
   * @throws MESH_DISK_REFUSED, MESH_STATE_DAMAGED, MESH_STATE_LATER
   */
  async write(files: readonly NetworkFile[]): Promise<void> {
    await this.#file.write({
      files: files.map(({ file, bytes }) => ({ file, text: Buffer.from(bytes).toString('utf8') })),
    });
  }

  /** Why the file cannot be used; undefined when all is well. */
  get trouble(): MeshError | undefined {
    return this.#file.trouble;
  }
}
