/**
 * Finds out which machine asks for its boot script. The rule is the one by which a running node finds its own id
 * (machine/machine-id.ts), except where an administrator has told boxes with one UUID apart. host0 passes the result to the
 * node as `mesh.machine=`, so that both always agree.
 */
import { serialFault, swapUuid, uuidFault } from '../../machine/smbios.ts';
import type { Mac } from '../../model/address/mac.ts';
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

/** What host0 knows of ids and cards; the registry of machines implements it. */
export interface KnownIds {
  /** Whether an administrator or an earlier boot has named the id. */
  isKnown(machine: MachineId): boolean;
  /** Whether an administrator has named the id, and the card is one of that machine. */
  isNamedWith(machine: MachineId, mac: Mac): boolean;
  /**
   * The machine that an administrator has named by the MAC of this card, or by that of another card of the same machine;
   * undefined if there is none.
   */
  namedByMac(mac: Mac): MachineId | undefined;
}

/**
 * Derives the machine's id from the best source that it has: product UUID, board serial, MAC.
 *
 * A text that several machines share identifies none. A machine that was adopted before the text was known as shared keeps
 * its id, as long as it boots from its own cards.
 * @param shared further UUIDs and serials that identify no machine, in lower case (`shared_ids` in host0.conf)
 */
export function identifyMachine(
  { uuid, boardSerial, mac }: Hardware,
  known: KnownIds,
  shared: readonly string[] = [],
): Identification {
  const byMac = known.namedByMac(mac);
  if (byMac !== undefined) {
    const passedOver = ['product uuid and board serial: the administrator named the machine by its network card'];
    return { machine: byMac, from: 'boot nic mac', hardware: mac, passedOver };
  }
  const isAdopted = (text: string) => known.isNamedWith(machineIdOf(text), mac);
  const passedOver: string[] = [];
  if (uuid !== undefined) {
    // iPXE and Linux may read one UUID in different byte orders. The order that is known wins; otherwise the one that iPXE
    // shows, which Linux shows, too, for SMBIOS ≥ 2.6.
    const orders = [uuid, swapUuid(uuid)];
    const fault = uuidFault(uuid) ?? (orders.some((order) => shared.includes(order)) ? SHARED : undefined);
    const hardware =
      fault === undefined
        ? (orders.find((order) => known.isKnown(machineIdOf(order))) ?? uuid)
        : orders.find(isAdopted);
    if (hardware !== undefined) return { machine: machineIdOf(hardware), from: 'product uuid', hardware, passedOver };
    passedOver.push(`product uuid: ${fault}`);
  } else passedOver.push('product uuid: not there');
  if (boardSerial !== undefined) {
    const fault = serialFault(boardSerial) ?? (shared.includes(boardSerial.toLowerCase()) ? SHARED : undefined);
    if (fault === undefined || isAdopted(boardSerial)) {
      return { machine: machineIdOf(boardSerial), from: 'board serial', hardware: boardSerial, passedOver };
    }
    passedOver.push(`board serial: ${fault}`);
  } else passedOver.push('board serial: not there');
  return { machine: machineIdOf(mac), from: 'boot nic mac', hardware: mac, passedOver };
}

const SHARED = 'host0.conf says that several machines have it';
