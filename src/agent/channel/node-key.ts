/**
 * The key of this node, as its file `/etc/meshwork/key` gives it: by the key a node and host0 prove to each other who they are.
 * The file comes with the secrets of a boot, or from `mesh node enroll`. It is read again for each connection, so that a file which
 * an administrator brings needs no restart. A node without a file has its `.conf` networks only, which is no fault.
 */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { errnoOf } from '../../formats/conf/conf-reader.ts';
import { MeshError } from '../../model/error.ts';
import type { MachineId } from '../../model/machine.ts';
import { channelPsk, type KeyIdentity, parseKeyIdentity } from '../../model/machine-key.ts';
import { type Finding, findingOf, type HealthSource } from '../../protocol/documents/finding.ts';
import { KEY_FILE_MAX_BYTES, readKeyFile } from '../../protocol/shapes/key-file.ts';

/** What the channel shows to host0: the identity in clear, and the PSK that the key gives. */
export interface NodeCredentials {
  readonly identity: KeyIdentity;
  readonly psk: Buffer;
}

/** The permissions of everybody but the owner. */
const OTHERS = 0o077;
const AGAIN = 'Boot the machine again, or run `mesh node enroll NAME --renew` on host0 and bring the new file here.';

/** Reads the key file of one node. */
export class NodeKey implements HealthSource {
  readonly #path: string;
  readonly #machine: MachineId;
  #trouble: MeshError | undefined;

  /** @param path `Paths.keyFile` */
  constructor(path: string, machine: MachineId) {
    this.#path = path;
    this.#machine = machine;
  }

  /** Reads the file; undefined when there is none, or when it is refused (`health`). Never rejects. */
  async read(): Promise<NodeCredentials | undefined> {
    try {
      const text = await this.#text();
      const credentials = text === undefined ? undefined : this.#credentials(text);
      this.#trouble = undefined;
      return credentials;
    } catch (thrown) {
      this.#trouble = thrown instanceof MeshError ? thrown : this.#damaged(`cannot be read: ${errnoOf(thrown)}`);
      return undefined;
    }
  }

  /** A finding while the file is refused. */
  health(): readonly Finding[] {
    return this.#trouble === undefined ? [] : [findingOf(this.#trouble, { object: this.#path })];
  }

  async #text(): Promise<string | undefined> {
    let file: FileHandle;
    try {
      // Opening a pipe would otherwise wait for its writer for ever.
      file = await open(this.#path, constants.O_RDONLY | constants.O_NONBLOCK);
    } catch (error) {
      if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined;
      throw error;
    }
    try {
      // Of the open file: the one at the path may be another a moment later.
      const found = await file.stat();
      if (!found.isFile()) throw this.#damaged('is no plain file');
      if (found.size > KEY_FILE_MAX_BYTES) throw this.#damaged('is longer than any key file');
      if ((found.mode & OTHERS) !== 0 || found.uid !== process.getuid?.()) throw this.#exposed(found.mode & 0o777);
      return await file.readFile('utf8');
    } finally {
      await file.close();
    }
  }

  #credentials(text: string): NodeCredentials {
    const { document, fault, later } = readKeyFile(text);
    if (later !== undefined) {
      throw new MeshError(
        'MESH_STATE_LATER',
        `${this.#path} has format version ${later}, which this agent does not know`,
        {
          object: this.#path,
          remedy: 'Upgrade Meshwork on this node.',
        },
      );
    }
    if (document === undefined) throw this.#damaged(fault);
    const { identity, key } = document;
    const owner = parseKeyIdentity(identity)?.machine;
    if (owner !== this.#machine) {
      throw new MeshError(
        'MESH_KEY_REFUSED',
        `${this.#path} is for machine ${owner}, and this is machine ${this.#machine}`,
        {
          object: this.#path,
          rule: 'Each machine has a key of its own. A copied disk brings the key of another machine.',
          remedy: `Remove the file. ${AGAIN}`,
        },
      );
    }
    return { identity, psk: channelPsk(key) };
  }

  #damaged(fault: string): MeshError {
    return new MeshError('MESH_KEY_DAMAGED', `${this.#path} holds no key: the file ${fault}`, {
      operation: 'read key',
      object: this.#path,
      remedy: AGAIN,
    });
  }

  #exposed(mode: number): MeshError {
    const message = `${this.#path} has mode ${mode.toString(8)}, or belongs to another user: others may have read the key`;
    return new MeshError('MESH_KEY_REFUSED', message, {
      object: this.#path,
      rule: 'Only root may read the key of a node.',
      remedy: `Run \`chown root: ${this.#path}; chmod 600 ${this.#path}\`. If others can have read it, get another key: ${AGAIN}`,
    });
  }
}
