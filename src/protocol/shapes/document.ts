/**
 * The one reader of JSON: a document from another process or from disk has a form (a shape), and is read by it before its
 * first use. A document that does not fit is refused whole. A shape drops fields that it does not know: a newer process may
 * add some.
 */
import { Misfit, placeOf, type Shape } from './form.ts';

/** A document in its form, or why the text holds none. */
export type DocumentReading<T> =
  | { readonly document: T; readonly fault?: never }
  | { readonly document?: never; readonly fault: string };

/** Room for the largest member list and for the items of thousands of networks. */
const LENGTH_MAX = 64 * 1024 * 1024;

/** Our documents are nested less than ten deep. */
const DEPTH_MAX = 32;
/** In a shorter text, even the deepest nesting costs nothing. */
const SHORT = 16 * 1024;

/**
 * Reads a document. Throws nothing, whatever the text holds.
 * @param lengthMax a longer text, in characters, is refused unread
 * @returns the document; or the fault, as the end of a sentence: `does not fit its form at members.3.ipv4`
 */
export function readDocument<T>(shape: Shape<T>, text: string, lengthMax: number = LENGTH_MAX): DocumentReading<T> {
  const { document, fault } = readJson(text, lengthMax);
  return fault === undefined ? fitted(shape, document) : { fault };
}

/** The same for a document whose form is judged later. */
export function readJson(text: string, lengthMax: number = LENGTH_MAX): DocumentReading<unknown> {
  if (text.length > lengthMax) return { fault: `is longer than ${lengthMax} characters` };
  if (text.length > SHORT && isDeep(text)) return { fault: `is nested deeper than ${DEPTH_MAX}` };
  const parsing = parsed(text);
  return 'document' in parsing ? parsing : { fault: 'is no JSON' };
}

/** Where a text stops to be JSON, in characters from its beginning; 0 for a text that is JSON. */
export function jsonFaultOffset(text: string): number {
  const parsing = parsed(text);
  return 'document' in parsing ? 0 : parsing.offset;
}

function parsed(text: string): { readonly document: unknown } | { readonly offset: number } {
  try {
    return { document: JSON.parse(text) };
  } catch (error) {
    const position = /at position (\d+)/.exec(String(error))?.[1];
    return { offset: position === undefined ? text.trimEnd().length : Number(position) };
  }
}

/** The same for a value that is parsed already, such as the body of a request. */
export function fitted<T>(shape: Shape<T>, value: unknown): DocumentReading<T> {
  try {
    return { document: shape.read(value) };
  } catch (error) {
    if (error instanceof Misfit) return { fault: `does not fit its form at ${placeOf(error.path)}` };
    throw error;
  }
}

/** A megabyte of brackets would take JSON.parse 0.3 s and 80 MB; this look takes it a few milliseconds. */
function isDeep(text: string): boolean {
  let depth = 0;
  let inText = false;
  for (let at = 0; at < text.length; at++) {
    const sign = text[at];
    if (inText) {
      if (sign === '\\') at++;
      else if (sign === '"') inText = false;
    } else if (sign === '"') inText = true;
    else if (sign === '[' || sign === '{') depth++;
    else if (sign === ']' || sign === '}') depth--;
    if (depth > DEPTH_MAX) return true;
  }
  return false;
}
