/**
 * The part of the administrator's tree on host0 that describes machines:
 *
 *     machines/<name>/UUID       8 hex digits, or `default`
 *                     manifest   the content of the machine's overlay (manifest.ts)
 *                     groups     names of groups, one a line, in the order in which their manifests run
 *                     packages   packages to install, one a line
 *                     SKIP       no overlay is made
 *     groups/<name>/  manifest, packages
 *     packages                   further packages for the mirror
 *
 * The tree is read synchronously: for a thousand small files, this takes a tenth of the time.
 */
import { type Dirent, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MeshError, type SourcePlace } from '../../model/error.ts';
import { isMachineId, type MachineId } from '../../model/machine.ts';
import { errnoOf } from '../conf/conf-reader.ts';
import { nearest } from '../conf/nearest.ts';
import { type ManifestAction, parseManifest } from './manifest.ts';

/** A folder of `groups/`: what all machines of the group get. */
export interface GroupFolder {
  readonly name: string;
  readonly actions: readonly ManifestAction[];
  readonly packages: readonly string[];
}

/** A folder of `machines/`. */
export interface MachineFolder extends GroupFolder {
  /** `default`: the folder is for all machines without one. */
  readonly machine: MachineId | 'default';
  /** In the order in which their manifests run, before the machine's own. */
  readonly groups: readonly GroupFolder[];
  /** Whether the folder has a file SKIP: no overlay is made. */
  readonly skip: boolean;
}

/** The tree, and everything that is wrong in it. */
export interface Host0Tree {
  /** In the order of their names. */
  readonly machines: readonly MachineFolder[];
  /** Packages for the mirror in addition to those of machines and groups. */
  readonly packages: readonly string[];
  readonly errors: readonly MeshError[];
}

const FOLDER_NAME = /^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,61}[A-Za-z0-9])?$/;
/** The rule behind `isFolderName`, for errors. */
export const FOLDER_NAME_RULE =
  'A name has at most 63 letters, digits, dots and hyphens, since it is also a host name.';
/** A package as apk and dpkg accept it: a name, and a version after a comparison. */
const PACKAGE = /^[A-Za-z0-9][A-Za-z0-9+._-]*(?:[<>=~]{1,2}[A-Za-z0-9+._:~-]+)?(?:@[a-z]+)?$/;
const LIST_MAX_BYTES = 256 * 1024;

/** Reads the tree in `directory`, which is `/host0` by default. Errors are in the result. */
export function readHost0Tree(directory: string): Host0Tree {
  // If the drive is not mounted, that must be an error: otherwise all machines would seem to be deleted.
  const errors: MeshError[] = existsSync(directory) ? [] : [noHost0Directory(directory)];
  const groups = new Map<string, GroupFolder>();
  for (const name of foldersIn(join(directory, 'groups'), errors)) {
    groups.set(name, readGroup(name, join(directory, 'groups', name), errors));
  }
  const machines: MachineFolder[] = [];
  for (const name of foldersIn(join(directory, 'machines'), errors)) {
    const folder = readMachine(name, join(directory, 'machines', name), groups, errors);
    if (folder !== undefined) machines.push(folder);
  }
  errors.push(...doubles(machines, directory));
  return { machines, packages: readPackages(join(directory, 'packages'), errors), errors };
}

/** MESH_OBJECT_UNKNOWN: the tree's directory does not exist. */
export function noHost0Directory(directory: string): MeshError {
  return new MeshError('MESH_OBJECT_UNKNOWN', `there is no directory ${directory}`, {
    operation: 'read the tree',
    object: directory,
    rule: 'host0 is described in a directory: /host0, or what --host0-dir or MESH_HOST0_DIR names.',
    remedy: 'See that its drive is mounted; `mesh system init` makes a new one.',
  });
}

function readGroup(name: string, directory: string, errors: MeshError[]): GroupFolder {
  return {
    name,
    actions: readActions(directory, errors),
    packages: readPackages(join(directory, 'packages'), errors),
  };
}

function readMachine(
  name: string,
  directory: string,
  groups: ReadonlyMap<string, GroupFolder>,
  errors: MeshError[],
): MachineFolder | undefined {
  const machine = readMachineId(join(directory, 'UUID'), errors);
  const folder = readGroup(name, directory, errors);
  const named = readList(join(directory, 'groups'), errors).flatMap(({ text, place }) => {
    const group = groups.get(text);
    if (group === undefined) errors.push(unknownGroup(text, place, groups, join(directory, '../../groups', text)));
    return group ?? [];
  });
  const skip = readOptional(join(directory, 'SKIP'), errors) !== undefined;
  return machine === undefined ? undefined : { ...folder, machine, groups: named, skip };
}

