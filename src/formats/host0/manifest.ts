/**
 * A manifest: the content of a machine's overlay, one action a line (seed: Manifest Files).
 *
 *     # comment
 *     O MODE=root:root:0644 SRC=/host0/machines/my-server/hostname TGT=/etc/hostname   copy a file, replacing an earlier one
 *     A MODE=root:root:0644 SRC=/host0/machines/my-server/packages TGT=/etc/apk/world  append a file to an earlier one
 *     L SRC=/usr/share/zoneinfo/EST TGT=/etc/localtime                                 make a link; SRC is on the node
 *     D MODE=root:root:0755 TGT=/mnt/data                                              make a directory
 *     R TGT=/etc/motd                                                                  remove what a group has put there
 */
import { posix } from 'node:path';
import { MeshError, type SourcePlace } from '../../model/error.ts';

/** Owner and permissions of a file or directory on the node. */
export interface Mode {
  readonly uid: number;
  readonly gid: number;
  /** 0 to 0o7777. */
  readonly permissions: number;
}

interface Line {
  /** Place of the action's letter. */
  readonly place: SourcePlace;
  /** Place of the value of TGT. */
  readonly targetPlace: SourcePlace;
  /** Absolute, on the node. */
  readonly target: string;
}

/** `O` and `A`: puts a file of host0 on the node. */
export interface CopyAction extends Line {
  readonly type: 'overwrite' | 'append';
  readonly mode: Mode;
  /** Absolute, on host0. */
  readonly source: string;
  readonly sourcePlace: SourcePlace;
}

/** `L`: makes a symbolic link. */
export interface LinkAction extends Line {
  readonly type: 'link';
  /** Absolute, on the node. */
  readonly to: string;
}

/** `D`: makes a directory. */
export interface DirectoryAction extends Line {
  readonly type: 'directory';
  readonly mode: Mode;
}

/** `R`: removes what an earlier action of the same overlay has put there. */
export interface RemoveAction extends Line {
  readonly type: 'remove';
}

/** One line of a manifest, checked. */
export type ManifestAction = CopyAction | LinkAction | DirectoryAction | RemoveAction;

/** A parsed manifest. */
export interface Manifest {
  readonly actions: readonly ManifestAction[];
  readonly errors: readonly MeshError[];
}

type Field = 'MODE' | 'SRC' | 'TGT';
type Letter = 'O' | 'A' | 'L' | 'D' | 'R';

const FIELDS: Readonly<Record<Letter, readonly Field[]>> = {
  O: ['MODE', 'SRC', 'TGT'],
  A: ['MODE', 'SRC', 'TGT'],
  L: ['SRC', 'TGT'],
  D: ['MODE', 'TGT'],
  R: ['TGT'],
};

const MEANINGS: Readonly<Record<Letter, string>> = {
  O: 'O overwrites',
  A: 'A appends',
  L: 'L links',
  D: 'D makes a directory',
  R: 'R removes',
};

const EXAMPLES: Readonly<Record<Field, string>> = { MODE: 'root:root:0644', SRC: '/host0/…', TGT: '/etc/…' };

/**
 * Users and groups with the same number on every system. Others get a number when their package is installed on the
 * node.
 */
const IDS: ReadonlyMap<string, number> = new Map([
  ['root', 0],
  ['nobody', 65534],
]);
/** The largest number that a tar header of the old kind holds, in 7 octal digits. busybox's tar reads no larger ones right. */
const ID_MAX = 0o7777777;

/** The largest manifest that is parsed. */
export const MANIFEST_MAX_BYTES = 1024 * 1024;
const LINE_MAX = 4096;
/** Parsing stops after this many errors: the file is probably not a manifest. */
const ERRORS_MAX = 50;

interface Value {
  readonly text: string;
  /** Place of the value, not of the field's name. */
  readonly place: SourcePlace;
}

