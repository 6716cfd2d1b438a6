/** Compiles `/host0` into overlays: one for every machine, or a list of all faults and nothing to use. */
import { basename, join } from 'node:path';
import { nearest } from '../../formats/conf/nearest.ts';
import { readNetworkFiles } from '../../formats/conf/network-files.ts';
import { judgeNetworkFiles, type NetworkFile } from '../../formats/conf/network-set.ts';
import { errorText } from '../../formats/error-text.ts';
import { deviceWarnings } from '../../formats/host0/device-warnings.ts';
import type { Flavor } from '../../formats/host0/flavor.ts';
import { type Host0Conf, type Host0Settings, readHost0Conf } from '../../formats/host0/host0-conf.ts';
import { type Host0Tree, type MachineFolder, readHost0Tree } from '../../formats/host0/host0-tree.ts';
import { MeshError } from '../../model/error.ts';
import type { MachineId } from '../../model/machine.ts';
import type { Paths } from '../../protocol/documents/paths.ts';
import type { PublicKeyFile } from '../mirror-key.ts';
import { addMirrorKey, addRunlevels, completeWorld, worldFaults, worldWords } from './alpine.ts';
import { addAlpineSystem, alpinePackages } from './alpine-system.ts';
import { contentHash } from './content-hash.ts';
import { HostNames } from './host-names.ts';
import { accessFaults } from './host0-access.ts';
import { Overlay, type OverlayEntry, type ReadSource } from './overlay.ts';
import { setuidWarnings } from './setuid-warning.ts';
import { sourcesOf } from './source-files.ts';

/** What one folder of `/host0/machines` compiles to. */
export interface CompiledMachine {
  /** `default` for the folder that serves all machines without one. */
  readonly machine: MachineId | 'default';
  /** The folder's name. */
  readonly name: string;
  /** What it boots, if its folder, a group or host0.conf says so. */
  readonly flavor?: Flavor;
  /** The machine's packages and those of its groups, sorted. */
  readonly packages: readonly string[];
  /** Absent for a machine with SKIP. */
  readonly overlay?: CompiledOverlay;
}

/** The files of one machine, not yet packed. */
export interface CompiledOverlay {
  readonly entries: readonly OverlayEntry[];
  /** Hash of the entries (content-hash.ts): overlays with the same hash pack to the same bytes. */
  readonly content: string;
}

/** The result for the whole of `/host0`. */
export interface Compilation {
  readonly machines: readonly CompiledMachine[];
  /** Every package that `/host0`, a group or a machine names, sorted: what the mirror must hold. */
  readonly packages: readonly string[];
  /** All faults of the tree. If there is one, none of the overlays may be used. */
  readonly errors: readonly MeshError[];
  readonly warnings: readonly MeshError[];
}

/** What `compile` reads. */
export interface CompileInput {
  readonly paths: Paths;
  /** Public keys that may command every node, one line of an `authorized_keys` each. */
  readonly authorizedKeys: readonly string[];
  /** The key with which host0 signs its mirror, so that machines take packages from it; absent while there is no mirror. */
  readonly mirrorKey?: PublicKeyFile | undefined;
  /** The names of this machine's network devices, if it is host0: host0.conf may name others. */
  readonly devices?: readonly string[];
}

/** Reads and checks all of `/host0`; writes nothing. Faults are in the result, none is thrown. */
export async function compile({ paths, authorizedKeys, mirrorKey, devices }: CompileInput): Promise<Compilation> {
  const tree = readHost0Tree(paths.host0);
  const [conf, { files, errors: fileErrors }] = await Promise.all([
    readHost0Conf(paths.host0Conf),
    readNetworkFiles(paths.host0Networks),
  ]);
  const networks = judgeNetworkFiles(files);
  // A network file that cannot be read exists; its network must not be called unknown.
  const unknown = fileErrors.length === 0 ? unknownNetworks(conf, files) : [];
  const errors = [...conf.errors, ...unknown, ...fileErrors, ...networks.errors, ...tree.errors];
  const warnings = [...networks.warnings, ...tree.warnings];
  const shared: Shared = {
    files: networkFilesFor(conf.settings, files),
    authorizedKeys,
    mirrorKey,
    read: sourcesOf(paths),
    names: new HostNames(),
    flavor: conf.settings?.flavor,
    folders: join(paths.host0, 'machines'),
    errors,
    warnings,
  };
  const machines = tree.machines.map((folder) => compileMachine(folder, shared));
  const actions = tree.machines.flatMap((folder) => [...folder.groups, folder].flatMap((each) => each.actions));
  if (devices !== undefined) warnings.push(...deviceWarnings(conf, devices));
  warnings.push(...setuidWarnings(actions));
  errors.push(...worldFaults(actions, shared.read));
  return {
    machines,
    packages: allPackages(tree),
    errors: withoutDoubles(errors),
    warnings: withoutDoubles(warnings),
  };
}

