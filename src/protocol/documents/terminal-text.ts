/**
 * Text from elsewhere, and JSON with such text, made safe for a terminal. Host names, log lines and answers of other
 * machines could otherwise move the cursor, change the window's title, or reverse the direction of writing.
 */

/** What a terminal obeys or does not show: controls, formats, half and unknown characters, and the two other line ends. */
const ACTING = /[\p{C}\p{Zl}\p{Zp}]/gv;
/** A line break between two parts of a JSON text is no part of a string. */
const ACTING_IN_JSON = /[[\p{C}\p{Zl}\p{Zp}]--\n]/gv;

/** The text with tabs as spaces. Other characters that a terminal would obey, or not show, become escapes like `\x1b`. */
export function visible(text: string): string {
  return text.replaceAll('\t', '    ').replace(ACTING, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
  });
}

/** Whether a terminal would obey a part of the text, or not show it. */
export function hasActing(text: string): boolean {
  return text.search(ACTING) >= 0;
}

/** `visible` for a text of several lines. */
export function visibleLines(text: string): string {
  return text.split('\n').map(visible).join('\n');
}

/**
 * The value as JSON in which no character acts on a terminal: each is written `\u202e`. A parser reads the same value.
 * @param indent spaces for each level; everything is on one line if not given
 */
export function terminalJson(value: unknown, indent?: number): string {
  return quietJson(JSON.stringify(value, null, indent));
}

/** The same for a text that is JSON already, such as a line of a log. */
export function quietJson(json: string): string {
  // Outside of strings, JSON is ASCII: an escape is always within a string.
  return json.replace(ACTING_IN_JSON, unicodeEscapes);
}

/** A character beyond U+FFFF is written as its two surrogates. */
function unicodeEscapes(character: string): string {
  return Array.from({ length: character.length }, (_, at) => {
    return `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`;
  }).join('');
}