/** The actions in order, and one error for each wrong line. An overlay may be made only if there are no errors. */
export function parseManifest(file: string, bytes: Uint8Array): Manifest {
  const actions: ManifestAction[] = [];
  const errors: MeshError[] = [];
  const unfit = unfitFor(file, bytes);
  if (unfit !== undefined) return { actions, errors: [unfit] };
  const lines = Buffer.from(bytes)
    .toString('utf8')
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/);
  for (const [index, text] of lines.entries()) {
    if (/^\s*(?:#|$)/.test(text)) continue;
    const place = { file, line: index + 1, column: text.length - text.trimStart().length + 1, text };
    try {
      actions.push(parseLine(text, place));
    } catch (error) {
      errors.push(MeshError.from(error));
    }
    if (errors.length === ERRORS_MAX) break;
  }
  return { actions, errors };
}

function unfitFor(file: string, bytes: Uint8Array): MeshError | undefined {
  const invalid = (message: string, rule: string) =>
    new MeshError('MESH_MANIFEST_INVALID', message, { object: file, rule, remedy: 'Correct the file.' });
  if (bytes.length > MANIFEST_MAX_BYTES) {
    return invalid(`${file} is larger than ${MANIFEST_MAX_BYTES} bytes`, 'A manifest has at most 1 MiB.');
  }
  return bytes.includes(0) ? invalid(`${file} is not text`, 'A manifest is UTF-8 text.') : undefined;
}

/** @throws MESH_MANIFEST_INVALID */
function parseLine(text: string, place: SourcePlace): ManifestAction {
  if (text.length > LINE_MAX) throw fault(place, 'the line is too long', `A line has at most ${LINE_MAX} characters.`);
  const [{ word: letter = '' } = {}, ...words] = Array.from(text.matchAll(/\S+/g), ({ 0: word, index }) => ({
    word,
    place: { ...place, column: index + 1 },
  }));
  if (!isLetter(letter)) throw unknownAction(letter, place);
  const values = new Map<Field, Value>();
  for (const { word, place: at } of words) {
    const [name = '', ...rest] = word.split('=');
    const field = FIELDS[letter].find((known) => known === name);
    if (field === undefined || rest.length === 0) throw unknownField(letter, word, at);
    if (values.has(field)) throw fault(at, `${field} is given twice`, 'Each field is given once.');
    values.set(field, { text: rest.join('='), place: { ...at, column: at.column + name.length + 1 } });
  }
  for (const field of FIELDS[letter]) {
    if (values.has(field)) continue;
    throw fault(place, `${letter} lacks ${field}`, formOf(letter), `Write ${field}=${EXAMPLES[field]}`);
  }
  const value = (field: Field): Value => values.get(field) ?? { text: '', place };
  const target = parsePath('TGT', value('TGT'));
  if (target === '/') throw fault(value('TGT').place, 'TGT is the root directory', 'TGT is below it.');
  const line = { place, target, targetPlace: value('TGT').place };
  switch (letter) {
    case 'O':
    case 'A': {
      const source = value('SRC');
      const type = letter === 'O' ? 'overwrite' : 'append';
      const mode = parseMode(value('MODE'));
      return { ...line, type, mode, source: parsePath('SRC', source, folderOf(place.file)), sourcePlace: source.place };
    }
    case 'L':
      return { ...line, type: 'link', to: parsePath('SRC', value('SRC')) };
    case 'D':
      return { ...line, type: 'directory', mode: parseMode(value('MODE')) };
    case 'R':
      return { ...line, type: 'remove' };
  }
}

/** The folder of a manifest as paths in its lines name it: `/host0/machines/NAME`, even if the tree is somewhere else. */
function folderOf(file: string): string {
  const [kind, name = ''] = file.split('/').slice(-3, -1);
  return kind === 'machines' || kind === 'groups' ? `/host0/${kind}/${name}` : '/';
}

function isLetter(text: string): text is Letter {
  return Object.hasOwn(FIELDS, text);
}

function formOf(letter: Letter): string {
  return `A line is ${letter} ${FIELDS[letter].map((field) => `${field}=${EXAMPLES[field]}`).join(' ')}.`;
}

function unknownAction(word: string, place: SourcePlace): MeshError {
  const known = Object.values(MEANINGS).join(', ');
  const upper = word.toUpperCase();
  return fault(
    place,
    `there is no action ${JSON.stringify(word.slice(0, 20))}`,
    `The actions are: ${known}.`,
    isLetter(upper) ? `Write ${upper}` : 'Begin the line with one of them, or with # if it is a comment',
  );
}

function unknownField(letter: Letter, word: string, place: SourcePlace): MeshError {
  const name = word.split('=')[0]?.toUpperCase();
  const meant = FIELDS[letter].find((field) => field === name);
  const remedy =
    meant === undefined ? 'Remove the word; a path has no blanks in it' : `Write ${meant}=${EXAMPLES[meant]}`;
  return fault(place, `${JSON.stringify(word.slice(0, 40))} is not a field of ${letter}`, formOf(letter), remedy);
}

const NAME_MAX_BYTES = 255;
/** Control and format characters, which terminals and logs obey, and the mark of bytes that are not UTF-8. */
const NOT_IN_PATHS = /[\p{Cc}\p{Cf}\u2028\u2029\ufffd]/u;
/** What prefix and name of a ustar header can hold together; busybox's tar takes no longer paths. */
const PATH_MAX_BYTES = 250;

/** @param base the folder that a relative path is probably meant to begin in */
function parsePath(field: Field, { text, place }: Value, base = '/'): string {
  if (!text.startsWith('/')) {
    const rule = 'Every path is absolute: it begins with /.';
    throw fault(place, `${field} is not an absolute path`, rule, `Write ${field}=${posix.join(base, text)}`);
  }
  const names = text.replace(/\/+$/, '').split('/').slice(1);
  const detour = names.find((name) => name === '..' || name === '.' || name === '');
  if (detour !== undefined) {
    const what = detour === '' ? 'has an empty name in it' : `leads through ${detour}`;
    const rule = 'A path has no empty name, no . and no .. in it.';
    throw fault(place, `${field} ${what}`, rule, `Write ${field}=${posix.join('/', ...names)}`);
  }
  const strange = NOT_IN_PATHS.exec(text);
  if (strange !== null) {
    const code = strange[0].codePointAt(0)?.toString(16).toUpperCase().padStart(4, '0');
    const rule = 'A path has no control characters in it, and is UTF-8 text.';
    throw fault(placeAfter(place, strange.index), `${field} has the character U+${code} in it`, rule, 'Remove it');
  }
  if (Buffer.byteLength(text) > PATH_MAX_BYTES || names.some((name) => Buffer.byteLength(name) > NAME_MAX_BYTES)) {
    throw fault(place, `${field} is too long`, `A path has at most ${PATH_MAX_BYTES} bytes.`, 'Choose a shorter one');
  }
  return `/${names.join('/')}`;
}

function parseMode({ text, place }: Value): Mode {
  const [user = '', group = '', permissions = '', ...rest] = text.split(':');
  if (rest.length > 0 || permissions === '') {
    throw fault(place, 'MODE is not user:group:permissions', MODE_RULE, `Write MODE=${EXAMPLES.MODE}`);
  }
  if (!/^[0-7]{3,4}$/.test(permissions)) {
    const wrong = `${JSON.stringify(permissions.slice(0, 20))} are not permissions`;
    throw fault(
      placeAfter(place, user.length + group.length + 2),
      wrong,
      MODE_RULE,
      `Write MODE=${user}:${group}:0644`,
    );
  }
  return {
    uid: parseId('user', user, place),
    gid: parseId('group', group, placeAfter(place, user.length + 1)),
    permissions: Number.parseInt(permissions, 8),
  };
}

const MODE_RULE = 'MODE is user:group:permissions, the permissions in octal, as in root:root:0644.';

function parseId(what: 'user' | 'group', text: string, place: SourcePlace): number {
  const isNumber = /^\d{1,10}$/.test(text);
  const id = isNumber ? Number(text) : IDS.get(text);
  if (id !== undefined && id <= ID_MAX) return id;
  if (isNumber) {
    throw fault(place, `${text} is too large for the number of a ${what}`, `A number is at most ${ID_MAX}.`);
  }
  throw fault(
    place,
    `${JSON.stringify(text.slice(0, 40))} is no ${what} with a number of its own`,
    'A user or group is root, nobody, or a number: host0 cannot know which number a node gives to another name.',
    text === 'nogroup'
      ? 'Put its number there: 65533 on Alpine, 65534 in an image of `mesh system image`'
      : 'Put its number there, which `id` prints on a node',
  );
}

function placeAfter(place: SourcePlace, characters: number): SourcePlace {
  return { ...place, column: place.column + characters };
}

function fault(place: SourcePlace, message: string, rule: string, remedy?: string): MeshError {
  return new MeshError('MESH_MANIFEST_INVALID', message, { rule, place, ...(remedy !== undefined && { remedy }) });
}
