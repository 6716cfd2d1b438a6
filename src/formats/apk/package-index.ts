/**
 * The text of an index, APKINDEX: records of lines `X:value`, with an empty line behind each. A record is kept as it was written,
 * so that what we write again has every line, those with letters that we do not know, too.
 */
import { ApkFault } from './apk-fault.ts';

/** One record: a package that a repository has. */
export interface PackageRecord {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  /** The SHA-1 of the compressed control data, `Q1` and base64. */
  readonly checksum: string;
  /** Of the package file; 0 if the record does not say. apk does not hold a file to it. */
  readonly bytes: number;
  /** Seconds since 1970; 0 if the record does not say. */
  readonly builtSec: number;
  readonly priority: number;
  /** The lists of words as they were written; empty if the record has none. */
  readonly depends: string;
  readonly provides: string;
  readonly installIf: string;
  /** All lines, without the empty one behind them. */
  readonly text: string;
}

/** What an index holds. */
export interface PackageIndex {
  readonly records: readonly PackageRecord[];
  /** What was left out, each as a sentence: a record that apk could not install. */
  readonly faults: readonly string[];
}

const RECORDS_MAX = 250_000;
const FAULTS_MAX = 20;
const CHECKSUM = /^Q1[A-Za-z0-9+/]{27}=$/;
const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,199}$/;
/** Becomes a part of a file's name. */
const VERSION = /^[0-9][A-Za-z0-9_.~+-]{0,199}$/;
const ARCHITECTURE = /^[a-z0-9_]{1,32}$/;

/**
 * Reads the text of an index.
 * @throws ApkFault `damaged`, `too large`
 */
export function parsePackageIndex(text: string): PackageIndex {
  // apk does not know a carriage return: it would see no record.
  if (text.includes('\r')) throw new ApkFault('damaged', 'its lines end with a carriage return');
  const records: PackageRecord[] = [];
  const faults: string[] = [];
  for (let at = 0; at < text.length; ) {
    const found = text.indexOf('\n\n', at);
    const end = found < 0 ? text.length - (text.endsWith('\n') ? 1 : 0) : found;
    if (records.length >= RECORDS_MAX) throw new ApkFault('too large', `it has more than ${RECORDS_MAX} packages`);
    if (end > at) {
      const record = parseRecord(text.slice(at, end));
      if (typeof record !== 'string') records.push(record);
      else if (faults.length < FAULTS_MAX) faults.push(record);
    }
    at = found < 0 ? text.length : found + 2;
  }
  return { records, faults };
}

/** @returns what is wrong, as a sentence */
function parseRecord(text: string): PackageRecord | string {
  const record = { P: '', V: '', A: '', C: '', S: '', t: '', k: '', D: '', p: '', i: '', I: '' };
  let strange: string | undefined;
  for (let at = 0; at < text.length; ) {
    const newline = text.indexOf('\n', at);
    const end = newline < 0 ? text.length : newline;
    const letter = text[at] ?? '';
    if (text[at + 1] !== ':') return `A line of an index is no field: ${JSON.stringify(text.slice(at, at + 40))}.`;
    switch (letter) {
      case 'P':
      case 'V':
      case 'A':
      case 'C':
      case 'S':
      case 't':
      case 'k':
      case 'D':
      case 'p':
      case 'i':
      case 'I':
        record[letter] = text.slice(at + 2, end);
        break;
      case 'T':
      case 'U':
      case 'L':
      case 'F':
      case 'M':
        break;
      default:
        // apk 3 does not install a package with a field that it does not know and has to; older ones warn.
        if (letter >= 'A' && letter <= 'Z') strange = letter;
    }
    at = end + 1;
  }
  const { P: name, V: version, A: architecture, C: checksum } = record;
  if (!NAME.test(name) || !VERSION.test(version)) {
    return `A package has no sound name and version: ${JSON.stringify(`${name}-${version}`.slice(0, 80))}.`;
  }
  if (strange !== undefined) return `${name} has the field ${strange}, which apk does not know.`;
  if (!CHECKSUM.test(checksum)) return `${name} has no checksum of the form Q1.`;
  if (!ARCHITECTURE.test(architecture)) return `${name} names no architecture.`;
  if (!(Number(record.I) > 0)) return `${name} has no size when it is installed: apk would unpack nothing.`;
  return {
    name,
    version,
    architecture,
    checksum,
    bytes: whole(record.S),
    builtSec: whole(record.t),
    priority: whole(record.k),
    depends: record.D,
    provides: record.p,
    installIf: record.i,
    text,
  };
}

function whole(text: string): number {
  return /^\d{1,15}$/.test(text) ? Number(text) : 0;
}

/** The text of an index with these records, each with a final empty line, which apk before 2.12 needs. */
export function packageIndexText(records: readonly Pick<PackageRecord, 'text'>[]): string {
  return records.map(({ text }) => `${text}\n\n`).join('');
}

/** The record for a mirror that has all packages in the directory of one architecture: apk asks for a package where `A` says. */
export function withArchitecture(record: PackageRecord, architecture: string): PackageRecord {
  if (record.architecture === architecture) return record;
  const text = record.text.replace(/^A:.*$/m, `A:${architecture}`);
  return { ...record, architecture, text };
}

/** The name of a package's file in a repository. */
export function packageFileName({ name, version }: Pick<PackageRecord, 'name' | 'version'>): string {
  return `${name}-${version}.apk`;
}
