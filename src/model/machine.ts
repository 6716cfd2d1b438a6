/** Machine ids: 8 hex digits that identify a physical machine for good, under any host name and on any segment. */
import { MeshError } from './error.ts';
import { genid } from './genid.ts';

/** 8 lower-case hex digits. */
export type MachineId = string & { readonly __brand: 'MachineId' };

/**
 * A machine in address derivation: its id, or the literal `host0` for host0. So every node knows host0's addresses before
 * the first packet, and another machine can become host0.
 */
export type MachineWord = MachineId | 'host0';

const MACHINE_ID = /^[0-9a-f]{8}$/;

/** Whether a text is 8 lower-case hex digits. */
export function isMachineId(text: string): text is MachineId {
  return MACHINE_ID.test(text);
}

/** Whether a text is a machine id, or the word of host0. */
export function isMachineWord(text: string): text is MachineWord {
  return text === 'host0' || isMachineId(text);
}

/**
 * A machine id from text.
 * @throws MESH_MACHINE_INVALID
 */
export function parseMachineId(text: string): MachineId {
  if (isMachineId(text)) return text;
  throw new MeshError('MESH_MACHINE_INVALID', `${JSON.stringify(text)} is not a machine id`, {
    rule: 'A machine id is 8 lower-case hex digits.',
    remedy: 'Give it as `mesh genid machine 8` prints it, for example 10eff964.',
  });
}

/** The id of the machine that the text `hardware` identifies: a product UUID, a board serial or a MAC. */
export function machineIdOf(hardware: string): MachineId {
  return genid(['machine', hardware], 8) as MachineId;
}
