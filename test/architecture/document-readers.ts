/**
 * Where the source reads JSON, and where it claims a type for what was read. Comments are left out; texts in quotes are not,
 * as no text of the source needs these words.
 */

const COMMENT = /\/\*[\s\S]*?\*\/|(?<![:'"`\\])\/\/.*$/gm;
/** `JSON.parse`, also as `JSON['parse']` and as `{ parse } = JSON`; and the bodies of fetch. */
const PARSES = /\bJSON\s*(?:\?\.|\.)\s*parse\b|\bJSON\s*\[|=\s*JSON\b(?!\s*\.)|\.\s*json\s*\(\s*\)/g;
/** `document as X`, `reading.document?.health as X`, `readDocument(…) as X`, but not `as const`. */
const CLAIMS =
  /\b(?:document|(?:readDocument|fitted|readRouteAnswer|readRefusal)\([^;]*?\))(?:[?!]?\.\w+|\[[^\]]*\])*\s+as\s+(?!const\b)\w+/g;

/** The places in a source text that parse JSON, each with its line. */
export function parsesIn(text: string): string[] {
  return placesIn(text, PARSES);
}

/** The places in a source text that claim a type for a document that was read. */
export function claimsIn(text: string): string[] {
  return placesIn(text, CLAIMS);
}

function placesIn(text: string, pattern: RegExp): string[] {
  const code = text.replace(COMMENT, (comment) => comment.replace(/[^\n]/g, ' '));
  return [...code.matchAll(pattern)].map(({ 0: found, index }) => {
    return `${code.slice(0, index).split('\n').length}: ${found.replace(/\s+/g, ' ')}`;
  });
}
