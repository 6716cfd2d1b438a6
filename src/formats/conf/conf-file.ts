/**
 * The text of a `.conf` file: lines of `key=value`, blank lines, and comments from a `#` that begins a word. A network file
 * without errors and warnings is also a valid shell script with the same values: nodes without the agent read it as such.
 * mesh-conf.ts and host0-conf.ts define the keys.
 */
import { isUtf8 } from 'node:buffer';
import { MeshError, type SourcePlace } from '../../model/error.ts';
import { ForeignBlanks } from './foreign-blanks.ts';

/** The largest file that is parsed. */
export const CONF_FILE_MAX_BYTES = 64 * 1024;
/** The longest line that is parsed, without its line break. */
export const CONF_LINE_MAX_BYTES = 1024;
/** Parsing stops after this many errors: the file is probably of another kind. */
const ERRORS_MAX = 50;
/** How many characters are shown of a line that is too long or not text. */
const EXCERPT_LENGTH = 60;

/** One line `key=value`. */
export interface ConfEntry {
  readonly key: string;
  readonly value: string;
  readonly keyPlace: SourcePlace;
  readonly valuePlace: SourcePlace;
}

/** A file, cut into entries. */
export interface ConfText {
  readonly entries: readonly ConfEntry[];
  readonly errors: readonly MeshError[];
  /** MESH_CONF_SHELL: one for each kind of blank that is one here and not in a shell. */
  readonly warnings: readonly MeshError[];
  /** The probable keys of lines with errors. */
  readonly brokenKeys: readonly string[];
  /** The line after the last one: the place to write a missing key. */
  readonly end: SourcePlace;
}

/**
 * The entries of a file, and one error for each line that is neither entry, comment nor blank. `bytes` may be cut after
 * CONF_FILE_MAX_BYTES + 1.
 * @returns a single error (MESH_CONF_BINARY, MESH_CONF_LINE_TOO_LONG, MESH_CONF_TOO_LARGE) if the file cannot be cut into lines
 */
export function parseConfText(file: string, bytes: Uint8Array): ConfText | MeshError {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const unfit = binaryFault(file, buffer) ?? longLineFault(file, buffer) ?? sizeFault(file, buffer);
  if (unfit !== undefined) return unfit;

  const lines = buffer.toString('utf8').split('\n');
  if (lines.at(-1) === '') lines.pop();
  const entries: ConfEntry[] = [];
  const errors: MeshError[] = [];
  const foreignBlanks = new ForeignBlanks();
  const brokenKeys: string[] = [];
  for (const [index, line] of lines.entries()) {
    const place = { file, line: index + 1, column: 1, text: line.replace(/^\uFEFF|\r$/g, '') };
    const uncommented = withoutComment(line);
    const content = uncommented.replace(/^\uFEFF/, '').trimEnd();
    const entry = parseEntry(content, place);
    if (entry !== undefined) {
      entries.push(entry);
    } else if (content !== '') {
      const meant = meantEntry(content);
      if (meant !== undefined) brokenKeys.push(meant.key);
      errors.push(syntaxFault(meant, { ...place, column: indentOf(content) + 1 }));
    }
    foreignBlanks.look(uncommented, place);
    if (errors.length === ERRORS_MAX) break;
  }
  const end = { file, line: lines.length + 1, column: 1, text: '' };
  return { entries, errors, warnings: foreignBlanks.warnings, brokenKeys, end };
}

function parseEntry(content: string, place: SourcePlace): ConfEntry | undefined {
  const [, key, value] = /^\s*([^\s=]+)=(?!\s)(.*)$/u.exec(content) ?? [];
  if (key === undefined || value === undefined) return undefined;
  const column = indentOf(content) + 1;
  return { key, value, keyPlace: { ...place, column }, valuePlace: { ...place, column: column + key.length + 1 } };
}

/** Key and value of a line that was written as `key = value`, `key: value`, `key value` or `export key=value`. */
function meantEntry(content: string): { key: string; value: string } | undefined {
  const [, key, value] =
    /^\s*(?:(?:export|declare|typeset|readonly|local|set)\s+(?:-\w+\s+)*)?([\w.]+)(?:\s*[=:]\s*|\s+)(\S+)$/u.exec(
      content,
    ) ?? [];
  return key === undefined || value === undefined ? undefined : { key, value };
}

