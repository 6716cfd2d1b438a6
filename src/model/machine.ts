/** Machine ids: 8 hex digits that name a physical box for good, whatever it is called and wherever it is plugged in. */
import { MeshError } from './error.ts';
import { genid } from './genid.ts';

/** 8 lower-case hex digits. */
export type MachineId = string & { readonly __brand: 'MachineId' };

/**
 * What a machine is called inside address derivation: its id, or the literal `host0` for host0, so that every node knows
 * host0's addresses before the first packet and another box can become host0.
 */
export type MachineWord = MachineId | 'host0';

const MACHINE_ID = /^[0-9a-f]{8}$/;

export function isMachineId(text: string): text is MachineId {
  return MACHINE_ID.test(text);
}

/** @throws MESH_MACHINE_INVALID */
export function parseMachineId(text: string): MachineId {
  if (isMachineId(text)) return text;
  throw new MeshError('MESH_MACHINE_INVALID', `${JSON.stringify(text)} is not a machine id`, {
    rule: 'A machine id is 8 lower-case hex digits.',
    remedy: 'Give it as `mesh genid machine 8` prints it, for example 10eff964.',
  });
}

/** The id of the machine whose hardware is known by the text `hardware` (a product UUID, a board serial or a MAC). */
export function machineIdOf(hardware: string): MachineId {
  return genid(['machine', hardware], 8) as MachineId;
}
