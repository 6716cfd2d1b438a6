/** The whole of `/host0` as overlays: every machine's, or the list of all that is wrong and none. */
import { readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { errnoOf } from '../../formats/conf/conf-reader.ts';
import { nearest } from '../../formats/conf/nearest.ts';
import { readNetworkFiles } from '../../formats/conf/network-files.ts';
import { judgeNetworks, type NetworkFile } from '../../formats/conf/network-set.ts';
import { errorText } from '../../formats/error-text.ts';
import { type Host0Conf, type Host0Settings, readHost0Conf } from '../../formats/host0/host0-conf.ts';
import { type Host0Tree, type MachineFolder, readHost0Tree } from '../../formats/host0/host0-tree.ts';
import { MeshError } from '../../model/error.ts';
import type { MachineId } from '../../model/machine.ts';
import type { Paths } from '../../protocol/documents/paths.ts';
import { addRunlevels } from './alpine.ts';
import { contentHash } from './content-hash.ts';
import { Overlay, type OverlayEntry, type ReadSource } from './overlay.ts';

export interface CompiledMachine {
  readonly machine: MachineId | 'default';
  /** The folder's name. */
  readonly name: string;
  /** Sorted; its own and its groups'. */
  readonly packages: readonly string[];
  /** Absent for a machine with SKIP. */
  readonly overlay?: CompiledOverlay;
}

export interface CompiledOverlay {
  readonly entries: readonly OverlayEntry[];
  /** Hash of all that is in it: two with the same have the same bytes when packed. */
  readonly content: string;
}

export interface Compilation {
  readonly machines: readonly CompiledMachine[];
  /** Every package that some machine may want. */
  readonly packages: readonly string[];
  /** When there is any, nothing of it may be used. */
  readonly errors: readonly MeshError[];
  readonly warnings: readonly MeshError[];
}

export interface CompileInput {
  readonly paths: Paths;
  /** Public keys that may command every node, lines of an `authorized_keys`. */
  readonly authorizedKeys: readonly string[];
}

/** What a program on host0 may sensibly copy to a machine that runs from memory. */
const SOURCE_MAX_BYTES = 64 * 1024 * 1024;

/** Reads and judges all of `/host0`; changes nothing. */
export async function compile({ paths, authorizedKeys }: CompileInput): Promise<Compilation> {
  const tree = readHost0Tree(paths.host0);
  const [conf, { files, errors: fileErrors }] = await Promise.all([
    readHost0Conf(paths.host0Conf),
    readNetworkFiles(paths.host0Networks),
  ]);
  const networks = judgeNetworks(files, []);
  // What cannot be read is there.
  const unknown = fileErrors.length === 0 ? unknownNetworks(conf, files) : [];
  const errors = [...conf.errors, ...unknown, ...fileErrors, ...networks.errors, ...tree.errors];
  const shared = { files: networkFilesFor(conf.settings, files), authorizedKeys, read: sourcesOf(paths) };
  const machines = tree.machines.map((folder) => compileMachine(folder, shared, errors));
  return { machines, packages: allPackages(tree), errors: withoutDoubles(errors), warnings: networks.warnings };
}

interface Shared {
  readonly files: readonly NetworkFile[];
  readonly authorizedKeys: readonly string[];
  readonly read: ReadSource;
}

function compileMachine(folder: MachineFolder, shared: Shared, errors: MeshError[]): CompiledMachine {
  const { machine, name, groups, skip } = folder;
  const packages = sorted([...groups.flatMap((group) => group.packages), ...folder.packages]);
  if (skip) return { machine, name, packages };
  const overlay = new Overlay();
  for (const { file, bytes } of shared.files) overlay.putFile(`var/pxen/networks/${basename(file)}`, bytes);
  for (const { actions } of [...groups, folder]) overlay.run(actions, shared.read);
  if (machine !== 'default' && !overlay.has('etc/hostname')) overlay.putFile('etc/hostname', `${name}\n`);
  addRunlevels(overlay);
  overlay.addLines('etc/apk/world', packages);
  overlay.sortLines('etc/apk/world');
  overlay.addLines('root/.ssh/authorized_keys', shared.authorizedKeys, 0o600);
  errors.push(...overlay.errors);
  const { entries } = overlay;
  return { machine, name, packages, overlay: { entries, content: contentHash(entries) } };
}

/** The networks that every machine takes part in, whatever its manifest says. */
function networkFilesFor(settings: Host0Settings | undefined, files: readonly NetworkFile[]): readonly NetworkFile[] {
  const wanted = settings?.defaultNetworks ?? [];
  return files.filter(({ file }) => wanted.includes(basename(file, '.conf')));
}

/** What `default_networks` names, and nobody has described. */
function unknownNetworks(
  { settings, defaultNetworksPlace: place }: Host0Conf,
  files: readonly NetworkFile[],
): MeshError[] {
  if (settings === undefined || place === undefined) return [];
  const names = files.map(({ file }) => basename(file, '.conf'));
  const unknown = settings.defaultNetworks.filter((name) => !names.includes(name));
  return unknown.map((name) => {
    const meant = nearest(name, names);
    return new MeshError(
      'MESH_HOST0_CONF_INVALID',
      `default_networks names ${name}, and there is no network/${name}.conf`,
      {
        rule: 'A default network is one of the files in network/.',
        remedy: meant === undefined ? `Make network/${name}.conf, or take the name away` : `Put ${meant} in its place`,
        place: { ...place, column: place.text.indexOf(name, place.column - 1) + 1 },
      },
    );
  });
}

/** Each file is read once: a thousand machines share their groups'. */
function sourcesOf({ root, host0 }: Paths): ReadSource {
  const known = new Map<string, ReturnType<ReadSource>>();
  return (path) => {
    if (!known.has(path))
      known.set(path, readSource(path.startsWith('/host0/') ? join(host0, path.slice(7)) : join(root, path)));
    return known.get(path);
  };
}

function readSource(file: string): ReturnType<ReadSource> {
  const refuse = (why: string, remedy: string) =>
    new MeshError('MESH_MANIFEST_SOURCE', `${file} ${why}`, { remedy: `${remedy}.` });
  try {
    const found = statSync(file);
    if (found.isDirectory())
      return refuse('is a directory', 'Give each file in it a line of its own; D makes a directory');
    // Of a pipe or a device there may be no end.
    if (!found.isFile()) return refuse('is not a regular file', 'Name a regular file');
    if (found.size <= SOURCE_MAX_BYTES) return readFileSync(file);
    return refuse(
      `is larger than ${SOURCE_MAX_BYTES / 1024 / 1024} MiB`,
      'Serve it from isos/, or put it into the image',
    );
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return undefined;
    return refuse(`cannot be read: ${MeshError.from(cause).message}`, 'Correct the file or its permissions');
  }
}

function allPackages({ machines, packages }: Host0Tree): readonly string[] {
  const named = machines.flatMap((folder) => [...folder.groups.flatMap((group) => group.packages), ...folder.packages]);
  return sorted([...packages, ...named]);
}

function sorted(names: readonly string[]): readonly string[] {
  return [...new Set(names)].sort();
}

/** A fault of a group is every machine's that has the group; it is told once. */
function withoutDoubles(errors: readonly MeshError[]): readonly MeshError[] {
  return [...new Map(errors.map((error) => [errorText(error, { color: false }), error])).values()];
}
