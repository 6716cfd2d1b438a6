/** The value of a setting in host0.conf: one word or several, each read by a parser of its own. */
import { MeshError } from '../../model/error.ts';
import type { ConfEntry } from '../conf/conf-file.ts';

/** What is wrong with a value, and an example of a right one. */
export interface Fault {
  readonly fault: string;
  readonly rule: string;
  readonly example: string;
}

/** Reads one word of a value. */
export type ParseWord<T extends string | number | object> = (word: string) => T | Fault;

/** Whether a word could not be read. */
export function isFault(value: string | number | object): value is Fault {
  return typeof value === 'object' && 'fault' in value;
}

/** Reads a value of one word or more. */
export function severalWords<T extends string | number | object>(parse: ParseWord<T>) {
  return (entry: ConfEntry): T[] | MeshError => {
    const values: T[] = [];
    const words = wordsOf(entry.value);
    for (const [index, { word, column }] of words.entries()) {
      const value = parse(word);
      if (isFault(value)) {
        const better = words.map((other) => other.word).with(index, value.example);
        return invalid(entry, column, value.fault, value.rule, better);
      }
      values.push(value);
    }
    return values.length > 0 ? values : invalid(entry, 0, 'is empty', 'A key that is given has a value.', []);
  };
}

/** Reads a value of one word. */
export function oneWord<T extends string | number | object>(parse: ParseWord<T>) {
  const parseList = severalWords(parse);
  return (entry: ConfEntry): T | MeshError => {
    const values = parseList(entry);
    if (values instanceof MeshError) return values;
    const [value, ...others] = values;
    if (value !== undefined && others.length === 0) return value;
    const [first, second] = wordsOf(entry.value);
    return invalid(entry, second?.column ?? 0, 'has several values', 'This key has one value.', [first?.word ?? '']);
  };
}

/** The words of a value without their quotes, each with its offset in the value. */
function wordsOf(value: string): { word: string; column: number }[] {
  return Array.from(value.matchAll(/"([^"]*)"|(\S+)/g), ({ 1: inQuotes, 2: bare, index }) =>
    inQuotes === undefined ? { word: bare ?? '', column: index } : { word: inQuotes, column: index + 1 },
  );
}

function invalid(
  { key, valuePlace }: ConfEntry,
  column: number,
  fault: string,
  rule: string,
  better: readonly string[],
): MeshError {
  const text = better.map((word) => `"${word}"`).join(' ');
  return new MeshError('MESH_HOST0_CONF_INVALID', `${key} ${fault}`, {
    rule,
    remedy: text === '' ? 'Write a value, or remove the line' : `Write ${key}=${text}`,
    place: { ...valuePlace, column: valuePlace.column + column },
  });
}
