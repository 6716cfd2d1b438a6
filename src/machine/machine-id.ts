/**
 * The machine id: 8 hex digits that stay the same over reboots, and when the machine gets a new name or its cables
 * change. An id that an administrator chose (option, environment, file, kernel command line) is used as it is.
 * Otherwise the id is derived from the hardware.
 */
import { join } from 'node:path';
import type { Mac } from '../model/address/mac.ts';
import { MeshError } from '../model/error.ts';
import { isMachineId, type MachineId, machineIdOf } from '../model/machine.ts';
import { pathsBelow } from '../protocol/documents/paths.ts';
import { serialFault, uuidFault } from './smbios.ts';
import { readSystemFile } from './system-file.ts';

/** The sources of a machine id, in the order in which they are tried. */
type MachineIdSource =
  | 'option'
  | 'environment'
  | 'file'
  | 'command line'
  | 'product uuid'
  | 'board serial'
  | 'boot nic mac'
  | 'lowest mac';

/** A machine id, and where it comes from. */
interface MachineIdentity {
  readonly id: MachineId;
  readonly from: MachineIdSource;
  /** The hardware text that the id was derived from; for a chosen id, the id. */
  readonly hardware: string;
}

/** A NIC with the MAC address that its maker gave it, which `ip link set address` does not change. */
export interface PermanentMac {
  readonly index: number;
  readonly name: string;
  readonly mac: Mac;
}

/** Everything that a machine id can depend on. */
export interface MachineIdInput {
  /** The directory that contains `etc/meshwork/machine`. */
  readonly root: string;
  /** The directory that contains `sys` and `proc`; `/` when absent. */
  readonly sysRoot?: string;
  /** The value of the option `--machine`. */
  readonly override?: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly permanentMacs: readonly PermanentMac[];
}

/** One source that was tried, for `mesh genid machine 8 --explain`. */
export interface MachineIdStep {
  readonly source: MachineIdSource;
  /** The location of the source: a path, a variable, an option. */
  readonly place: string;
  readonly value?: string;
  readonly verdict:
    | { readonly taken: true; readonly id: MachineId }
    | { readonly taken: false; readonly why: string; readonly error?: MeshError };
}

/**
 * The id of this machine.
 * @throws MESH_MACHINE_INVALID for a chosen id that is malformed, MESH_MACHINE_UNREADABLE, MESH_MACHINE_NONE
 */
export function machineId(input: MachineIdInput): MachineIdentity {
  for (const { source, value = '', verdict } of explainMachineId(input)) {
    if (verdict.taken) return { id: verdict.id, from: source, hardware: value };
    if (verdict.error !== undefined) throw verdict.error;
  }
  throw new MeshError('MESH_MACHINE_NONE', 'Nothing identifies this machine', {
    operation: 'identify',
    object: 'this machine',
    rule: 'It has no usable SMBIOS UUID, no board serial, and no NIC with a permanent address.',
    remedy: `Choose 8 hex digits that no other machine has, and write them to ${pathsBelow(input.root).machineFile}.`,
  });
}

/** The sources that were tried, in order, up to the first that gives an id or fails. */
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
  ({ override }) => chosen('option', '--machine', override),
  ({ env }) => chosen('environment', 'MESH_MACHINE', env.MESH_MACHINE || undefined),
  ({ root }) => {
    const place = pathsBelow(root).machineFile;
    return reading('file', place, () => chosen('file', place, readSystemFile(place)));
  },
  (input) => {
    const place = `mesh.machine= in ${commandLinePath(input)}`;
    return reading('command line', place, () => chosen('command line', place, bootOption(input, 'mesh.machine')));
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
        input.permanentMacs.some((nic) => nic.mac === mac) ? undefined : 'no NIC has this permanent address',
      );
    });
  },
  ({ permanentMacs }) => {
    const [lowest] = [...permanentMacs].sort((a, b) => a.index - b.index);
    return derived('lowest mac', lowest?.name ?? 'NICs', lowest?.mac, () => undefined);
  },
];

const ABSENT = { taken: false, why: 'not there' } as const;

/** An administrator chose the id: it is used as it is, and a malformed one is an error, never skipped. */
function chosen(source: MachineIdSource, place: string, value: string | undefined): MachineIdStep {
  if (value === undefined) return { source, place, verdict: ABSENT };
  if (isMachineId(value)) return { source, place, value, verdict: { taken: true, id: value } };
  const error = new MeshError('MESH_MACHINE_INVALID', `${place} says ${JSON.stringify(value.slice(0, 80))}`, {
    operation: 'identify',
    object: place,
    rule: 'A machine id is 8 lower-case hex digits.',
    remedy: 'Write it as `mesh genid machine 8` prints it, for example 10eff964, or remove it.',
  });
  return { source, place, value, verdict: { taken: false, why: 'not 8 lower-case hex digits', error } };
}

/** Derives the id from a hardware text, unless `faultOf` finds that the text identifies no machine. */
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

/** Runs `ask`; an error becomes a step that was not taken. */
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
