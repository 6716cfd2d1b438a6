/**
 * From which network cards a machine may boot. Everybody on a segment hears the id of a machine in its DHCP requests; the card
 * is what host0's kernel sees at the address that asks.
 */
import type { Mac } from '../../model/address/mac.ts';
import { MeshError } from '../../model/error.ts';
import type { MachineId } from '../../model/machine.ts';

/** A network card that asks to boot as a machine. */
export interface BootClaim {
  readonly machine: MachineId;
  /** The name that the administrator gave to the machine. */
  readonly name?: string;
  readonly mac: Mac;
  /** host0's NIC on the segment of the card. */
  readonly device: string;
}

/** What the machine does now, as far as host0 knows. */
interface Present {
  readonly isOnline: boolean;
  /** The card that the machine is booting from. */
  readonly booting?: Mac;
  readonly record?: { readonly cards: readonly Mac[]; readonly lastBoot?: string };
}

/**
 * Checks that an adopted machine asks from one of its cards.
 * @param cards all cards of the machine; if host0 knows none, the first that asks becomes its card
 * @throws MESH_BOOT_CARD_UNKNOWN
 */
export function mustBeItsCard({ machine, name, mac, device }: BootClaim, cards: readonly Mac[]): void {
  if (cards.length === 0 || cards.includes(mac)) return;
  const known = `${cards.slice(0, 4).join(', ')}${cards.length > 4 ? ' and others' : ''}`;
  throw new MeshError(
    'MESH_BOOT_CARD_UNKNOWN',
    `${mac} on ${device} asks to boot as ${name ?? machine}, whose network cards are ${known}`,
    {
      operation: 'boot machine',
      object: machine,
      rule: 'An adopted machine boots from the network cards that it had when it was adopted, or has reported as a member.',
      remedy:
        `If the card is in ${name ?? machine}: \`mesh node adopt ${machine} --card ${mac}\`. ` +
        `If it is in another machine of yours, which has the same UUID: \`mesh node adopt ${mac} NAME\`, then \`mesh system configure\`. ` +
        `If not, another host on the segment of ${device} pretends to be this machine: take it off the segment.`,
    },
  );
}

/**
 * Checks that no other card boots or lives as the machine, whether or not the card is known.
 * @throws MESH_BOOT_MACHINE_DOUBLE
 */
export function mustBeOneBox({ machine, mac, device }: BootClaim, { isOnline, booting, record }: Present): void {
  const lives = livesAs(mac, isOnline, record);
  const reason = lives ?? (booting !== undefined && booting !== mac && `is booting from the network card ${booting}`);
  if (!reason) return;
  throw new MeshError(
    'MESH_BOOT_MACHINE_DOUBLE',
    `machine ${machine} ${reason}; now ${mac} on ${device} asks as the same machine`,
    {
      operation: 'boot machine',
      object: machine,
      rule: 'Each machine has a hardware id of its own. Two machines have the same id when their manufacturer gave both the same UUID or serial, or when one of them pretends to be the other.',
      remedy:
        `If both are yours, tell this one apart by its network card: \`mesh node adopt ${mac} NAME\`, then \`mesh system configure\`. ` +
        'If it is one machine with another network card, switch it off, wait two minutes, and boot it again.',
    },
  );
}

/** How the machine lives with another card; undefined if it does not, or if it may be this card. */
function livesAs(mac: Mac, isOnline: boolean, record: Present['record']): string | undefined {
  const [last] = record?.cards ?? [];
  // A member that never booted from host0 may have no card in its record.
  if (!isOnline || record === undefined || last === undefined) return undefined;
  // Which card a member lives with is known only from its boot.
  if (record.lastBoot === undefined ? record.cards.includes(mac) : last === mac) return undefined;
  return `is online, with the network card ${last}`;
}
