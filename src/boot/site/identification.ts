/**
 * Finds out which machine asks for its boot script. The rule is the one by which a running node finds its own id
 * (machine/machine-id.ts). host0 passes the result to the node as `mesh.machine=`, so that both always agree.
 */
import { serialFault, swapUuid, uuidFault } from '../../machine/smbios.ts';
import { type MachineId, machineIdOf } from '../../model/machine.ts';
import type { Hardware } from './hardware.ts';

/** The id of a machine, and where it comes from. */
export interface Identification {
  readonly machine: MachineId;
  readonly from: 'product uuid' | 'board serial' | 'boot nic mac';
  /** The value from which the id is derived. */
  readonly hardware: string;
  /** Why the better sources were not used, as text for people. */
  readonly passedOver: readonly string[];
}

/**
 * Derives the machine's id from the best source that it has: product UUID, board serial, MAC.
 * @param isKnown whether an administrator or an earlier boot has named the id. iPXE and Linux may read the same UUID in
 *   different byte orders. The order whose id is known wins; otherwise the one that iPXE shows, which Linux shows, too, for
 *   SMBIOS ≥ 2.6
 */
export function identifyMachine(
  { uuid, boardSerial, mac }: Hardware,
  isKnown: (machine: MachineId) => boolean,
): Identification {
  const passedOver: string[] = [];
  const uuidWrong = uuid === undefined ? 'not there' : uuidFault(uuid);
  if (uuid !== undefined && uuidWrong === undefined) {
    const orders = [uuid, swapUuid(uuid)];
    const hardware = orders.find((order) => isKnown(machineIdOf(order))) ?? uuid;
    return { machine: machineIdOf(hardware), from: 'product uuid', hardware, passedOver };
  }
  passedOver.push(`product uuid: ${uuidWrong}`);
  const serialWrong = boardSerial === undefined ? 'not there' : serialFault(boardSerial);
  if (boardSerial !== undefined && serialWrong === undefined) {
    return { machine: machineIdOf(boardSerial), from: 'board serial', hardware: boardSerial, passedOver };
  }
  passedOver.push(`board serial: ${serialWrong}`);
  return { machine: machineIdOf(mac), from: 'boot nic mac', hardware: mac, passedOver };
}
