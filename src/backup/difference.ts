/** What differs between a backup and a machine. Nothing secret is in it: of keys, only whether they are the same. */
import { createHash } from 'node:crypto';
import type { StoreBackup } from '../store/store-backup.ts';
import type { FoundEntry } from './archive/contents.ts';
import type { ManifestEntry } from './archive/manifest.ts';

/** How something is now, seen from the backup: only the backup has it, only the machine has it, or both have it and it differs. */
export type Side = 'backup only' | 'now only' | 'differs';

/** One difference. */
export interface Difference {
  /** `file`, `key`, or a kind of what the store holds, such as `network`. */
  readonly kind: string;
  readonly name: string;
  readonly side: Side;
  /** Beginnings of hashes of a key, which tell keys apart and say nothing else of them. */
  readonly fingerprints?: { readonly backup?: string; readonly now?: string };
}

const KEYS = /^(?:state\/keys\/|state\/installation-replaced-|meshwork\/host0\.key$)/;
const FINGERPRINT = 16;
/** What people call the parts of a store, by the beginning of their keys; the first that fits counts. */
const KINDS: readonly (readonly [prefix: string, kind: string])[] = [
  ['/v1/networks/', 'network'],
  ['/v1/machines/', 'machine'],
  ['/v1/members/', 'member'],
  ['/v1/ports/', 'port'],
  ['/v1/workloads/', 'workload'],
  ['/v1/pools/', 'pool'],
  ['/v1/orders/', 'order'],
  ['/v1/sealed/', 'key'],
];

/** Compares files and links. */
export function fileDifferences(backup: readonly ManifestEntry[], now: readonly FoundEntry[]): readonly Difference[] {
  const before = new Map(backup.map((entry) => [entry.path, entry]));
  const after = new Map(now.map(({ entry }) => [entry.path, entry]));
  return [...new Set([...before.keys(), ...after.keys()])].toSorted().flatMap((path) => {
    const [one, other] = [before.get(path), after.get(path)];
    if (one?.type === 'directory' && other?.type === 'directory' && one.mode === other.mode) return [];
    const side = sideOf(
      one && identityOf(one, (to) => before.get(to)),
      other && identityOf(other, (to) => after.get(to)),
    );
    if (side === undefined) return [];
    if (!KEYS.test(path)) return [{ kind: 'file', name: path, side }];
    const fingerprints = {
      ...(one?.type === 'file' && { backup: shortened(one.sha256) }),
      ...(other?.type === 'file' && { now: shortened(other.sha256) }),
    };
    return [{ kind: 'key', name: path, side, fingerprints }];
  });
}

/** Compares what two stores hold. */
export function storeDifferences(backup: StoreBackup, now: Pick<StoreBackup, 'entries'>): readonly Difference[] {
  const before = new Map(backup.entries.map(({ key, value }) => [key, value]));
  const after = new Map(now.entries.map(({ key, value }) => [key, value]));
  return [...new Set([...before.keys(), ...after.keys()])].toSorted().flatMap((key) => {
    const side = sideOf(before.get(key), after.get(key));
    if (side === undefined) return [];
    const [prefix, kind] = KINDS.find(([beginning]) => key.startsWith(beginning)) ?? ['/v1/', 'entry'];
    return [{ kind, name: key.slice(prefix.length), side }];
  });
}

function sideOf(before: string | undefined, after: string | undefined): Side | undefined {
  if (before === after) return undefined;
  if (after === undefined) return 'backup only';
  return before === undefined ? 'now only' : 'differs';
}

/** Two things with the same identity are the same. */
function identityOf(entry: ManifestEntry, at: (path: string) => ManifestEntry | undefined): string {
  switch (entry.type) {
    case 'directory':
      return `directory ${entry.mode}`;
    case 'symlink':
      return `symlink ${entry.to}`;
    case 'link': {
      const file = at(entry.to);
      return file === undefined || file.type === 'link' ? `link ${entry.to}` : identityOf(file, at);
    }
    case 'file':
      return `file ${entry.mode} ${entry.uid} ${entry.gid} ${entry.sha256}`;
  }
}

/** A hash of the hash: a short secret cannot be found by trying. */
function shortened(sha256: string): string {
  return createHash('sha256').update(`fingerprint\0${sha256}`).digest('hex').slice(0, FINGERPRINT);
}
