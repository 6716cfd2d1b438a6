/**
 * The machines that ever booted from host0, known by their hardware: in memory for who asks, in the store for good. What
 * is written is what a boot brings, never anything periodic.
 */
import type { Clock } from '../model/clock.ts';
import { MeshError } from '../model/error.ts';
import { type Mac, parseMac } from '../model/mac.ts';
import { type MachineId, parseMachineId } from '../model/machine.ts';
import type { Inventory } from '../protocol/inventory.ts';
import type { Store } from '../store/store.ts';
import { Turns } from './turns.ts';

const PREFIX = '/v1/machines/';
/** A box has a few cards; what changes its card at each boot is none. */
const CARDS_MAX = 16;

/** What a machine says of itself, in SMBIOS words: `product`, `serial`. */
export type HardwareFacts = Readonly<Record<string, string>>;

export interface MachineRecord {
  readonly machine: MachineId;
  readonly facts: HardwareFacts;
  /** The network cards that it has booted from or has told of, the last one first. */
  readonly cards: readonly Mac[];
  /** ISO 8601, UTC. */
  readonly firstSeen: string;
  /** Absent for a machine that never booted from here: it became a member some other way. */
  readonly lastBoot?: string;
  /** What it told when it was a member. */
  readonly inventory?: Inventory;
}

export interface MachineRegistryInput {
  readonly store: Store;
  readonly clock: Clock;
  /** The names of the machines that have a folder in `/host0/machines`. */
  readonly names: () => ReadonlyMap<MachineId, string>;
  /** Whether a machine of that id is a member of any mesh now. */
  readonly isOnline: (machine: MachineId) => boolean;
}

export class MachineRegistry {
  readonly #input: MachineRegistryInput;
  readonly #records: Map<MachineId, MachineRecord>;
  readonly #turns = new Turns<MachineId>();

  private constructor(input: MachineRegistryInput, records: readonly MachineRecord[]) {
    this.#input = input;
    this.#records = new Map(records.map((record) => [record.machine, record]));
  }

  /** Reads what the store holds; a record that is damaged is left out, and made anew at the machine's next boot. */
  static async open(input: MachineRegistryInput): Promise<MachineRegistry> {
    const { entries } = await input.store.range(PREFIX);
    return new MachineRegistry(
      input,
      entries.flatMap(({ value }) => parseRecord(value) ?? []),
    );
  }

  get machines(): readonly MachineRecord[] {
    return [...this.#records.values()];
  }

  get(machine: MachineId): MachineRecord | undefined {
    return this.#records.get(machine);
  }

  /** Whether an administrator has named it, or it has booted before. */
  isKnown(machine: MachineId): boolean {
    return this.#input.names().has(machine) || this.#records.has(machine);
  }

  /**
   * Notes that it boots from a card.
   * @param bootingAs the card from which a machine of that id is booting at this time
   * @returns the name that the administrator gave it
   * @throws MESH_BOOT_MACHINE_DOUBLE when another box has the id, and lives
   */
  boots(
    machine: MachineId,
    { mac, ...facts }: { readonly mac: Mac },
    bootingAs: Mac | undefined,
  ): Promise<string | undefined> {
    return this.#turns.take(machine, async () => {
      const before = this.#records.get(machine);
      this.#mustBeOneBox(machine, mac, before, bootingAs);
      await this.#keep({
        ...before,
        machine,
        facts,
        cards: [mac, ...(before?.cards ?? []).filter((card) => card !== mac)].slice(0, CARDS_MAX),
        firstSeen: before?.firstSeen ?? this.#now(),
        lastBoot: this.#now(),
      });
      return this.#input.names().get(machine);
    });
  }

  /** A member tells what its machine is made of: it may boot from any of its cards. */
  takeInventory(machine: MachineId, inventory: Inventory): Promise<void> {
    return this.#turns.take(machine, async () => {
      const before = this.#records.get(machine) ?? { machine, facts: {}, cards: [], firstSeen: this.#now() };
      const record = { ...before, inventory, cards: withCards(before.cards, inventory) };
      if (JSON.stringify(record) !== JSON.stringify(this.#records.get(machine))) await this.#keep(record);
    });
  }

  /** Forgets a box that is gone for good. */
  forget(machine: MachineId): Promise<void> {
    return this.#turns.take(machine, async () => {
      await this.#input.store.txn([], [{ delete: PREFIX + machine }]);
      this.#records.delete(machine);
    });
  }

  #mustBeOneBox(machine: MachineId, mac: Mac, before: MachineRecord | undefined, bootingAs: Mac | undefined): void {
    // A member that never booted from here may have told of no card.
    if (before === undefined || before.cards.length === 0 || before.cards.includes(mac)) return;
    const lives = this.#input.isOnline(machine)
      ? `is online, with the network card ${before.cards[0]}`
      : bootingAs !== undefined && `is booting from the network card ${bootingAs}`;
    if (lives === false) return;
    throw new MeshError(
      'MESH_BOOT_MACHINE_DOUBLE',
      `machine ${machine} ${lives}; now ${mac} asks as the same machine`,
      {
        operation: 'boot machine',
        object: machine,
        rule: 'The hardware id of a machine is its own. Two boxes have one when their maker gave both one UUID or serial.',
        remedy:
          'Give one of them a UUID of its own in its firmware setup. ' +
          'If it is one box with another card, switch it off, wait two minutes, and boot it again.',
      },
    );
  }

  async #keep(record: MachineRecord): Promise<void> {
    await this.#input.store.txn([], [{ put: PREFIX + record.machine, value: JSON.stringify(record) }]);
    this.#records.set(record.machine, record);
  }

  #now(): string {
    return this.#input.clock.wallTime().toISOString();
  }
}

function withCards(cards: readonly Mac[], { nics }: Inventory): readonly Mac[] {
  return [...new Set([...cards, ...nics.map(({ mac }) => mac)])].slice(0, CARDS_MAX);
}

function parseRecord(value: string): MachineRecord | undefined {
  try {
    const document = JSON.parse(value) as Readonly<Record<string, unknown>>;
    const { machine, facts, cards, firstSeen, lastBoot, inventory } = document;
    if (!Array.isArray(cards)) return undefined;
    return {
      machine: parseMachineId(String(machine)),
      facts: Object.fromEntries(Object.entries(Object(facts)).map(([key, fact]) => [key, String(fact)])),
      cards: cards.map((card) => parseMac(String(card))),
      firstSeen: String(firstSeen),
      ...(lastBoot !== undefined && { lastBoot: String(lastBoot) }),
      // It was checked when it came in.
      ...(inventory !== undefined && { inventory: inventory as Inventory }),
    };
  } catch {
    return undefined;
  }
}
