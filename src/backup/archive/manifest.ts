/**
 * The manifest of a backup: the first file of the archive. It says what the archive has, byte by byte, before the first of those
 * files comes, so that a reader knows of each whether it is there, whole and wanted.
 */
import * as form from '../../protocol/shapes/form.ts';
import { TimeShape } from '../../protocol/shapes/parts.ts';
import type { SealedForm } from '../../protocol/shapes/sealed-document.ts';

/** Who and when a file is of, as tar has it. */
export interface Attributes {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeSec: number;
}

/** One thing of the archive. Its path is `AREA/…` (areas.ts). */
export type ManifestEntry =
  | ({ readonly path: string; readonly type: 'directory' } & Attributes)
  | ({ readonly path: string; readonly type: 'file'; readonly bytes: number; readonly sha256: string } & Attributes)
  | { readonly path: string; readonly type: 'symlink'; readonly to: string }
  /** Another name of a file that comes before. */
  | { readonly path: string; readonly type: 'link'; readonly to: string };

/** A network card of the machine that was backed up. */
export interface BackedNic {
  readonly name: string;
  /** The address that the card has from its maker, where the kernel knows it. */
  readonly mac: string;
}

/** The document. */
export interface BackupManifest {
  readonly holds: typeof HOLDS;
  /** ISO 8601. */
  readonly takenAt: string;
  /** The version of Meshwork. */
  readonly meshwork: string;
  /** The host name of the machine. */
  readonly host: string;
  /** The id by which host0s on one wire know each other; absent if host0 has made none. */
  readonly installation?: string;
  readonly nics: readonly BackedNic[];
  /** What the machine has and the backup has not. */
  readonly leftOut: readonly { readonly what: string; readonly bytes: number }[];
  /** The generations of the mirror, whose packages are in the backup only if that was asked for. */
  readonly generations: readonly { readonly number: number; readonly builtAt: string; readonly current: boolean }[];
  /** The store, as `store.json` of the archive. */
  readonly store: {
    readonly bytes: number;
    readonly sha256: string;
    readonly epoch: string;
    readonly revision: number;
  };
  readonly entries: readonly ManifestEntry[];
}

const HOLDS = "a backup of Meshwork's host0";
/** The version of the form, which the manifest has as `version`. */
const VERSION = 1;
/** The name of the manifest in the archive. */
export const MANIFEST_FILE = 'meshwork-backup.json';
/** The name of the store in the archive. */
export const STORE_FILE = 'store.json';
/** What stands before the paths of all other files of the archive. */
export const FILES = 'files/';
/** Some two hundred thousand files. */
export const MANIFEST_BYTES_MAX: number = 64 * 1024 * 1024;
/** The largest text that Node makes of bytes has half a gigabyte. */
export const STORE_BYTES_MAX: number = 384 * 1024 * 1024;

const ENTRIES_MAX = 500_000;
const PATH_MAX = 4_096;
const LATEST_SEC = 2 ** 33;

const PathShape = form.string({ max: PATH_MAX });
const Sha256Shape = form.string({ pattern: /^[0-9a-f]{64}$/ });
const BytesShape = form.int(0);
const attributes = {
  mode: form.int(0, 0o7777),
  uid: form.int(0, 2 ** 32 - 1),
  gid: form.int(0, 2 ** 32 - 1),
  mtimeSec: form.int(0, LATEST_SEC),
};
const EntryShape: form.Shape<ManifestEntry> = form.union([
  form.object({ path: PathShape, type: form.literal('directory'), ...attributes }),
  form.object({ path: PathShape, type: form.literal('file'), bytes: BytesShape, sha256: Sha256Shape, ...attributes }),
  form.object({ path: PathShape, type: form.literal('symlink'), to: PathShape }),
  form.object({ path: PathShape, type: form.literal('link'), to: PathShape }),
]);

/** How the manifest is written: with its version, and a checksum of itself. */
export const MANIFEST_FORM: SealedForm<BackupManifest> = {
  version: VERSION,
  shape: form.object({
    holds: form.literal(HOLDS),
    takenAt: TimeShape,
    meshwork: form.string({ max: 64 }),
    host: form.string({ max: 255 }),
    installation: form.exactOptional(form.string({ pattern: /^[0-9a-f]{8}$/ })),
    nics: form.listOf(form.object({ name: form.string({ max: 15 }), mac: form.string({ max: 17 }) }), 4_096),
    leftOut: form.listOf(form.object({ what: form.string({ max: 255 }), bytes: BytesShape }), 16),
    generations: form.listOf(
      form.object({ number: form.int(1), builtAt: TimeShape, current: form.boolean() }),
      100_000,
    ),
    store: form.object({
      bytes: BytesShape,
      sha256: Sha256Shape,
      epoch: form.string({ max: 64 }),
      revision: form.int(0),
    }),
    entries: form.listOf(EntryShape, ENTRIES_MAX),
  }),
};

/** What the manifest says that it is, for a new one. */
export const MANIFEST_HOLDS: typeof HOLDS = HOLDS;
