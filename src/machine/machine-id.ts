/**
 * Who this machine is: 8 hex digits that stay the same over reboots, new names and other sockets. Somebody's decision
 * (option, environment, file, kernel command line) is taken as it is; otherwise the id is derived from the hardware.
 */
import { join } from 'node:path';
import type { Mac } from '../model/address/mac.ts';
import { MeshError } from '../model/error.ts';
import { isMachineId, type MachineId, machineIdOf } from '../model/machine.ts';
import { pathsBelow } from '../protocol/documents/paths.ts';
import { serialFault, uuidFault } from './smbios.ts';
import { readSystemFile } from './system-file.ts';

/** In the order in which they are asked. */
export type MachineIdSource =
  | 'option'
  | 'environment'
  | 'file'
  | 'command line'
  | 'product uuid'
  | 'board serial'
  | 'boot nic mac'
  | 'lowest mac';

export interface MachineIdentity {
  readonly id: MachineId;
  readonly from: MachineIdSource;
  /** What the id was derived from, or the id itself when somebody decided it. */
  readonly hardware: string;
}

/** An Ethernet port with the address that its maker gave it, which no `ip link set address` changes. */
export interface PermanentMac {
  readonly index: number;
  readonly name: string;
  readonly mac: Mac;
}

export interface MachineIdInput {
  /** Below it is `etc/meshwork/machine`. */
  readonly root: string;
  /** Below it are `sys` and `proc`. */
  readonly sysRoot?: string;
  /** `--machine`. */
  readonly override?: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly permanentMacs: readonly PermanentMac[];
}

/** One source that was asked, for `mesh genid machine 8 --explain`. */
export interface MachineIdStep {
  readonly source: MachineIdSource;
  /** Where the source is: a path, a variable, an option. */
  readonly place: string;
  readonly value?: string;
  readonly verdict:
    | { readonly taken: true; readonly id: MachineId }
    | { readonly taken: false; readonly why: string; readonly error?: MeshError };
}

/**
 * @throws MESH_MACHINE_INVALID for a decided id that is not one, MESH_MACHINE_UNREADABLE, MESH_MACHINE_NONE
 */
export function machineId(input: MachineIdInput): MachineIdentity {
  for (const { source, value = '', verdict } of explainMachineId(input)) {
    if (verdict.taken) return { id: verdict.id, from: source, hardware: value };
    if (verdict.error !== undefined) throw verdict.error;
  }
  throw new MeshError('MESH_MACHINE_NONE', 'Nothing identifies this machine', {
    operation: 'identify',
    object: 'this machine',
    rule: 'It has no usable SMBIOS UUID, no board serial, and no network port with a permanent address.',
    remedy: `Choose 8 hex digits that no other machine has, and write them to ${pathsBelow(input.root).machineFile}.`,
  });
}

/** The sources in order, up to the first that applies or fails. */
export function explainMachineId(input: MachineIdInput): MachineIdStep[] {
  const steps: MachineIdStep[] = [];
  for (const ask of SOURCES) {
    const step = ask(input);
    steps.push(step);
    if (step.verdict.taken || step.verdict.error !== undefined) break;
  }
  return steps;
}

const SOURCES: readonly ((input: MachineIdInput) => MachineIdStep)[] = [
  ({ override }) => decided('option', '--machine', override),
  ({ env }) => decided('environment', 'MESH_MACHINE', env.MESH_MACHINE || undefined),
  ({ root }) => {
    const place = pathsBelow(root).machineFile;
    return reading('file', place, () => decided('file', place, readSystemFile(place)));
  },
  (input) => {
    const place = `mesh.machine= in ${commandLinePath(input)}`;
    return reading('command line', place, () => decided('command line', place, bootOption(input, 'mesh.machine')));
  },
  (input) => {
    const place = dmiPath(input, 'product_uuid');
    return reading('product uuid', place, () =>
      derived('product uuid', place, readSystemFile(place)?.toLowerCase(), uuidFault),
    );
  },
  (input) => {
    const place = dmiPath(input, 'board_serial');
    return reading('board serial', place, () => derived('board serial', place, readSystemFile(place), serialFault));
  },
  (input) => {
    const place = `BOOTIF= in ${commandLinePath(input)}`;
    return reading('boot nic mac', place, () => {
      const mac = bootNicMac(bootOption(input, 'BOOTIF'));
      return derived('boot nic mac', place, mac, () =>
        input.permanentMacs.some((port) => port.mac === mac) ? undefined : 'no port has this permanent address',
      );
    });
  },
  ({ permanentMacs }) => {
    const [lowest] = [...permanentMacs].sort((a, b) => a.index - b.index);
    return derived('lowest mac', lowest?.name ?? 'network ports', lowest?.mac, () => undefined);
  },
];

const ABSENT = { taken: false, why: 'not there' } as const;

/** Somebody chose the id: it is used as it is, and a bad one is never passed over. */
function decided(source: MachineIdSource, place: string, value: string | undefined): MachineIdStep {
  if (value === undefined) return { source, place, verdict: ABSENT };
  if (isMachineId(value)) return { source, place, value, verdict: { taken: true, id: value } };
  const error = new MeshError('MESH_MACHINE_INVALID', `${place} says ${JSON.stringify(value.slice(0, 80))}`, {
    operation: 'identify',
    object: place,
    rule: 'A machine id is 8 lower-case hex digits.',
    remedy: 'Give it as `mesh genid machine 8` prints it, for example 10eff964, or take it away.',
  });
  return { source, place, value, verdict: { taken: false, why: 'not 8 lower-case hex digits', error } };
}

/** The id follows from what the hardware says, unless `faultOf` finds that it says nothing. */
function derived(
  source: MachineIdSource,
  place: string,
  value: string | undefined,
  faultOf: (value: string) => string | undefined,
): MachineIdStep {
  if (value === undefined) return { source, place, verdict: ABSENT };
  const why = faultOf(value);
  if (why !== undefined) return { source, place, value, verdict: { taken: false, why } };
  return { source, place, value, verdict: { taken: true, id: machineIdOf(value) } };
}

function reading(source: MachineIdSource, place: string, ask: () => MachineIdStep): MachineIdStep {
  try {
    return ask();
  } catch (thrown) {
    const error = MeshError.from(thrown);
    return { source, place, verdict: { taken: false, why: error.message, error } };
  }
}

function dmiPath({ sysRoot = '/' }: MachineIdInput, attribute: string): string {
  return join(sysRoot, 'sys/class/dmi/id', attribute);
}

function commandLinePath({ sysRoot = '/' }: MachineIdInput): string {
  return join(sysRoot, 'proc/cmdline');
}

/** The value of `name=value` on the kernel command line; the last one wins, as in the kernel. */
function bootOption(input: MachineIdInput, name: string): string | undefined {
  const words = readSystemFile(commandLinePath(input))?.split(/\s+/) ?? [];
  return words.findLast((word) => word.startsWith(`${name}=`))?.slice(name.length + 1);
}

/** PXE boot loaders write hardware type and address with dashes: `01-aa-bb-cc-dd-ee-ff`, where 01 is Ethernet. */
function bootNicMac(bootIf: string | undefined): string | undefined {
  return bootIf?.toLowerCase().replace(/^01-/, '').replaceAll('-', ':');
}
