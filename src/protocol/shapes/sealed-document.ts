/**
 * The text of a state file: a document with a format version and a checksum, so that damage and a later version are told apart
 * from what this version wrote. Both are fields of the document, which an earlier version of Meshwork ignores:
 *
 *     {"version": 1, "checksum": "…", "files": […]}
 *     [{"version": 1, "checksum": "…"}, {"link": "tap0", …}]
 *
 * A document without a checksum is one of an earlier version, and is read by its form alone.
 */
import { createHash } from 'node:crypto';
import { fitted, readJson } from './document.ts';
import type { Shape } from './form.ts';

/** The form of a kind of state file. */
export interface SealedForm<T> {
  /** The version that is written. All versions up to it are read. */
  readonly version: number;
  readonly shape: Shape<T>;
  /** In a list: fields of the first entry that make an earlier version skip it. */
  readonly skipped?: Readonly<Record<string, string>>;
}

/** What a text holds: a document; a fault, as the end of a sentence; or the number of a later version. */
export type SealedReading<T> =
  | { readonly document: T; readonly fault?: never; readonly later?: never }
  | { readonly fault: string; readonly document?: never; readonly later?: never }
  | { readonly later: number; readonly document?: never; readonly fault?: never };

/** 128 bits: enough against chance. */
const CHECKSUM_HEX = 32;

/** The text of a document, with its version and checksum. */
export function sealed({ version, skipped = {} }: Omit<SealedForm<unknown>, 'shape'>, document: unknown): string {
  const checksum = checksumOf(version, document);
  const whole: unknown = Array.isArray(document)
    ? [{ version, checksum, ...skipped }, ...document]
    : { version, checksum, ...Object(document) };
  return `${JSON.stringify(whole, undefined, 1)}\n`;
}

/** Reads a text of `sealed`, or one of an earlier version. Throws nothing. */
export function readSealed<T>({ version: known, shape }: SealedForm<T>, text: string): SealedReading<T> {
  const { document, fault } = readJson(text);
  if (fault !== undefined) return { fault };
  const { seal, content } = opened(document);
  const { version = known, checksum } = seal;
  if (typeof version !== 'number' || !Number.isSafeInteger(version) || version < 1) return { fault: 'has no version' };
  // Before the checksum: a later version may have another way to make it.
  if (version > known) return { later: version };
  if (checksum !== undefined && checksum !== checksumOf(version, content)) {
    return { fault: 'does not fit its checksum' };
  }
  return fitted(shape, content);
}

/** Takes the seal and the content of a document apart. */
function opened(whole: unknown): { readonly seal: Readonly<Record<string, unknown>>; readonly content: unknown } {
  if (Array.isArray(whole)) {
    const [first, ...rest]: unknown[] = whole;
    return isRecord(first) && Object.hasOwn(first, 'checksum')
      ? { seal: first, content: rest }
      : { seal: {}, content: whole };
  }
  if (!isRecord(whole)) return { seal: {}, content: whole };
  const { version, checksum, ...content } = whole;
  return { seal: { version, checksum }, content };
}

function checksumOf(version: number, content: unknown): string {
  const text = `${version}\n${JSON.stringify(content)}`;
  return createHash('sha256').update(text).digest('hex').slice(0, CHECKSUM_HEX);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
