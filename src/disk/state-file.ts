/**
 * A state file: one document that this machine keeps on disk. The file is old or new after a power cut at any byte, carries a
 * format version and a checksum (sealed-document.ts), and costs nobody a start:
 *
 * - A damaged file counts as absent, is moved aside, and is a finding.
 * - A file of a later version, or one that cannot be read, counts as absent and is a finding. It stays as it is, and nothing is
 *   written over it.
 */
import type { Stats } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { errnoOf } from '../formats/conf/conf-reader.ts';
import { MeshError } from '../model/error.ts';
import { type Finding, findingOf, type HealthSource } from '../protocol/documents/finding.ts';
import { readSealed, type SealedForm, sealed } from '../protocol/shapes/sealed-document.ts';
import { asideOf, dropAside, isAside, moveAside } from './aside.ts';
import { writeDurable } from './durable-file.ts';

/** A kind of state file. */
export interface StateForm<T> extends SealedForm<T> {
  /** For messages: `the plugged ports`. */
  readonly holds: string;
  /** What heals the loss of the document, as a sentence. */
  readonly remedy: string;
  /**
   * Whether the next write restores what was lost: then it removes the file that was moved aside, and the finding ends.
   * Otherwise both last until the administrator removes that file.
   */
  readonly comesBack: boolean;
}

/** Where the damaged file of a path goes. */
interface Aside {
  /** @returns whether it was moved */
  readonly take: () => Promise<boolean>;
  /** Whether a damaged file of now or earlier lies aside. */
  readonly isTaken: () => boolean;
  readonly drop: () => Promise<void>;
}

/** Where the text of a state file is. */
export interface StateText {
  readonly path: string;
  /** Undefined when there is no file. @throws DamagedText when there is no text; an error of the file system */
  readonly read: () => Promise<string | undefined>;
  /** @throws MESH_DISK_REFUSED */
  readonly write: (text: string) => Promise<void>;
  /** Where damaged files go. Nowhere if absent. */
  readonly aside?: Aside;
}

/** There is something at the path that is no text. The message is the end of a sentence about the file. */
export class DamagedText extends Error {}

/** Larger than any state file. */
const BYTES_MAX = 256 * 1024 * 1024;

const NOTHING: { readonly document?: never; readonly fault?: never; readonly later?: never } = {};

/** One state file. Read it once before the first write. `Written` is the type of a document in the form in which it is written. */
export class StateFile<T, Written = T> implements HealthSource {
  readonly #text: StateText;
  readonly #form: StateForm<T>;
  /** The text that is on the disk, as far as this process knows. */
  #onDisk: string | undefined;
  /** Why the file could not be used. */
  #trouble: MeshError | undefined;
  /** Whether the file is of another version or unreadable, so that nothing may be written over it. */
  #isForeign = false;

  /** @param where its path, or where its text is if that is not a file with the usual permissions */
  constructor(where: string | StateText, form: StateForm<T>) {
    this.#text = typeof where === 'string' ? textOnDisk(where) : where;
    this.#form = form;
  }

  get path(): string {
    return this.#text.path;
  }

  /** Why the file could not be used at the last read; undefined when all is well. */
  get trouble(): MeshError | undefined {
    return this.#trouble;
  }

