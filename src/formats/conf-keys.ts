/** Which keys a `.conf` file may hold: the same judgement for mesh files and for host0.conf. */
import { MeshError } from '../model/error.ts';
import type { ConfEntry, ConfText } from './conf-file.ts';
import { nearest } from './nearest.ts';

export interface KnownEntries<K extends string> {
  readonly entries: ReadonlyMap<K, ConfEntry>;
  /** Keys that were not given, but a misspelt one in the file was probably meant to be: its error says enough. */
  readonly misspelt: ReadonlySet<K>;
  readonly errors: readonly MeshError[];
}

/** Sorts the entries by key. A key that is unknown (MESH_NET_KEY_UNKNOWN) or given twice (MESH_NET_KEY_TWICE) is an error. */
export function knownEntries<K extends string>(text: ConfText, keys: readonly K[]): KnownEntries<K> {
  const entries = new Map<K, ConfEntry>();
  const misspelt = new Set<K>();
  const errors: MeshError[] = [];
  for (const entry of text.entries) {
    const key = keys.find((known) => known === entry.key);
    const first = key === undefined ? undefined : entries.get(key);
    if (key === undefined) {
      const meant = nearest(entry.key, keys);
      if (meant !== undefined) misspelt.add(meant);
      errors.push(unknownKey(entry, meant, keys));
    } else if (first !== undefined) {
      errors.push(keyTwice(entry, first));
    } else {
      entries.set(key, entry);
    }
  }
  return { entries, misspelt, errors };
}

function unknownKey(entry: ConfEntry, meant: string | undefined, keys: readonly string[]): MeshError {
  return new MeshError('MESH_NET_KEY_UNKNOWN', `unknown key ${quoted(entry.key)}`, {
    rule: `The keys are ${keys.slice(0, -1).join(', ')} and ${keys.at(-1)}.`,
    remedy: meant === undefined ? 'Remove the line' : `Write ${meant}=${entry.value}`,
    place: entry.keyPlace,
  });
}

function keyTwice(entry: ConfEntry, first: ConfEntry): MeshError {
  return new MeshError(
    'MESH_NET_KEY_TWICE',
    `${entry.key} is given a second time, first in line ${first.keyPlace.line}`,
    {
      rule: 'Each key is given once.',
      remedy: 'Remove one of the two lines',
      place: entry.keyPlace,
    },
  );
}

const QUOTED_LENGTH = 40;

/** A value as messages quote it: escaped, and cut where it is long. */
export function quoted(value: string): string {
  return JSON.stringify(value.length > QUOTED_LENGTH ? `${value.slice(0, QUOTED_LENGTH)}…` : value);
}
