/** Compares source texts without regard to their formatting. */

interface FoldedText {
  readonly text: string;
  /** For each character of `text`, its offset in the original. */
  readonly places: readonly number[];
}

/** Offsets of a piece of a text. */
interface Span {
  readonly start: number;
  readonly end: number;
}

/** The characters that a formatter may add or remove: white space, and a comma before a closing bracket. */
const LAYOUT = /,(?=\s*[)\]}])|\s+/g;

/** The text without its layout; one space stays between two words. */
function folded(original: string): FoldedText {
  let text = '';
  const places: number[] = [];
  const keep = (piece: string, place: number) => {
    text += piece;
    for (let offset = 0; offset < piece.length; offset++) places.push(place + offset);
  };
  let start = 0;
  for (const { 0: layout, index } of original.matchAll(LAYOUT)) {
    keep(original.slice(start, index), start);
    start = index + layout.length;
    if (/^[\w$] [\w$]$/.test(`${original[index - 1]} ${original[start]}`) && layout !== ',') keep(' ', index);
  }
  keep(original.slice(start), start);
  return { text, places };
}

/** The offsets of each occurrence of `wanted` in `text`, regardless of layout. `wanted` must not end with a comma. */
export function spansOf(wanted: string, text: string): Span[] {
  const { text: needle } = folded(wanted);
  const { text: hay, places } = folded(text);
  const spans: Span[] = [];
  if (needle === '') return spans;
  for (let at = hay.indexOf(needle); at !== -1; at = hay.indexOf(needle, at + 1)) {
    const last = places[at + needle.length - 1] ?? 0;
    spans.push({ start: places[at] ?? 0, end: last + 1 });
  }
  return spans;
}
