/** How many machines each network card claims to be. A card is in one machine; a host that makes up machines has few cards. */
import type { Mac } from '../../model/address/mac.ts';
import type { Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import type { MachineId } from '../../model/machine.ts';

/** A machine has another id after a firmware update that brings a UUID, or when its board was replaced: a few are no attack. */
const IDS_MAX = 4;
const CLAIM_MS = 3_600_000;
/** More cards than this are made up, too; then the number of machines bounds what they claim (machine-registry.ts). */
const CARDS_MAX = 4096;

/** The machine ids that each card has booted as within the last hour. */
export class CardClaims {
  readonly #clock: Clock;
  /** The card that claimed last at the end. */
  readonly #byCard = new Map<Mac, Map<MachineId, number>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @throws MESH_BOOT_CARD_MANY if the card has been too many other machines within an hour */
  check(mac: Mac, machine: MachineId): void {
    const claims = this.#recent(mac);
    if (claims.has(machine) || claims.size < IDS_MAX) return;
    throw new MeshError('MESH_BOOT_CARD_MANY', `${mac} asks to boot as more than ${IDS_MAX} machines within an hour`, {
      operation: 'boot machine',
      object: mac,
      rule: `A network card is in one machine: host0 boots it as at most ${IDS_MAX} machines an hour.`,
      remedy: 'Find the host with this network card, which makes up machines, and take it off the segment.',
    });
  }

  /** Notes that the card boots as the machine. */
  take(mac: Mac, machine: MachineId): void {
    const claims = this.#recent(mac);
    claims.set(machine, this.#clock.nowMs());
    this.#byCard.delete(mac);
    this.#byCard.set(mac, claims);
    const [oldest] = this.#byCard.keys();
    if (this.#byCard.size > CARDS_MAX && oldest !== undefined) this.#byCard.delete(oldest);
  }

  #recent(mac: Mac): Map<MachineId, number> {
    const nowMs = this.#clock.nowMs();
    return new Map([...(this.#byCard.get(mac) ?? [])].filter(([, claimedMs]) => nowMs - claimedMs < CLAIM_MS));
  }
}
