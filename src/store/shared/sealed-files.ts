/**
 * The secrets of an installation in the store of several host0s: each file below `keys/` of host0's state directory is a document
 * under `/v1/sealed/`, sealed with the key file. The host0 that leads puts them there, and one that begins to lead takes them from
 * there. So the next host0 has the same installation secret, SSH keys and host keys of nodes.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { makeDirectory, textAt, writeDurable } from '../../disk/durable-file.ts';
import { errnoOf } from '../../formats/conf/conf-reader.ts';
import type { Alarm, Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import { type Finding, findingOf, type HealthSource } from '../../protocol/documents/finding.ts';
import type { Change, Store } from '../store.ts';
import { mustHaveOwnSecret } from './own-secret.ts';
import type { SealKey } from './seal-key.ts';

/** What the keys of sealed documents begin with. */
export const SEALED_PREFIX = '/v1/sealed/';
/** The secret from which the keys of all nodes follow. */
const INSTALLATION = 'installation';
/** More than an installation has: one for each machine, and some of host0 itself. */
const FILES_MAX = 8_192;
const FILE_MAX_BYTES = 64 * 1024;
/** A key that a host0 has made is in the store within this time. */
const LOOK_MS = 2_000;
/** etcd takes 60 changes in one transaction. */
const CHANGES_AT_ONCE = 32;
const SECRET_MODE = 0o600;
const SHOWN_MODE = 0o644;
/** Only root may list what host0 has keys of. */
const CLOSED = 0o700;
/** A path below `keys/` without dots before names: no document may lead out of the directory. */
const NAME = /^[A-Za-z0-9_-][A-Za-z0-9_.-]*(?:\/[A-Za-z0-9_-][A-Za-z0-9_.-]*){0,3}$/;

/** What the files are kept with. */
export interface SealedFilesInput {
  readonly store: Store;
  readonly key: SealKey;
  /** The directory of the secrets. */
  readonly directory: string;
  readonly clock: Clock;
  /** Less than otherwise, for a test. */
  readonly filesMax?: number;
}

/** The sealed files of the host0 that leads. */
export class SealedFiles implements HealthSource {
  readonly #input: SealedFilesInput;
  /** The checksum of each file as it is in the store. */
  readonly #kept = new Map<string, string>();
  /** When each file was changed last, as of the last look. */
  readonly #seen = new Map<string, string>();
  /** The revisions of the documents that the key has opened. */
  readonly #opened = new Map<string, number>();
  #alarm: Alarm | undefined;
  #trouble: MeshError | undefined;
  #closed = false;

  constructor(input: SealedFilesInput) {
    this.#input = input;
  }

