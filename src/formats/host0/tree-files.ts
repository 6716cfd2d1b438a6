/**
 * Reads the files and folders of the tree. A path may lead to a pipe, a device or a huge file; folders may be links. Errors go
 * to a list, so that all faults of a tree are told together.
 */
import {
  closeSync,
  constants,
  type Dirent,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import { MeshError, type SourcePlace } from '../../model/error.ts';
import { errnoOf } from '../conf/conf-reader.ts';
import { systemWords } from '../system-error.ts';

/** A larger file is none of the tree's: manifests and lists are smaller. */
const FILE_MAX_BYTES = 4 * 1024 * 1024;
const LIST_MAX_BYTES = 256 * 1024;

const FOLDER_NAME = /^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,61}[A-Za-z0-9])?$/;
/** The rule behind `isFolderName`, for errors. */
export const FOLDER_NAME_RULE =
  'A name has at most 63 letters, digits, dots and hyphens, since it is also a host name.';

/**
 * Whether a name may be that of a machine's or a group's folder. A machine gets its folder's name as host name by
 * default.
 */
export function isFolderName(name: string): boolean {
  return FOLDER_NAME.test(name);
}

/** The bytes of a file; undefined if there is none, and if it cannot be read, which is an error. */
export function readTreeFile(file: string, errors: MeshError[]): Buffer | undefined {
  try {
    // Without O_NONBLOCK, opening a named pipe would wait for a writer.
    const descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const found = fstatSync(descriptor);
      if (!found.isFile()) throw new Error('it is not a regular file');
      if (found.size > FILE_MAX_BYTES) throw new Error(`it is larger than ${FILE_MAX_BYTES / 1024 / 1024} MiB`);
      return readFileSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT' && !isThere(file)) return undefined;
    errors.push(unreadable(file, cause));
    return undefined;
  }
}

/** Whether there is something at a path, if only a link that leads nowhere. */
export function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** One line of a list, without its comment. */
export interface ListLine {
  readonly text: string;
  readonly place: SourcePlace;
}

/** The lines of a list that are neither empty nor a comment. A missing file counts as an empty list. */
export function readList(file: string, errors: MeshError[]): readonly ListLine[] {
  const bytes = readTreeFile(file, errors);
  if (bytes === undefined) return [];
  if (bytes.length > LIST_MAX_BYTES || bytes.includes(0)) {
    const message = `${file} is not a list, or too long for one`;
    errors.push(new MeshError('MESH_MACHINE_FOLDER', message, { object: file, remedy: 'Put one name on each line.' }));
    return [];
  }
  return bytes
    .toString('utf8')
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .map((line, index) => ({
      text: line.replace(/(?:^|\s)#.*$/, '').trim(),
      place: { file, line: index + 1, column: line.length - line.trimStart().length + 1, text: line },
    }))
    .filter(({ text }) => text !== '');
}

/**
 * The names of the folders in a directory, sorted; links to folders count. Hidden ones are left out: they belong to editors
 * and version control. A name that cannot be a folder's, and a link that leads nowhere, are errors.
 */
export function foldersIn(directory: string, errors: MeshError[]): readonly string[] {
  const names = entriesOf(directory, errors)
    .filter((entry) => !entry.name.startsWith('.') && isFolder(directory, entry, errors))
    .map(({ name }) => name);
  for (const name of names.filter((other) => !isFolderName(other))) {
    errors.push(
      new MeshError('MESH_MACHINE_FOLDER', `${JSON.stringify(name)} cannot be the name of a folder here`, {
        object: join(directory, name),
        rule: FOLDER_NAME_RULE,
        remedy: 'Rename the folder.',
      }),
    );
  }
  return names.filter(isFolderName).sort();
}

/** The names of all entries of a directory, without hidden ones; empty if there is no such directory. */
export function namesIn(directory: string): readonly string[] {
  return entriesOf(directory, []).flatMap(({ name }) => (name.startsWith('.') ? [] : [name]));
}

function entriesOf(directory: string, errors: MeshError[]): readonly Dirent[] {
  try {
    return readdirSync(directory, { withFileTypes: true });
  } catch (cause) {
    if (errnoOf(cause) !== 'ENOENT' || isThere(directory)) errors.push(unreadable(directory, cause));
    return [];
  }
}

function isFolder(directory: string, entry: Dirent, errors: MeshError[]): boolean {
  if (!entry.isSymbolicLink()) return entry.isDirectory();
  const path = join(directory, entry.name);
  try {
    return statSync(path).isDirectory();
  } catch (cause) {
    errors.push(unreadable(path, cause));
    return false;
  }
}

function unreadable(file: string, cause: unknown): MeshError {
  return new MeshError('MESH_MACHINE_FOLDER', `${file} cannot be read: ${systemWords(cause)}`, {
    object: file,
    remedy:
      errnoOf(cause) === 'ENOENT'
        ? 'Look where this symbolic link leads, or remove it.'
        : 'Correct the file or its permissions.',
    cause,
  });
}
