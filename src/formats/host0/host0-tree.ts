/**
 * The part of the administrator's tree on host0 that describes machines:
 *
 *     machines/<name>/UUID       8 hex digits, or `default`
 *                     manifest   the content of the machine's overlay (manifest.ts)
 *                     groups     names of groups, one a line, in the order in which their manifests run
 *                     packages   packages to install, one a line
 *                     flavor     what it boots: debian or alpine (flavor.ts)
 *                     SKIP       no overlay is made
 *     groups/<name>/  manifest, packages, flavor
 *     packages                   further packages for the mirror
 *
 * The tree is read synchronously: for a thousand small files, this takes a tenth of the time.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { MeshError, type SourcePlace } from '../../model/error.ts';
import { isMachineId, type MachineId } from '../../model/machine.ts';
import { nearest } from '../conf/nearest.ts';
import { type Flavor, readFlavor } from './flavor.ts';
import { type ManifestAction, parseManifest } from './manifest.ts';
import { packageFault } from './package-word.ts';
import { foldersIn, isThere, readList, readTreeFile } from './tree-files.ts';
import { unusedNames } from './unused-names.ts';

/** A folder of `groups/`: what all machines of the group get. */
export interface GroupFolder {
  readonly name: string;
  readonly actions: readonly ManifestAction[];
  readonly packages: readonly string[];
  /** Of a group: for its machines that name none themselves. */
  readonly flavor?: Flavor;
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
  /** Names that nothing reads, and groups that are named twice: MESH_MACHINE_FOLDER. */
  readonly warnings: readonly MeshError[];
}

/** Reads the tree in `directory`, which is `/host0` by default. Errors are in the result. */
export function readHost0Tree(directory: string): Host0Tree {
  // If the drive is not mounted, that must be an error: otherwise all machines would seem to be deleted.
  const errors: MeshError[] = existsSync(directory) ? [] : [noHost0Directory(directory)];
  const groups = new Map<string, GroupFolder>();
  for (const name of foldersIn(join(directory, 'groups'), errors)) {
    groups.set(name, readGroup(name, join(directory, 'groups', name), errors));
  }
  const machines: MachineFolder[] = [];
  const warnings: MeshError[] = [];
  const names = foldersIn(join(directory, 'machines'), errors);
  for (const name of names) {
    const folder = readMachine(name, join(directory, 'machines', name), groups, { errors, warnings });
    if (folder !== undefined) machines.push(folder);
  }
  errors.push(...doubles(machines, directory));
  const all = [...groups.values(), ...machines].flatMap(({ actions }) => actions);
  const sources = new Set(all.flatMap((action) => ('source' in action ? [action.source] : [])));
  const unused = (kind: 'machine' | 'group', folder: string) =>
    unusedNames(kind, join(directory, `${kind}s`, folder), `/host0/${kind}s/${folder}`, sources);
  warnings.push(...unusedNames('tree', directory, '/host0', sources));
  warnings.push(...[...groups.keys()].flatMap((name) => unused('group', name)));
  warnings.push(...names.flatMap((name) => unused('machine', name)));
  return { machines, packages: readPackages(join(directory, 'packages'), errors), errors, warnings };
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
  const flavor = readFlavor(join(directory, 'flavor'), errors);
  return {
    name,
    actions: readActions(directory, errors),
    packages: readPackages(join(directory, 'packages'), errors),
    ...(flavor !== undefined && { flavor }),
  };
}

function readMachine(
  name: string,
  directory: string,
  groups: ReadonlyMap<string, GroupFolder>,
  { errors, warnings }: { readonly errors: MeshError[]; readonly warnings: MeshError[] },
): MachineFolder | undefined {
  const machine = readMachineId(join(directory, 'UUID'), errors);
  const folder = readGroup(name, directory, errors);
  const named = new Set<GroupFolder>();
  for (const { text, place } of readList(join(directory, 'groups'), errors)) {
    const group = groups.get(text);
    if (group === undefined) errors.push(unknownGroup(text, place, groups, join(directory, '../../groups', text)));
    else if (named.has(group)) warnings.push(groupTwice(text, place));
    else named.add(group);
  }
  const skip = isThere(join(directory, 'SKIP'));
  return machine === undefined ? undefined : { ...folder, machine, groups: [...named], skip };
}

function readMachineId(file: string, errors: MeshError[]): MachineId | 'default' | undefined {
  const bytes = readTreeFile(file, errors);
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
  const bytes = readTreeFile(file, errors);
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
    const { message, ...fault } = packageFault(text) ?? {};
    if (message === undefined) return text;
    errors.push(new MeshError('MESH_MACHINE_FOLDER', message, { ...fault, place }));
    return [];
  });
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

function groupTwice(name: string, place: SourcePlace): MeshError {
  return new MeshError('MESH_MACHINE_FOLDER', `the group ${name} is named twice`, {
    rule: 'The manifest of a group runs once, at the first place.',
    remedy: 'Remove this line',
    place,
  });
}

function lacks(file: string, rule: string, remedy: string): MeshError {
  return new MeshError('MESH_MACHINE_FOLDER', `there is no ${file}`, { object: file, rule, remedy });
}
