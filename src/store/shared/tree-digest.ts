/**
 * The digest of the administrator's tree, `/host0`, as far as it says what networks and machines there are: the folders `network`,
 * `machines`, `groups` and `hooks`. All host0s of an installation have the same tree. The one that leads keeps its digest in the
 * store, and one whose tree differs does not lead: it would take meshes away, and boot machines with other overlays.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { errnoOf } from '../../formats/conf/conf-reader.ts';
import type { Alarm, Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import { type Finding, findingOf, type HealthSource } from '../../protocol/documents/finding.ts';
import { readDocument } from '../../protocol/shapes/document.ts';
import * as form from '../../protocol/shapes/form.ts';
import type { Store } from '../store.ts';

/** The key of the digest that leads. */
const KEY = '/v1/host0-tree';
const FOLDERS = ['network', 'machines', 'groups', 'hooks'] as const;
const RecordShape = form.object({
  digest: form.string({ pattern: /^[0-9a-f]{16}$/ }),
  host0: form.string({ max: 256 }),
});
/** How often the tree is looked at. A look at an unchanged tree reads no file. */
const LOOK_MS = 2_000;

/** Reads the digest of one tree again and again; files that have not changed are not read again. */
export class TreeDigest {
  readonly #tree: string;
  readonly #sums = new Map<string, { readonly mark: string; readonly sum: string }>();

  constructor(tree: string) {
    this.#tree = tree;
  }

  /** 16 hex digits. */
  async read(): Promise<string> {
    const hash = createHash('sha256');
    for (const folder of FOLDERS) {
      for (const path of await filesBelow(join(this.#tree, folder))) {
        hash.update(`${path.slice(this.#tree.length)}\0${await this.#sumOf(path)}\n`);
      }
    }
    return hash.digest('hex').slice(0, 16);
  }

  async #sumOf(path: string): Promise<string> {
    const { mtimeMs, size, ino, mode } = await stat(path);
    const mark = `${mtimeMs} ${size} ${ino} ${mode}`;
    const known = this.#sums.get(path);
    if (known?.mark === mark) return known.sum;
    const hash = createHash('sha256').update(`${(mode & 0o111) === 0 ? '' : 'x'}\0`);
    await pipeline(createReadStream(path), hash);
    const sum = hash.digest('hex');
    this.#sums.set(path, { mark, sum });
    return sum;
  }
}

/** Which tree the host0 that led last had; undefined before one has led. */
export async function leadingTree(
  store: Store,
): Promise<{ readonly digest: string; readonly host0: string } | undefined> {
  const entry = await store.get(KEY);
  return entry && readDocument(RecordShape, entry.value).document;
}

/**
 * Why a host0 with this tree must not lead; undefined if it may. The host0 that led last may lead with any tree: its administrator
 * has edited the tree while it was stopped, and no other has led since.
 */
export async function treeFault(
  store: Store,
  own: { readonly digest: string; readonly tree: string; readonly name: string },
): Promise<string | undefined> {
  const leading = await leadingTree(store);
  if (leading === undefined || leading.digest === own.digest || leading.host0 === own.name) return undefined;
  return (
    `its tree ${own.tree} has the digest ${own.digest}, and that of ${leading.host0} has ${leading.digest}: copy the tree from ` +
    `there; or, if the tree here is the right one, run \`etcdctl del ${KEY}\` with the host0s of other trees stopped`
  );
}

/** What the digest of the leading host0 is kept with. */
export interface LeadingTreeInput {
  readonly store: Store;
  readonly clock: Clock;
  readonly tree: string;
  /** The name of this host0. */
  readonly name: string;
}

/** Keeps the digest of the tree of the host0 that leads in the store. */
export class LeadingTree implements HealthSource {
  readonly #input: LeadingTreeInput;
  readonly #digest: TreeDigest;
  #kept: string | undefined;
  #alarm: Alarm | undefined;
  #trouble: MeshError | undefined;
  #closed = false;

  constructor(input: LeadingTreeInput) {
    this.#input = input;
    this.#digest = new TreeDigest(input.tree);
  }

  /** Writes the digest, now and whenever the tree changes, until it is closed. Never rejects. */
  async follow(): Promise<void> {
    const { store, name: host0, clock } = this.#input;
    try {
      const digest = await this.#digest.read();
      if (digest !== this.#kept) await store.txn([], [{ put: KEY, value: JSON.stringify({ digest, host0 }) }]);
      this.#kept = digest;
      this.#trouble = undefined;
    } catch (thrown) {
      this.#trouble = MeshError.from(thrown);
    }
    if (!this.#closed) this.#alarm = clock.after(LOOK_MS, () => void this.follow());
  }

  /** A finding while the store does not have the digest of this tree. */
  health(): readonly Finding[] {
    const trouble = this.#trouble;
    return trouble === undefined ? [] : [findingOf(trouble, { object: this.#input.tree, severity: 'warning' })];
  }

  close(): void {
    this.#closed = true;
    this.#alarm?.cancel();
  }
}

async function filesBelow(directory: string): Promise<readonly string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch((cause: unknown) => {
    if (errnoOf(cause) === 'ENOENT') return [];
    throw cause;
  });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
}