  /** The document; undefined when there is none that this version can use. Never rejects. */
  async read(): Promise<T | undefined> {
    try {
      const text = await this.#text.read();
      const { document, fault, later } = text === undefined ? NOTHING : readSealed(this.#form, text);
      if (later !== undefined) this.#note(this.#ofLaterVersion(later), true);
      else if (fault !== undefined) await this.#damaged(fault);
      else this.#note(undefined, false);
      this.#onDisk = document === undefined ? undefined : text;
      return document;
    } catch (thrown) {
      this.#onDisk = undefined;
      if (thrown instanceof DamagedText) await this.#damaged(thrown.message);
      else this.#note(this.#unreadable(thrown), true);
      return undefined;
    }
  }

  /**
   * Replaces the document; durable when it resolves. A document that is on the disk already is not written again.
   * @throws MESH_DISK_REFUSED
   * @throws MESH_STATE_DAMAGED, MESH_STATE_LATER while the file cannot be read, or is of a later version
   */
  async write(document: Written): Promise<void> {
    if (this.#isForeign && this.#trouble !== undefined) throw this.#trouble;
    const text = sealed(this.#form, document);
    if (text === this.#onDisk) return;
    await this.#text.write(text);
    this.#onDisk = text;
    this.#trouble = undefined;
    if (this.#form.comesBack && this.#isAside) await this.#text.aside?.drop();
  }

  /** A finding while the file cannot be used, or while what was in it is lost. */
  health(): readonly Finding[] {
    const { path } = this;
    if (this.#trouble !== undefined) return [findingOf(this.#trouble, { object: path, severity: 'warning' })];
    if (!this.#isAside) return [];
    return [findingOf(this.#lost(`${path} was damaged`), { object: path, severity: 'warning' })];
  }

  get #isAside(): boolean {
    return this.#text.aside?.isTaken() ?? false;
  }

  async #damaged(fault: string): Promise<void> {
    const moved = await this.#text.aside?.take();
    const message = `${this.path} is damaged: the file ${fault}`;
    this.#trouble =
      moved === true ? this.#lost(message) : this.#error('MESH_STATE_DAMAGED', message, this.#form.remedy);
  }

  /** The error for a file that lies aside. */
  #lost(message: string): MeshError {
    const { remedy, comesBack, holds } = this.#form;
    const aside = asideOf(this.path);
    const end = comesBack ? `The damaged file is ${aside}.` : `Then remove ${aside}, which is the damaged file.`;
    return this.#error('MESH_STATE_DAMAGED', `${message}; ${holds} in it are lost`, `${remedy} ${end}`);
  }

  #note(trouble: MeshError | undefined, isForeign: boolean): void {
    this.#trouble = trouble;
    this.#isForeign = isForeign;
  }

  #ofLaterVersion(version: number): MeshError {
    const { holds, version: known } = this.#form;
    const message = `${this.path} has format version ${version}, and this version of Meshwork knows ${known}`;
    return this.#error(
      'MESH_STATE_LATER',
      `${message}: it is left as it is, and ${holds} are neither read nor kept`,
      'Install the later version of Meshwork again, or move the file away; then restart the process.',
    );
  }

  #unreadable(thrown: unknown): MeshError {
    const message = `${this.path} cannot be read (${MeshError.from(thrown).message})`;
    return this.#error(
      'MESH_STATE_DAMAGED',
      `${message}: it is left as it is, and ${this.#form.holds} are neither read nor kept`,
      'Look at the file and its permissions (`ls -ld`), let root read it or move it away; then restart the process.',
      thrown,
    );
  }

  #error(code: 'MESH_STATE_DAMAGED' | 'MESH_STATE_LATER', message: string, remedy: string, cause?: unknown): MeshError {
    const more = cause === undefined ? {} : { cause };
    return new MeshError(code, message, { operation: 'read state file', object: this.path, remedy, ...more });
  }
}

/** The text of a file on this machine's disk. @param permissions of the file when it is written */
export function textOnDisk(path: string, permissions = 0o640): StateText {
  return {
    path,
    read: () => plainTextAt(path),
    write: (text) => writeDurable(path, text, permissions),
    aside: { take: () => moveAside(path), isTaken: () => isAside(path), drop: () => dropAside(path) },
  };
}

/**
 * The text of a plain file; undefined when there is nothing at the path.
 * @throws DamagedText for anything else than a plain file, such as a directory or a pipe; an error of the file system
 */
async function plainTextAt(path: string): Promise<string | undefined> {
  const found = await statOf(path);
  if (found === undefined) return undefined;
  // Opening a pipe would wait for its writer for ever.
  if (!found.isFile()) throw new DamagedText('is no plain file');
  if (found.size > BYTES_MAX) throw new DamagedText(`is larger than ${BYTES_MAX} bytes`);
  const file = await open(path, 'r');
  try {
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

async function statOf(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