function indentOf(content: string): number {
  return content.length - content.trimStart().length;
}

/** The line up to a `#` that begins a word outside of double quotes, as in a shell. */
function withoutComment(line: string): string {
  let quoted = false;
  for (let i = 0; i < line.length; i++) {
    if (line[i] === '"') quoted = !quoted;
    else if (line[i] === '#' && !quoted && /^$|\s/u.test(line[i - 1] ?? '')) return line.slice(0, i);
  }
  return line;
}

function syntaxFault(meant: { key: string; value: string } | undefined, place: SourcePlace): MeshError {
  return new MeshError('MESH_CONF_SYNTAX', 'the line is not key=value', {
    rule: 'A line is key=value with no blanks around the equals sign, a comment that begins with #, or empty.',
    remedy: meant === undefined ? 'Write key=value, or # before a comment' : `Write ${meant.key}=${meant.value}`,
    place,
  });
}

function binaryFault(file: string, buffer: Buffer): MeshError | undefined {
  if (isText(buffer)) return undefined;
  let line = 1;
  for (let start = 0; start < buffer.length; line++) {
    const newline = buffer.indexOf(10, start);
    const end = newline < 0 ? buffer.length : newline;
    const text = buffer.toString('utf8', start, end);
    const column = text.search(/[\0\uFFFD]/) + 1;
    if (column > 0) {
      return new MeshError('MESH_CONF_BINARY', 'the file is not text', {
        rule: 'A file of settings is UTF-8 text without NUL bytes.',
        remedy: 'Save the file as text, or remove it',
        place: { file, line, ...excerpt(text, column) },
      });
    }
    start = end + 1;
  }
  return undefined;
}

/** A file that was cut after CONF_FILE_MAX_BYTES + 1 may end within a character of up to four bytes. */
function isText(buffer: Buffer): boolean {
  const cuts = buffer.length > CONF_FILE_MAX_BYTES ? [0, 1, 2, 3] : [0];
  return !buffer.includes(0) && cuts.some((cut) => isUtf8(buffer.subarray(0, buffer.length - cut)));
}

function longLineFault(file: string, buffer: Buffer): MeshError | undefined {
  let line = 1;
  for (let start = 0; start < buffer.length; line++) {
    const newline = buffer.indexOf(10, start);
    const end = newline < 0 ? buffer.length : newline;
    if (end - start > CONF_LINE_MAX_BYTES) {
      return new MeshError('MESH_CONF_LINE_TOO_LONG', `the line is longer than ${CONF_LINE_MAX_BYTES} bytes`, {
        rule: `A line has at most ${CONF_LINE_MAX_BYTES} bytes.`,
        remedy: 'Write one key=value on each line',
        place: { file, line, ...excerpt(buffer.toString('utf8', start, start + 4 * EXCERPT_LENGTH), 1) },
      });
    }
    start = end + 1;
  }
  return undefined;
}

function sizeFault(file: string, buffer: Buffer): MeshError | undefined {
  if (buffer.length <= CONF_FILE_MAX_BYTES) return undefined;
  return new MeshError('MESH_CONF_TOO_LARGE', `${file} is larger than ${CONF_FILE_MAX_BYTES} bytes`, {
    operation: 'read settings',
    object: file,
    rule: `A file of settings has at most ${CONF_FILE_MAX_BYTES} bytes.`,
    remedy: 'Remove what does not belong in the file',
  });
}

/** At most EXCERPT_LENGTH characters of `text` around `column`, and the column in them. */
function excerpt(text: string, column: number): { text: string; column: number } {
  const start = Math.max(0, column - EXCERPT_LENGTH);
  const end = start + EXCERPT_LENGTH;
  const head = start > 0 ? '…' : '';
  return { text: head + text.slice(start, end) + (text.length > end ? '…' : ''), column: column - start + head.length };
}
