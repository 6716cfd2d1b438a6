/** The keys of a `.conf` file: the rules that mesh files and host0.conf share. */
import { MeshError, type SourcePlace } from '../../model/error.ts';
import type { ConfEntry, ConfText } from './conf-file.ts';
import { nearest } from './nearest.ts';

/** Reads the value of an entry. */
type Parse<T> = (entry: ConfEntry) => T | MeshError;

/** The values that a file gives to known keys, and all errors of the file. */
export class ConfKeys<K extends string> {
  readonly #end: SourcePlace;
  readonly #entries = new Map<K, ConfEntry>();
  /** Keys that a wrong line was probably meant to give. They are not reported as missing, because the line has its error. */
  readonly #meant = new Set<string>();
  readonly #errors: MeshError[];

  /**
   * A key that is not in `keys` (MESH_CONF_KEY_UNKNOWN) or is given twice (MESH_CONF_KEY_TWICE) is an error.
   * @param rule says which keys there are
   */
  constructor(
    text: ConfText,
    keys: readonly K[],
    rule = `The keys are ${keys.slice(0, -1).join(', ')} and ${keys.at(-1)}.`,
  ) {
    this.#end = text.end;
    this.#errors = [...text.errors];
    for (const key of text.brokenKeys) this.#meant.add(key);
    for (const entry of text.entries) this.#sort(entry, keys, rule);
  }

  /** All errors so far, in the order of their lines. */
  get errors(): readonly MeshError[] {
    return this.#errors.sort(byPlace);
  }

  /** The place of a key's value; the end of the file for a key that is not given. */
  placeOf(key: K): SourcePlace {
    return this.#entries.get(key)?.valuePlace ?? this.#end;
  }

  /** The value of `key`; undefined when the key is not given, or when its value is wrong, which adds an error. */
  optional<T>(key: K, parse: Parse<T>): T | undefined {
    const entry = this.#entries.get(key);
    const value = entry && parse(entry);
    if (!(value instanceof MeshError)) return value;
    this.#errors.push(value);
    return undefined;
  }

  /** The value of `key`, as `optional` gives it. A key that is not given is an error, too (MESH_CONF_KEY_MISSING). */
  required<T>(key: K, parse: Parse<T>, { rule, remedy }: { rule: string; remedy: string }): T | undefined {
    if (!this.#entries.has(key) && !this.#meant.has(key)) {
      this.#errors.push(
        new MeshError('MESH_CONF_KEY_MISSING', `${key} is missing`, { rule, remedy, place: this.#end }),
      );
    }
    return this.optional(key, parse);
  }

  #sort(entry: ConfEntry, keys: readonly K[], rule: string): void {
    const key = keys.find((known) => known === entry.key);
    if (key === undefined) {
      const meant = nearest(entry.key, keys);
      if (meant !== undefined) this.#meant.add(meant);
      this.#errors.push(unknownKey(entry, meant, rule));
      return;
    }
    const first = this.#entries.get(key);
    if (first === undefined) this.#entries.set(key, entry);
    else this.#errors.push(keyTwice(entry, first));
  }
}

function byPlace(a: MeshError, b: MeshError): number {
  return (a.place?.line ?? 0) - (b.place?.line ?? 0) || (a.place?.column ?? 0) - (b.place?.column ?? 0);
}

function unknownKey(entry: ConfEntry, meant: string | undefined, rule: string): MeshError {
  return new MeshError('MESH_CONF_KEY_UNKNOWN', `unknown key ${quoted(entry.key)}`, {
    rule,
    remedy: meant === undefined ? 'Remove the line' : `Write ${meant}=${entry.value}`,
    place: entry.keyPlace,
  });
}

function keyTwice(entry: ConfEntry, first: ConfEntry): MeshError {
  return new MeshError(
    'MESH_CONF_KEY_TWICE',
    `${entry.key} is given a second time, first in line ${first.keyPlace.line}`,
    {
      rule: 'Each key is given once.',
      remedy: 'Remove one of the two lines',
      place: entry.keyPlace,
    },
  );
}

const QUOTED_LENGTH = 40;

/** A value as messages quote it: escaped, and cut after 40 characters. */
export function quoted(value: string): string {
  return JSON.stringify(value.length > QUOTED_LENGTH ? `${value.slice(0, QUOTED_LENGTH)}…` : value);
}