  /**
   * Finds out whether the key opens all that is in the store. While the store has no secret of the installation, the one here must
   * be that of the store.
   * @throws MESH_SEAL_REFUSED
   */
  async check(): Promise<void> {
    const { store, key, directory } = this.#input;
    const { entries } = await store.range(SEALED_PREFIX);
    let hasSecret = false;
    for (const { key: at, value, modRevision } of entries) {
      const name = at.slice(SEALED_PREFIX.length);
      if (!NAME.test(name)) continue;
      hasSecret ||= name === INSTALLATION;
      if (this.#opened.get(name) === modRevision) continue;
      key.open(name, value);
      this.#opened.set(name, modRevision);
    }
    if (!hasSecret) await mustHaveOwnSecret(store, directory);
  }

  /**
   * Writes each file that is not as the store has it.
   * @param only these; all when absent
   * @throws MESH_SEAL_REFUSED, MESH_DISK_REFUSED
   */
  async restore(only?: readonly string[]): Promise<void> {
    const { store, key, directory } = this.#input;
    const { entries } = await store.range(SEALED_PREFIX);
    // All are opened before one is written: with a wrong key, nothing changes.
    const files = entries.flatMap(({ key: at, value }) => {
      const name = at.slice(SEALED_PREFIX.length);
      const isWanted = NAME.test(name) && only?.includes(name) !== false;
      return isWanted ? [{ name, bytes: key.open(name, value) }] : [];
    });
    for (const { name, bytes } of files) {
      this.#kept.set(name, checksumOf(bytes));
      const path = join(directory, name);
      const text = bytes.toString('utf8');
      const present = await textAt(path).catch(() => undefined);
      if (present === text) continue;
      await makeDirectory(dirname(directory));
      await makeDirectory(directory, CLOSED);
      await makeDirectory(dirname(path), CLOSED);
      if (name === INSTALLATION && present !== undefined) await keepReplaced(directory, present);
      await writeDurable(path, text, name.endsWith('.pub') ? SHOWN_MODE : SECRET_MODE);
    }
  }

  /** Puts what is new into the store, now and whenever a file changes, until it is closed. Never rejects. */
  async follow(): Promise<void> {
    try {
      await this.#keep();
      this.#trouble = undefined;
    } catch (thrown) {
      this.#trouble = MeshError.from(thrown);
    }
    if (!this.#closed) this.#alarm = this.#input.clock.after(LOOK_MS, () => void this.follow());
  }

  /** A finding while secrets are on this disk only. */
  health(): readonly Finding[] {
    return this.#trouble === undefined ? [] : [findingOf(this.#trouble, { object: 'keys', severity: 'warning' })];
  }

  close(): void {
    this.#closed = true;
    this.#alarm?.cancel();
  }

  async #keep(): Promise<void> {
    const { store, key, directory, filesMax = FILES_MAX } = this.#input;
    const names = await filesBelow(directory);
    // An installation always has a secret. A directory without it was lost, and the store has the only copies.
    const hasSecret = names.has(INSTALLATION) || !this.#kept.has(INSTALLATION);
    if (!hasSecret || (names.size === 0 && this.#kept.size > 0)) throw lost(directory);
    const { entries } = await store.range(SEALED_PREFIX);
    const present = new Set(entries.map((entry) => entry.key.slice(SEALED_PREFIX.length)));
    const changes: Change[] = [];
    const sums = new Map<string, string>();
    const marks = new Map<string, string>();
    for (const name of namesToSeal(names).slice(0, filesMax)) {
      const path = join(directory, name);
      const { mtimeMs, size, ino } = await stat(path);
      const mark = `${mtimeMs} ${size} ${ino}`;
      if ((this.#seen.get(name) === mark && present.has(name)) || size > FILE_MAX_BYTES) continue;
      const bytes = await readFile(path);
      if (name === INSTALLATION && bytes.toString('utf8').trim() === '') throw lost(directory);
      marks.set(name, mark);
      const sum = checksumOf(bytes);
      if (this.#kept.get(name) === sum && present.has(name)) continue;
      sums.set(name, sum);
      changes.push({ put: `${SEALED_PREFIX}${name}`, value: key.seal(name, bytes) });
    }
    const gone = [...this.#kept.keys()].filter((name) => !names.has(name));
    changes.push(...gone.map((name) => ({ delete: `${SEALED_PREFIX}${name}` })));
    for (let at = 0; at < changes.length; at += CHANGES_AT_ONCE) {
      await store.txn([], changes.slice(at, at + CHANGES_AT_ONCE));
    }
    // What was seen holds only when it is in the store: after an error, the next look begins anew.
    for (const [name, mark] of marks) this.#seen.set(name, mark);
    for (const [name, sum] of sums) this.#kept.set(name, sum);
    for (const name of gone) {
      this.#kept.delete(name);
      this.#seen.delete(name);
    }
  }
}

/** Keeps a secret beside the directory in which the one of the store takes its place: the nodes may have the keys of this one. */
async function keepReplaced(directory: string, text: string): Promise<void> {
  const name = `installation-replaced-${checksumOf(Buffer.from(text)).slice(0, 8)}`;
  await writeDurable(join(dirname(directory), name), text, SECRET_MODE);
}

function lost(directory: string): MeshError {
  return new MeshError('MESH_SEAL_REFUSED', `the secret of the installation is gone from ${directory}`, {
    object: directory,
    rule: 'While that secret is gone, host0 changes no sealed secret in the store, which has all of them.',
    remedy: 'Restart host0: it takes the secrets from the store again.',
  });
}

/** The files below a directory whose names a sealed document can have; none while there is no such directory. */
async function filesBelow(directory: string): Promise<ReadonlySet<string>> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch((cause: unknown) => {
    if (errnoOf(cause) === 'ENOENT') return [];
    throw cause;
  });
  const names = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .filter((name) => NAME.test(name));
  return new Set(names);
}

/** The names in order. The secret from which all keys of nodes follow comes first: no limit leaves it out. */
function namesToSeal(names: ReadonlySet<string>): readonly string[] {
  const others = [...names].filter((name) => name !== INSTALLATION).toSorted();
  return [...(names.has(INSTALLATION) ? [INSTALLATION] : []), ...others];
}

function checksumOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
