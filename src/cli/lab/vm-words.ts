/** Words of the commands for labs of virtual machines, and what they name. */
import { InvalidArgumentError, Option } from 'commander';
import { roleOfNumber, vmName, vmNumberOf } from '../../lab/topologies/vm-address.ts';
import { VmLab } from '../../lab/vms/vm-lab.ts';
import { MeshError } from '../../model/error.ts';

/** The option that names a lab. */
export interface LabName {
  readonly name: string;
}

/** The option that names a lab; the environment may name it, for hooks. */
export function labNameOption(): Option {
  return new Option('--name <lab>', 'the name of the lab').env('MESH_LAB').default('default');
}

/** A machine by its number or its name: `3`, `003`, `vm-003`. */
export function vmWord(word: string): number {
  const number = /^\d{1,3}$/.test(word) ? Number(word) : vmNumberOf({ hostName: word });
  if (number !== undefined && roleOfNumber(number) !== undefined) return number;
  throw new InvalidArgumentError('It must be the number or the name of a machine, as 1 or vm-001.');
}

/** The same for a list of words, as commander collects them. */
export function vmWords(word: string, before: readonly number[] | undefined): number[] {
  return [...(Array.isArray(before) ? before : []), vmWord(word)];
}

/** Nets as `0,1,2`. */
export function netWords(word: string): number[] {
  const nets = word.split(',').map((text) => (/^\d{1,3}$/.test(text) ? Number(text) : Number.NaN));
  const isWhole = nets.every((net) => net >= 0 && net <= 255) && nets[0] === 0 && new Set(nets).size === nets.length;
  if (isWhole) return nets;
  throw new InvalidArgumentError('It must be numbers from 0 to 255 with commas between them, 0 first: 0,1,2.');
}

/** Whether a word names a machine, and no host. */
export function isVmName(word: string): boolean {
  return vmNumberOf({ hostName: word }) !== undefined;
}

/** A machine of a lab that was started. @throws MESH_OBJECT_UNKNOWN */
export function openVm(name: string, number: number): VmLab {
  const lab = VmLab.open(name);
  if (lab.machines.some((machine) => machine.number === number)) return lab;
  const names = lab.machines.map((machine) => vmName(machine.number)).join(', ');
  throw new MeshError('MESH_OBJECT_UNKNOWN', `the lab ${name} has no machine ${vmName(number)}`, {
    object: vmName(number),
    remedy:
      names === ''
        ? `Start it: \`mesh lab boot ${number}\`.`
        : `Name one of ${names}, or start it: \`mesh lab boot ${number}\`.`,
  });
}
