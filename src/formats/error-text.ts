/**
 * An error as text for people:
 *
 *     manage.conf:2:8: error: prefix is not a /64 [MESH_NET_PREFIX_NOT_64]
 *       2 | prefix=fd42:2345:1234::/48
 *         |        ^
 *       rule: A mesh's prefix is an IPv6 network of exactly 64 bits.
 *       write: prefix=fd42:2345:1234::/64
 */
import { styleText } from 'node:util';
import type { MeshError, SourcePlace } from '../model/error.ts';
import type { Severity } from '../protocol/documents/finding.ts';
import { visible } from '../protocol/documents/terminal-text.ts';

/** How the text is decorated. */
export interface ErrorTextOptions {
  readonly color: boolean;
  /** `error` by default; a warning has another label and colour. */
  readonly severity?: Severity;
}

/** How many characters of a long line are shown. */
const WINDOW_LENGTH = 76;

/** The error in several lines, without a newline at the end. */
export function errorText(error: MeshError, { color, severity = 'error' }: ErrorTextOptions): string {
  const paint = (style: Parameters<typeof styleText>[0], text: string) =>
    color ? styleText(style, text, { validateStream: false }) : text;
  const hue = severity === 'error' ? 'red' : 'yellow';
  const { place, rule, remedy, operation, object } = error;

  const where = place === undefined ? '' : paint('bold', `${visible(place.file)}:${place.line}:${place.column}: `);
  const lines = [
    `${where}${paint(['bold', hue], `${severity}:`)} ${visible(error.message)} ${paint('dim', `[${error.code}]`)}`,
  ];
  if (place !== undefined) {
    const { text, caret } = excerpt(place);
    const gutter = String(place.line);
    lines.push(`${paint('dim', `  ${gutter} |`)}${text && ` ${text}`}`);
    lines.push(`${paint('dim', `  ${' '.repeat(gutter.length)} |`)} ${' '.repeat(caret)}${paint(hue, '^')}`);
  } else if (operation !== undefined || object !== undefined) {
    const label = operation === undefined ? 'about' : 'while';
    lines.push(labelled(label, [operation, object].filter((part) => part !== undefined).join(': ')));
  }
  if (rule !== undefined) lines.push(labelled('rule', rule));
  if (remedy !== undefined) lines.push(remedyLine(remedy));
  return lines.join('\n');
}

function labelled(label: string, text: string): string {
  return `  ${label}: ${visible(text)}`;
}

/** A remedy `Write TEXT` becomes `write: TEXT`, so that the text can be copied. `Write another …` gives no text to copy. */
function remedyLine(remedy: string): string {
  const text = /^Write (?!(?:an?|another|it|one|the|them) )(.*?)\.?$/su.exec(remedy)?.[1];
  return text === undefined ? labelled('remedy', remedy) : labelled('write', text);
}

/** The line as it is shown, cut around the column if it is long, and the number of characters before the caret. */
function excerpt({ text, column }: SourcePlace): { text: string; caret: number } {
  // Cut by code points: half of a surrogate pair cannot be shown.
  const shown = [...visible(text)];
  const caret = [...visible(text.slice(0, column - 1))].length;
  if (shown.length <= WINDOW_LENGTH) return { text: shown.join(''), caret };
  const start = Math.max(0, Math.min(caret - WINDOW_LENGTH / 2, shown.length - WINDOW_LENGTH));
  const head = start > 0 ? '…' : '';
  const tail = start + WINDOW_LENGTH < shown.length ? '…' : '';
  const window = shown.slice(start, start + WINDOW_LENGTH).join('');
  return { text: head + window + tail, caret: caret - start + head.length };
}
