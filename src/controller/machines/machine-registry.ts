/**
 * The machines that ever booted from host0, known by their hardware: in memory for who asks, in the store for good. What
 * is written is what a boot brings, never anything periodic. Whoever is on a boot segment can claim any hardware, so that
 * strangers do not stay for ever: where too many are known, those that nobody adopted and that do not live go, the oldest
 * first, and of these those that were a member only when there are no others.
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
/** A box has a few cards; what changes its card at each boot is none. */
const CARDS_MAX = 16;
/** So many are known, unless more than these are adopted or live: a dozen of the racks that we think of. */
export const MACHINES_MAX = 4096;
/** So long after one was forgotten this counts as unwell. */
const FORGETTING_MS = 3_600_000;

/** What a machine says of itself, in SMBIOS words: `product`, `serial`. */
export type HardwareTexts = Readonly<Record<string, string>>;

export interface MachineRecord {
  readonly machine: MachineId;
  readonly facts: HardwareTexts;
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
  readonly journal: Journal;
  /** The names of the machines that have a folder in `/host0/machines`. */
  readonly names: () => ReadonlyMap<MachineId, string>;
  /** Whether a machine of that id is a member of any mesh now. */
  readonly isOnline: (machine: MachineId) => boolean;
  /** The card from which a machine of that id is booting at this time. */
  readonly bootingAs: (machine: MachineId) => Mac | undefined;
  /** Removes what else is kept for a machine that is forgotten. */
  readonly onForget: (machine: MachineId) => Promise<void>;
}

const TOO_MANY: Finding = {
  code: 'MESH_BOOT_MACHINES_MANY',
  severity: 'warning',
  object: 'machines',
  message: `more machines ask to boot than the ${MACHINES_MAX} that host0 knows: it forgets the oldest that nobody adopted`,
  remedy:
    'Adopt those that are yours (`mesh node adopt ID NAME`). If there are not so many, somebody on a boot segment makes them ' +
    'up: `mesh node list` shows the segment of each.',
};

export class MachineRegistry {
  readonly #input: MachineRegistryInput;
  /** Those that were seen last come last. */
  readonly #records = new Map<MachineId, MachineRecord>();
  readonly #byCard = new Map<Mac, MachineRecord>();
  readonly #mutex = new KeyedMutex<MachineId>();
  /** The last record could not be written, and that was told. */
  #refused = false;
  #forgotMs: number | undefined;

  private constructor(input: MachineRegistryInput, records: readonly MachineRecord[]) {
    this.#input = input;
    for (const record of records) this.#put(record);
  }

  /** Reads what the store holds; a record that is damaged is left out, and made anew at the machine's next boot. */
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

  /** The machine that booted from a card last, or told of it. */
  byCard(mac: Mac): MachineRecord | undefined {
    return this.#byCard.get(mac);
  }

  /** Whether an administrator has named it, or it has booted before. */
  isKnown(machine: MachineId): boolean {
    return this.#input.names().has(machine) || this.#records.has(machine);
  }

  /**
   * Notes that it boots from a card.
   * @returns the name that the administrator gave it
   * @throws MESH_BOOT_MACHINE_DOUBLE when another box has the id, and lives
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

  /** A member tells what its machine is made of: it may boot from any of its cards. */
  takeInventory(machine: MachineId, inventory: Inventory): Promise<void> {
    return this.#mutex.take(machine, async () => {
      const before = this.#records.get(machine) ?? { machine, facts: {}, cards: [], firstSeen: this.#now() };
      const record = { ...before, inventory, cards: withCards(before.cards, inventory) };
      if (!isDeepStrictEqual(record, this.#records.get(machine))) await this.#keep(record);
    });
  }

  /**
   * Does something for a machine that is known, and is not forgotten meanwhile.
   * @throws MESH_BOOT_SECRET_REFUSED when it is not known any more
   */
  whileKnown<T>(machine: MachineId, work: () => Promise<T>): Promise<T> {
    return this.#mutex.take(machine, () => {
      if (this.#records.has(machine)) return work();
      throw new MeshError('MESH_BOOT_SECRET_REFUSED', `machine ${machine} has been forgotten since it asked to boot`, {
        operation: 'serve secrets',
        object: machine,
        rule: `host0 knows ${MACHINES_MAX} machines; of those that nobody adopted the oldest go.`,
        remedy: `Boot it again, or name it first: \`mesh node adopt ${machine} NAME\`.`,
      });
    });
  }

  /** Of machines that were forgotten lately. */
  health(): readonly Finding[] {
    if (this.#forgotMs === undefined || this.#input.clock.nowMs() - this.#forgotMs > FORGETTING_MS) return [];
    return [TOO_MANY];
  }

  /** Where too many are known, the one goes that is missed least. It is not waited for. */
  #makeRoomFor(newcomer: MachineId): void {
    while (this.#records.size > MACHINES_MAX) {
      const oldest =
        this.#leastMissed(({ machine, inventory }) => machine !== newcomer && inventory === undefined) ??
        this.#leastMissed(({ machine }) => machine !== newcomer);
      if (oldest === undefined) return;
      this.#drop(oldest);
      if (this.health().length === 0) {
        this.#input.journal.record(findingEvent('machines forgotten', TOO_MANY));
      }
      this.#forgotMs = this.#input.clock.nowMs();
      void this.#forget(oldest);
    }
  }

  #leastMissed(isOne: (record: MachineRecord) => boolean): MachineId | undefined {
    const { names, isOnline, bootingAs } = this.#input;
    for (const [machine, record] of this.#records) {
      if (!isOne(record) || names().has(machine) || bootingAs(machine) !== undefined || isOnline(machine)) continue;
      return machine;
    }
    return undefined;
  }

  #forget(machine: MachineId): Promise<void> {
    return this.#mutex.take(machine, async () => {
      // It has booted again meanwhile.
      if (this.#records.has(machine)) return;
      const { store, onForget } = this.#input;
      await onForget(machine);
      // A disk that refuses this has it back when host0 starts the next time, and it goes then.
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
    // A member that never booted from here may have told of no card.
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
        rule: 'The hardware id of a machine is its own. Two boxes have one when their maker gave both one UUID or serial.',
        remedy:
          'Give one of them a UUID of its own in its firmware setup. ' +
          'If it is one box with another card, switch it off, wait two minutes, and boot it again.',
      },
    );
  }

  /** A full disk keeps no machine from booting: it is known until this process ends, and written at its next boot. */
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
      // It was checked when it came in.
      ...(inventory !== undefined && { inventory: inventory as Inventory }),
    };
  } catch {
    return undefined;
  }
}
