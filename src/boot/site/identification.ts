/**
 * Which machine asks: the same decision that the node itself would make from its hardware (machine/machine-id.ts), made
 * before it runs. host0 hands the outcome on as `mesh.machine=`, so that both can never disagree.
 */
import { serialFault, swapUuid, uuidFault } from '../../machine/smbios.ts';
import { type MachineId, machineIdOf } from '../../model/machine.ts';
import type { Hardware } from './hardware.ts';

export interface Identification {
  readonly machine: MachineId;
  readonly from: 'product uuid' | 'board serial' | 'boot nic mac';
  /** What the id was derived from. */
  readonly hardware: string;
  /** Why the sources before were passed over, for people. */
  readonly passedOver: readonly string[];
}

/**
 * @param isKnown whether an administrator or an earlier boot has named the id. iPXE and Linux may read one UUID in two
 *   byte orders: the order that is known wins, else the one that iPXE shows, which is what Linux shows for SMBIOS ≥ 2.6
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
