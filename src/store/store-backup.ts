/**
 * All entries of a store as one document: a copy for a bad day, and the way from one kind of store to another. The store that it is
 * put into has an epoch of its own, so that nodes lose nothing that was made after the copy.
 */
import { MeshError } from '../model/error.ts';
import { readDocument } from '../protocol/shapes/document.ts';
import * as form from '../protocol/shapes/form.ts';
import { TimeShape } from '../protocol/shapes/parts.ts';
import type { Store } from './store.ts';

/** The document. */
export interface StoreBackup {
  readonly format: 1;
  readonly holds: typeof HOLDS;
  /** ISO 8601. */
  readonly takenAt: string;
  /** The epoch and the revision of the store that the entries come from. */
  readonly epoch: string;
  readonly revision: number;
  readonly entries: readonly { readonly key: string; readonly value: string }[];
}

const HOLDS = "the store of Meshwork's host0";
/** Present while entries are put into a store. */
const RESTORING_KEY = '/v1/restoring';
/** Written to find out whether a store takes changes. */
const PROBE_KEY = '/v1/probe';
/** Which tree the host0 that led last had (shared/tree-digest.ts): true of these machines only, and not of an earlier time. */
const TREE_KEY = '/v1/host0-tree';
/** Of this store, and in no copy. */
const NOT_COPIED: readonly string[] = [PROBE_KEY, TREE_KEY];
/** What etcd takes at once, with room for the marks. */
const CHUNK_ENTRIES = 50;
const CHUNK_BYTES = 1_000_000;
/** Ten thousand networks have some hundred thousand entries. */
const ENTRIES_MAX = 5_000_000;

const BackupShape: form.Shape<StoreBackup> = form.object({
  format: form.literal(1),
  holds: form.literal(HOLDS),
  takenAt: TimeShape,
  epoch: form.string({ max: 64 }),
  revision: form.int(0),
  entries: form.listOf(
    form.object({ key: form.string({ pattern: /^\/v1\/./, max: 1_024 }), value: form.string() }),
    ENTRIES_MAX,
  ),
});

/** Reads all entries, at one revision. @throws MESH_STORE_BROKEN, also for a store whose restore was cut short */
export async function takeBackup(store: Store, takenAt: Date): Promise<StoreBackup> {
  await mustBeWhole(store);
  const { entries, revision } = await store.range('/v1/');
  return storeCopy({
    takenAt: takenAt.toISOString(),
    epoch: store.epoch,
    revision,
    entries: entries.filter(({ key }) => !NOT_COPIED.includes(key)).map(({ key, value }) => ({ key, value })),
  });
}

/** The document of entries that were read at one revision. */
export function storeCopy(copied: Omit<StoreBackup, 'format' | 'holds'>): StoreBackup {
  return { format: 1, holds: HOLDS, ...copied };
}

/** The text of a document, which `readBackup` reads. */
export function backupText(document: StoreBackup): string {
  return `${JSON.stringify(document, undefined, 1)}\n`;
}

/** Reads a document. @param file its name in errors @throws MESH_STATE_DAMAGED */
export function readBackup(file: string, text: string): StoreBackup {
  const { document, fault } = readDocument(BackupShape, text, Number.POSITIVE_INFINITY);
  if (fault === undefined) return document;
  throw new MeshError('MESH_STATE_DAMAGED', `${file} ${fault}`, {
    operation: 'restore the store',
    object: file,
    rule: `The file holds ${HOLDS}, as \`mesh system backup\` writes it.`,
    remedy: 'Give a file that `mesh system backup` of this version has written',
  });
}

/**
 * Puts entries into a store, in place of those that it has.
 * @throws MESH_STORE_*; `mustBeWhole` then refuses the store until it was restored again
 */
export async function restoreBackup(store: Store, { entries: copied, takenAt }: StoreBackup): Promise<void> {
  // A copy of an earlier version has the tree.
  const entries = copied.filter(({ key }) => key !== TREE_KEY);
  const { entries: before } = await store.range('/v1/');
  await store.txn([], [{ put: RESTORING_KEY, value: JSON.stringify({ takenAt }) }]);
  const wanted = new Set(entries.map(({ key }) => key));
  const gone = before.filter(({ key }) => !wanted.has(key) && ![RESTORING_KEY, TREE_KEY].includes(key));
  for (let at = 0; at < gone.length; at += CHUNK_ENTRIES) {
    await store.txn(
      [],
      gone.slice(at, at + CHUNK_ENTRIES).map(({ key }) => ({ delete: key })),
    );
  }
  let chunk: { put: string; value: string }[] = [];
  let bytes = 0;
  for (const { key, value } of entries) {
    const size = Buffer.byteLength(value);
    if (chunk.length >= CHUNK_ENTRIES || (chunk.length > 0 && bytes + size > CHUNK_BYTES)) {
      await store.txn([], chunk);
      chunk = [];
      bytes = 0;
    }
    chunk.push({ put: key, value });
    bytes += size;
  }
  if (chunk.length > 0) await store.txn([], chunk);
  await store.txn([], [{ delete: RESTORING_KEY }]);
}

/** Lets host0 begin with a store, and a copy be taken. @throws MESH_STORE_BROKEN when a restore was cut short */
export async function mustBeWhole(store: Store): Promise<void> {
  if ((await store.get(RESTORING_KEY)) === undefined) return;
  throw new MeshError('MESH_STORE_BROKEN', 'the store was being restored, and that was cut short', {
    operation: 'open the store',
    object: RESTORING_KEY,
    remedy: 'Restore it again: `mesh system restore FILE --force`',
  });
}
