/** The values of a workload file: each is read, or is one error with the rule and with a better value. */
import { parseIpv4 } from '../../model/address/ipv4.ts';
import { parseIpv6 } from '../../model/address/ipv6.ts';
import { isUnicastMac, type Mac } from '../../model/address/mac.ts';
import { MeshError } from '../../model/error.ts';
import { Misfit, type Shape } from '../../model/form.ts';
import type { HostInterface } from '../../model/network/host-address.ts';
import { CARD_ADDRESSES_MAX } from '../../model/workload/network.ts';
import { VOLUME_SIZE_MIN_BYTES, VolumeSizeShape } from '../../model/workload/volume.ts';
import {
  MEMORY_MIN_BYTES,
  THREADS_MAX,
  WorkloadMemoryShape,
  type WorkloadPlace,
} from '../../model/workload/workload.ts';
import type { ConfEntry } from '../conf/conf-file.ts';
import { quoted } from '../conf/conf-keys.ts';
import { nearest } from '../conf/nearest.ts';

/** Reads the value of an entry. */
export type ParseValue<T> = (entry: ConfEntry) => T | MeshError;

const SIZE = /^[0-9]+[KMGT]$/;
const UNITS: Readonly<Record<string, number>> = { K: 1024, M: 1024 ** 2, G: 1024 ** 3, T: 1024 ** 4 };

/** MESH_WORKLOAD_INVALID at the value of an entry. @param better a value that fits */
export function wrongValue(
  { key, valuePlace }: ConfEntry,
  fault: string,
  rule: string,
  better: string | undefined,
): MeshError {
  return new MeshError('MESH_WORKLOAD_INVALID', `${key} ${fault}`, {
    rule,
    remedy: better === undefined ? 'Correct the value, or remove the line' : `Write ${key}=${better}`,
    place: valuePlace,
  });
}

/** The value without the quotes around it. */
export function unquoted({ value }: ConfEntry): string {
  return /^"([^"]*)"$/.exec(value)?.[1] ?? value;
}

/** A text of a form that has words for what does not fit. @param example a value that fits */
export function fitting(shape: Shape<string>, example: string): ParseValue<string> {
  return (entry) => {
    const text = unquoted(entry);
    try {
      return shape.read(text);
    } catch (error) {
      if (!(error instanceof Misfit)) throw error;
      return wrongValue(entry, saidOf(text), error.words?.rule ?? 'The value has another form.', example);
    }
  };
}

/** One of the words. */
export function wordOf<const T extends string>(words: readonly T[]): ParseValue<T> {
  return (entry) => {
    const text = unquoted(entry);
    const known = words.find((word) => word === text);
    if (known !== undefined) return known;
    const rule = `The value is ${words.slice(0, -1).join(', ')} or ${words.at(-1)}.`;
    return wrongValue(entry, saidOf(text), rule, nearest(text, words) ?? words[0]);
  };
}

/** `on` or `off`. */
export function parseSwitch(entry: ConfEntry): boolean | MeshError {
  const word = wordOf(['on', 'off'])(entry);
  if (word instanceof MeshError) {
    const meant = /^(yes|true|1|enabled?)$/i.test(unquoted(entry)) ? 'on' : 'off';
    return wrongValue(entry, saidOf(unquoted(entry)), 'The value is on or off.', meant);
  }
  return word === 'on';
}

/** The size of a guest's memory. */
export function parseMemory(entry: ConfEntry): number | MeshError {
  const rule = `A size of memory is a number with K, M, G or T, as 500M or 4G, and at least ${MEMORY_MIN_BYTES / 1024 ** 2}M.`;
  return parseSize(entry, rule, WorkloadMemoryShape, '1G');
}

/** The size of a disk. */
export function parseDiskSize(entry: ConfEntry): number | MeshError {
  const rule = `The size of a disk is a number with K, M, G or T, as 20G, and at least ${VOLUME_SIZE_MIN_BYTES / 1024 ** 2}M.`;
  return parseSize(entry, rule, VolumeSizeShape, '20G');
}

