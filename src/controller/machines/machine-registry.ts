/**
 * The machines that have booted from host0 or have been members, by machine id: in memory for queries, in the store for
 * good. A boot or a changed inventory is written, and nothing periodic.
 *
 * Any sender on a boot segment can make up machines, so their number is bounded. When there are too many, host0 forgets
 * machines that no administrator has adopted and that are neither online nor booting: the oldest first, and machines that
 * have been members only when there are no others.
 */

import { isDeepStrictEqual } from 'node:util';
import { type Mac, parseMac } from '../../model/address/mac.ts';
import type { Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import { type MachineId, parseMachineId } from '../../model/machine.ts';
import type { Finding } from '../../protocol/documents/finding.ts';
import type { Inventory } from '../../protocol/documents/inventory.ts';
import { findingEvent } from '../../protocol/journal/finding-event.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import type { Store } from '../../store/store.ts';
import { KeyedMutex } from '../membership/keyed-mutex.ts';

const PREFIX = '/v1/machines/';
/** The most network cards that are kept for a machine. A real one has a few; one with a new card at each boot is a fake. */
const CARDS_MAX = 16;
/** The most machines that host0 knows, a dozen racks; more only while all of them are adopted, online or booting. */
export const MACHINES_MAX = 4096;
/** How long it is a finding that machines were forgotten. */
const FORGETTING_MS = 3_600_000;

/** What a machine says about its hardware, by SMBIOS name: `product`, `serial`. */
export type HardwareTexts = Readonly<Record<string, string>>;

/** A machine as the store keeps it, under `/v1/machines/<machine id>`. */
export interface MachineRecord {
  readonly machine: MachineId;
  /** What the machine said when it booted from host0. */
  readonly facts: HardwareTexts;
  /** The network cards that the machine has booted from, the last one first, and those of its inventory. */
  readonly cards: readonly Mac[];
  /** ISO 8601, UTC. */
  readonly firstSeen: string;
  /** ISO 8601, UTC. Absent for a machine that never booted from host0, and became a member in another way. */
  readonly lastBoot?: string;
  /** What the machine's agent reported when the machine was a member. */
  readonly inventory?: Inventory;
}

/** What the registry asks other parts of host0. */
export interface MachineRegistryInput {
  readonly store: Store;
  readonly clock: Clock;
  readonly journal: Journal;
  /** The names of the machines that have a folder in `/host0/machines`. */
  readonly names: () => ReadonlyMap<MachineId, string>;
  /** Whether the machine is a member of any mesh now. */
  readonly isOnline: (machine: MachineId) => boolean;
  /** The card that the machine is booting from now. */
  readonly bootingAs: (machine: MachineId) => Mac | undefined;
  /** Removes everything else that is kept for a forgotten machine. */
  readonly onForget: (machine: MachineId) => Promise<void>;
}

const TOO_MANY: Finding = {
  code: 'MESH_BOOT_MACHINES_MANY',
  severity: 'warning',
  object: 'machines',
  message: `more than ${MACHINES_MAX} machines ask to boot: host0 forgets the oldest machines that are not adopted`,
  remedy:
    'Adopt the machines that are yours (`mesh node adopt ID NAME`). If there are not so many, a host on a boot segment ' +
    'makes them up: `mesh node list` shows the segment of each.',
};

/** Knows the machines, and writes them to the store. */
export class MachineRegistry {
  readonly #input: MachineRegistryInput;
  /** In the order in which the machines were seen last. */
  readonly #records = new Map<MachineId, MachineRecord>();
  readonly #byCard = new Map<Mac, MachineRecord>();
  readonly #mutex = new KeyedMutex<MachineId>();
  /** Whether the last write failed, and the journal has it. */
  #refused = false;
  #forgotMs: number | undefined;

  private constructor(input: MachineRegistryInput, records: readonly MachineRecord[]) {
    this.#input = input;
    for (const record of records) this.#put(record);
  }

  /** Reads the records from the store. A damaged record is left out, and written again at the machine's next boot. */
  static async open(input: MachineRegistryInput): Promise<MachineRegistry> {
    const { entries } = await input.store.range(PREFIX);
    const records = entries.flatMap(({ value }) => parseRecord(value) ?? []);
    const seen = ({ firstSeen, lastBoot = firstSeen }: MachineRecord) => lastBoot;
    return new MachineRegistry(
      input,
      records.sort((a, b) => (seen(a) < seen(b) ? -1 : 1)),
    );
  }

  get machines(): readonly MachineRecord[] {
    return [...this.#records.values()];
  }

  /** The machine that a card belongs to: the last one that booted from it or had it in its inventory. */
  byCard(mac: Mac): MachineRecord | undefined {
    return this.#byCard.get(mac);
  }

  /** Whether the machine has a name, or has booted or been a member before. */
  isKnown(machine: MachineId): boolean {
    return this.#input.names().has(machine) || this.#records.has(machine);
  }

  /**
   * Notes that the machine boots from a card.
   * @returns the name that the administrator gave to the machine, if any
   * @throws MESH_BOOT_MACHINE_DOUBLE when another physical machine with the same id is online or booting
   */
  boots(machine: MachineId, { mac, ...facts }: { readonly mac: Mac }): Promise<string | undefined> {
    return this.#mutex.take(machine, async () => {
      const before = this.#records.get(machine);
      this.#mustBeOneBox(machine, mac, before);
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

  /** Takes the inventory that a member reports. The machine may then boot from any card in it. */
  takeInventory(machine: MachineId, inventory: Inventory): Promise<void> {
    return this.#mutex.take(machine, async () => {
      const before = this.#records.get(machine) ?? { machine, facts: {}, cards: [], firstSeen: this.#now() };
      const record = { ...before, inventory, cards: withCards(before.cards, inventory) };
      if (!isDeepStrictEqual(record, this.#records.get(machine))) await this.#keep(record);
    });
  }

  /**
   * Runs `work` for a known machine, which is not forgotten meanwhile.
   * @throws MESH_BOOT_SECRET_REFUSED when the machine is not known any more
   */
  whileKnown<T>(machine: MachineId, work: () => Promise<T>): Promise<T> {
    return this.#mutex.take(machine, () => {
      if (this.#records.has(machine)) return work();
      throw new MeshError('MESH_BOOT_SECRET_REFUSED', `machine ${machine} has been forgotten since it asked to boot`, {
        operation: 'serve secrets',
        object: machine,
        rule: `host0 knows at most ${MACHINES_MAX} machines, and forgets the oldest that are not adopted.`,
        remedy: `Boot it again, or name it first: \`mesh node adopt ${machine} NAME\`.`,
      });
    });
  }

  /** A finding for an hour after machines were forgotten. */
  health(): readonly Finding[] {
    if (this.#forgotMs === undefined || this.#input.clock.nowMs() - this.#forgotMs > FORGETTING_MS) return [];
    return [TOO_MANY];
  }

  /** Forgets machines until there are few enough. The store is not waited for. */
  #makeRoomFor(newcomer: MachineId): void {
    while (this.#records.size > MACHINES_MAX) {
      const oldest =
        this.#oldestUnused(({ machine, inventory }) => machine !== newcomer && inventory === undefined) ??
        this.#oldestUnused(({ machine }) => machine !== newcomer);
      if (oldest === undefined) return;
      this.#drop(oldest);
      if (this.health().length === 0) {
        this.#input.journal.record(findingEvent('machines forgotten', TOO_MANY));
      }
      this.#forgotMs = this.#input.clock.nowMs();
      void this.#forget(oldest);
    }
  }

  /** The oldest machine that is neither adopted nor booting nor online. */
  #oldestUnused(isOne: (record: MachineRecord) => boolean): MachineId | undefined {
    const { names, isOnline, bootingAs } = this.#input;
    for (const [machine, record] of this.#records) {
      if (!isOne(record) || names().has(machine) || bootingAs(machine) !== undefined || isOnline(machine)) continue;
      return machine;
    }
    return undefined;
  }

  #forget(machine: MachineId): Promise<void> {
    return this.#mutex.take(machine, async () => {
      // The machine has booted again meanwhile.
      if (this.#records.has(machine)) return;
      const { store, onForget } = this.#input;
      await onForget(machine);
      // If the disk refuses this, the record is back at the next start of host0, and is forgotten again then.
      await store.txn([], [{ delete: PREFIX + machine }]).catch(() => undefined);
    });
  }

  #put(record: MachineRecord): void {
    this.#drop(record.machine);
    this.#records.set(record.machine, record);
    for (const card of record.cards) this.#byCard.set(card, record);
  }

  #drop(machine: MachineId): void {
    const record = this.#records.get(machine);
    this.#records.delete(machine);
    for (const card of record?.cards ?? []) if (this.#byCard.get(card) === record) this.#byCard.delete(card);
  }

  #mustBeOneBox(machine: MachineId, mac: Mac, before: MachineRecord | undefined): void {
    // A member that never booted from host0 may have no card in its record.
    if (before === undefined || before.cards.length === 0 || before.cards.includes(mac)) return;
    const bootingAs = this.#input.bootingAs(machine);
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
        rule: 'Each machine has a hardware id of its own. Two machines have the same id when their manufacturer gave both the same UUID or serial.',
        remedy:
          'Give one of them a UUID of its own in its firmware setup. ' +
          'If it is one machine with another network card, switch it off, wait two minutes, and boot it again.',
      },
    );
  }

  /**
   * With a full disk, machines still boot: the record is in memory until this process ends, and is written at the next
   * boot.
   */
  async #keep(record: MachineRecord): Promise<void> {
    const { store, journal } = this.#input;
    const { machine } = record;
    this.#put(record);
    this.#makeRoomFor(machine);
    try {
      await store.txn([], [{ put: PREFIX + machine, value: JSON.stringify(record) }]);
      this.#refused = false;
    } catch (thrown) {
      if (this.#refused) return;
      this.#refused = true;
      const { code, message } = MeshError.from(thrown);
      const remedy = 'Make room on the disk; until then, only host0’s running daemon knows of new machines.';
      journal.record({ level: 'warning', kind: 'machine not recorded', message, object: machine, code, remedy });
    }
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
      // The inventory was checked when it was received.
      ...(inventory !== undefined && { inventory: inventory as Inventory }),
    };
  } catch {
    return undefined;
  }
}