interface Shared {
  /** The network files that every machine gets. */
  readonly files: readonly NetworkFile[];
  readonly authorizedKeys: readonly string[];
  readonly mirrorKey: PublicKeyFile | undefined;
  readonly read: ReadSource;
  readonly names: HostNames;
  /** Of machines that name none. */
  readonly flavor: Flavor | undefined;
  /** The directory `machines`, for errors. */
  readonly folders: string;
  readonly errors: MeshError[];
  readonly warnings: MeshError[];
}

function compileMachine(folder: MachineFolder, shared: Shared): CompiledMachine {
  const { machine, name, groups, skip } = folder;
  const { errors } = shared;
  const packages = sorted([...groups.flatMap((group) => group.packages), ...folder.packages]);
  const flavor = flavorOf(folder) ?? shared.flavor;
  const about = { machine, name, packages, ...(flavor !== undefined && { flavor }) };
  if (skip) return about;
  const overlay = new Overlay();
  for (const { file, bytes } of shared.files) overlay.putFile(`var/pxen/networks/${basename(file)}`, bytes);
  for (const { actions } of [...groups, folder]) overlay.run(actions, shared.read);
  const accessErrors = accessFaults(overlay, shared.files);
  if (machine !== 'default' && !overlay.has('etc/hostname')) overlay.putFile('etc/hostname', `${name}\n`);
  addRunlevels(overlay);
  if (flavor === 'alpine') addAlpineSystem(overlay, [...packages, ...worldWords(overlay)]);
  completeWorld(overlay, flavor === 'alpine' ? alpinePackages([...packages, ...worldWords(overlay)]) : packages);
  if (shared.mirrorKey !== undefined) addMirrorKey(overlay, shared.mirrorKey);
  overlay.addLines('root/.ssh/authorized_keys', shared.authorizedKeys, 0o600);
  const { entries } = overlay;
  const nameFault = shared.names.faultOf(overlay, folder, join(shared.folders, name));
  errors.push(...overlay.errors, ...accessErrors, ...(nameFault === undefined ? [] : [nameFault]));
  shared.warnings.push(...overlay.warnings);
  return { ...about, overlay: { entries, content: contentHash(entries) } };
}

/** A machine's own flavor, or that of its last group which has one. */
function flavorOf({ flavor, groups }: MachineFolder): Flavor | undefined {
  return flavor ?? groups.findLast((group) => group.flavor !== undefined)?.flavor;
}

/** The files of `default_networks`: every machine takes part in these networks. */
function networkFilesFor(settings: Host0Settings | undefined, files: readonly NetworkFile[]): readonly NetworkFile[] {
  const wanted = settings?.defaultNetworks ?? [];
  return files.filter(({ file }) => wanted.includes(basename(file, '.conf')));
}

/** An error for each name in `default_networks` that has no file. */
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

function allPackages({ machines, packages }: Host0Tree): readonly string[] {
  const named = machines.flatMap((folder) => [...folder.groups.flatMap((group) => group.packages), ...folder.packages]);
  return sorted([...packages, ...named]);
}

function sorted(names: readonly string[]): readonly string[] {
  return [...new Set(names)].sort();
}

/** Reports a fault once, although every machine of a faulty group has it. */
function withoutDoubles(errors: readonly MeshError[]): readonly MeshError[] {
  return [...new Map(errors.map((error) => [errorText(error, { color: false }), error])).values()];
}