function parseSize(entry: ConfEntry, rule: string, shape: Shape<number>, example: string): number | MeshError {
  const text = unquoted(entry);
  const bytes = SIZE.test(text) ? Number(text.slice(0, -1)) * (UNITS[text.slice(-1)] ?? 0) : undefined;
  try {
    if (bytes !== undefined) return shape.read(bytes);
  } catch (error) {
    if (!(error instanceof Misfit)) throw error;
    return wrongValue(entry, `${quoted(text)} is too small or too large`, rule, example);
  }
  const [, number, unit = ''] = /^([0-9]{1,12})\s*([kmgt])?i?b?(?:ytes)?$/i.exec(text) ?? [];
  const meant = number === undefined ? example : `${number}${unit.toUpperCase() || 'M'}`;
  return wrongValue(entry, saidOf(text), rule, meant);
}

/** A number of CPUs. */
export function parseThreads(entry: ConfEntry): number | MeshError {
  const text = unquoted(entry);
  const threads = /^[0-9]{1,6}$/.test(text) ? Number(text) : 0;
  if (threads >= 1 && threads <= THREADS_MAX) return threads;
  const rule = `The number of threads is a whole number from 1 to ${THREADS_MAX}, and at most the number of the node.`;
  return wrongValue(entry, saidOf(text), rule, '2');
}

/** A node, or `any`. */
export function parsePlace(shape: Shape<string>): ParseValue<WorkloadPlace> {
  return (entry) => {
    if (unquoted(entry) === 'any') return { kind: 'any' };
    const node = fitting(shape, 'any')(entry);
    return node instanceof MeshError ? node : { kind: 'node', node };
  };
}

/** The Ethernet address of a card. */
export function parseCardMac(entry: ConfEntry): Mac | MeshError {
  const text = unquoted(entry);
  if (isUnicastMac(text)) return text;
  const rule = 'A card has the Ethernet address of one station, in lower case with colons, as 02:00:00:00:10:01.';
  const meant = text.toLowerCase().replaceAll('-', ':');
  return wrongValue(entry, saidOf(text), rule, isUnicastMac(meant) ? meant : '02:00:00:00:10:01');
}

/** One or several addresses with their lengths. */
export function parseCardAddresses(entry: ConfEntry): HostInterface[] | MeshError {
  const rule = `A value has up to ${CARD_ADDRESSES_MAX} addresses with blanks between them, each with the length of its subnet.`;
  const words = unquoted(entry)
    .split(/\s+/)
    .filter((word) => word !== '');
  const read = words.map((word) => ({ word, address: addressOf(word) }));
  const wrong = read.find(({ address }) => address === undefined);
  if (words.length === 0 || words.length > CARD_ADDRESSES_MAX) {
    return wrongValue(entry, words.length === 0 ? 'is empty' : 'has too many addresses', rule, '"10.0.0.5/24"');
  }
  if (wrong !== undefined) {
    const { word } = wrong;
    const withLength = word.includes(':') ? `${word}/64` : `${word}/24`;
    const better = addressOf(withLength) === undefined ? '10.0.0.5/24' : withLength;
    const at = entry.value.indexOf(word);
    const place = { ...entry.valuePlace, column: entry.valuePlace.column + Math.max(0, at) };
    const fault = `has ${quoted(word)}, which is no address with the length of its subnet`;
    return wrongValue(
      { ...entry, valuePlace: place },
      fault,
      rule,
      `"${words.map((other) => (other === word ? better : other)).join(' ')}"`,
    );
  }
  return read.flatMap(({ address }) => address ?? []);
}

function addressOf(word: string): HostInterface | undefined {
  const [, text = '', digits = ''] = /^([^/]+)\/([0-9]{1,3})$/.exec(word) ?? [];
  const length = Number(digits);
  if (text === '' || length > (text.includes(':') ? 128 : 32)) return undefined;
  try {
    return { address: text.includes(':') ? parseIpv6(text) : parseIpv4(text), length };
  } catch {
    return undefined;
  }
}

function saidOf(text: string): string {
  return text === '' ? 'is empty' : `is ${quoted(text)}`;
}