function readMachineId(file: string, errors: MeshError[]): MachineId | 'default' | undefined {
  const bytes = readOptional(file, errors);
  const text = bytes?.toString('latin1').trim();
  if (text !== undefined && (text === 'default' || isMachineId(text))) return text;
  const rule = 'Every folder of a machine has a file UUID with its 8 hex digits, or the word default.';
  const [line = ''] = bytes?.toString('utf8').split('\n', 1) ?? [];
  errors.push(
    text === undefined
      ? lacks(file, rule, 'Make it, with the id that `mesh node list` shows.')
      : new MeshError('MESH_MACHINE_FOLDER', `${JSON.stringify(text.slice(0, 40))} is not a machine id`, {
          rule,
          remedy: 'Replace it by the id that `mesh node list` shows, as in 10eff964',
          place: { file, line: 1, column: 1, text: line },
        }),
  );
  return undefined;
}

function readActions(directory: string, errors: MeshError[]): readonly ManifestAction[] {
  const file = join(directory, 'manifest');
  const bytes = readOptional(file, errors);
  if (bytes === undefined) {
    errors.push(lacks(file, 'Every folder of a machine or a group has a manifest.', 'Make an empty one for no files.'));
    return [];
  }
  const { actions, errors: faults } = parseManifest(file, bytes);
  errors.push(...faults);
  return actions;
}

function readPackages(file: string, errors: MeshError[]): readonly string[] {
  return readList(file, errors).flatMap(({ text, place }) => {
    if (PACKAGE.test(text)) return text;
    const rule = 'A line is the name of one package, with a version if need be, as in chrony or linux-lts=6.6.50-r0.';
    errors.push(
      new MeshError('MESH_MACHINE_FOLDER', `${JSON.stringify(text.slice(0, 40))} is not a package`, {
        rule,
        remedy: 'Put one name on each line',
        place,
      }),
    );
    return [];
  });
}

/** The lines of a list that are neither empty nor a comment. A missing file counts as an empty list. */
function readList(file: string, errors: MeshError[]): { text: string; place: SourcePlace }[] {
  const bytes = readOptional(file, errors);
  if (bytes === undefined) return [];
  if (bytes.length > LIST_MAX_BYTES || bytes.includes(0)) {
    const message = `${file} is not a list, or too long for one`;
    errors.push(new MeshError('MESH_MACHINE_FOLDER', message, { object: file, remedy: 'Put one name on each line.' }));
    return [];
  }
  return bytes
    .toString('utf8')
    .split(/\r?\n/)
    .map((line, index) => ({
      text: line.replace(/(?:^|\s)#.*$/, '').trim(),
      place: { file, line: index + 1, column: line.length - line.trimStart().length + 1, text: line },
    }))
    .filter(({ text }) => text !== '');
}

function readOptional(file: string, errors: MeshError[]): Buffer | undefined {
  try {
    return readFileSync(file);
  } catch (cause) {
    if (errnoOf(cause) !== 'ENOENT') errors.push(unreadable(file, cause));
    return undefined;
  }
}

/** The valid names, sorted. Hidden folders are left out: they belong to editors and version control. */
function foldersIn(directory: string, errors: MeshError[]): string[] {
  let entries: Dirent[];
  try {
    entries = readdirSync(directory, { withFileTypes: true });
  } catch (cause) {
    if (errnoOf(cause) !== 'ENOENT') errors.push(unreadable(directory, cause));
    return [];
  }
  const names = entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith('.')).map(({ name }) => name);
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

/**
 * Whether a name may be that of a machine's or a group's folder. A machine gets its folder's name as host name by
 * default.
 */
export function isFolderName(name: string): boolean {
  return FOLDER_NAME.test(name);
}

function doubles(machines: readonly MachineFolder[], directory: string): MeshError[] {
  const first = new Map<string, MachineFolder>();
  return machines.flatMap((folder) => {
    const other = first.get(folder.machine);
    if (other === undefined) {
      first.set(folder.machine, folder);
      return [];
    }
    const file = join(directory, 'machines', folder.name, 'UUID');
    return new MeshError(
      'MESH_MACHINE_TWICE',
      `machine ${folder.machine} has two folders: ${other.name} and ${folder.name}`,
      {
        rule: 'A machine has one folder, and one folder is the default.',
        remedy: 'Remove one of the two, or correct its UUID.',
        place: { file, line: 1, column: 1, text: folder.machine },
      },
    );
  });
}

function unknownGroup(
  name: string,
  place: SourcePlace,
  groups: ReadonlyMap<string, unknown>,
  folder: string,
): MeshError {
  const meant = nearest(name, [...groups.keys()]);
  return new MeshError('MESH_GROUP_UNKNOWN', `there is no group ${JSON.stringify(name.slice(0, 40))}`, {
    rule: 'A group is a folder of /host0/groups.',
    remedy: meant === undefined ? `Make the folder ${folder}, or remove the line` : `Write ${meant}`,
    place,
  });
}

function lacks(file: string, rule: string, remedy: string): MeshError {
  return new MeshError('MESH_MACHINE_FOLDER', `there is no ${file}`, { object: file, rule, remedy });
}

function unreadable(file: string, cause: unknown): MeshError {
  return new MeshError('MESH_MACHINE_FOLDER', `${file} cannot be read: ${MeshError.from(cause).message}`, {
    object: file,
    remedy: 'Correct the file or its permissions.',
    cause,
  });
}
