/**
 * The machines that have booted from host0 or have been members, by machine id: in memory for queries, in the store for
 * good. A boot or a changed inventory is written, and nothing periodic.
 *
 * Any sender on a boot segment can make up machines, so their number is bounded. When there are too many, host0 forgets
 * machines that no administrator has adopted and that are not online: the oldest first, machines that boot only when there
 * are no others, and machines that have been members last.
 *
 * Any sender can also name the id of another machine, so the network card decides (boot-cards.ts).
 */

import { isDeepStrictEqual } from 'node:util';
import type { Mac } from '../../model/address/mac.ts';
import type { Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import { type MachineId, machineIdOf } from '../../model/machine.ts';
import { type Finding, findingOf } from '../../protocol/documents/finding.ts';
import type { Inventory } from '../../protocol/documents/inventory.ts';
import { findingEvent } from '../../protocol/journal/finding-event.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import { RecentFindings } from '../../protocol/journal/recent-findings.ts';
import * as form from '../../protocol/shapes/form.ts';
import { InventoryShape } from '../../protocol/shapes/inventory-shape.ts';
import { MachineIdShape, MacShape, TimeShape } from '../../protocol/shapes/parts.ts';
import { Collection, jsonRecords } from '../../store/collection.ts';
import type { Store } from '../../store/store.ts';
import { KeyedMutex } from '../membership/keyed-mutex.ts';
import { type BootClaim, mustBeItsCard, mustBeOneBox } from './boot-cards.ts';
import { CardClaims } from './card-claims.ts';

const PREFIX = '/v1/machines/';
/** The most network cards that are kept for a machine. A real one has a few; one with a new card at each boot is a fake. */
const CARDS_MAX = 16;
/** The most machines that host0 knows, enough for a dozen racks. It knows more only while all are adopted or online. */
export const MACHINES_MAX = 4096;

/** What a machine says about its hardware, by SMBIOS name: `product`, `serial`. */
export type HardwareTexts = Readonly<Record<string, string>>;

/** A machine as the store keeps it, under `/v1/machines/<machine id>`. */
export interface MachineRecord {
  readonly machine: MachineId;
  /** What the machine said when it booted from host0. */
  readonly facts: HardwareTexts;
  /**
   * The network cards of the machine: the card that it booted from last, cards that it booted from before, those of its
   * inventory, and those that the administrator named.
   */
  readonly cards: readonly Mac[];
  /** ISO 8601, UTC. */
  readonly firstSeen: string;
  /** ISO 8601, UTC. Absent for a machine that never booted from host0, and became a member in another way. */
  readonly lastBoot?: string;
  /** What the machine's agent reported when the machine was a member. */
  readonly inventory?: Inventory;
}

const RECORD_MAX_LENGTH = 256 * 1024;
const Fact = form.string({ max: 4_096 });
const MachineRecordShape: form.Shape<MachineRecord> = form.object({
  machine: MachineIdShape,
  facts: form.recordOf(form.string(), Fact, 64),
  // Earlier versions kept more cards.
  cards: form.listOf(MacShape, 256),
  firstSeen: TimeShape,
  lastBoot: form.exactOptional(TimeShape),
  // An inventory that is spoilt is reported again by the machine.
  inventory: form.droppable(InventoryShape),
});

const MACHINE_RECORDS = jsonRecords(PREFIX, ({ machine }) => machine, MachineRecordShape, RECORD_MAX_LENGTH);

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
  /** Removes everything else that is kept for a machine: host0 has forgotten it, or the id may belong to another machine now. */
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
  readonly #collection: Collection<MachineRecord>;
  /** In the order in which the machines were seen last. */
  readonly #records = new Map<MachineId, MachineRecord>();
  readonly #byCard = new Map<Mac, MachineRecord>();
  readonly #mutex = new KeyedMutex<MachineId>();
  /** Whether the last write failed, and the journal has it. */
  #refused = false;
  readonly #claims: CardClaims;
  readonly #findings: RecentFindings;

  private constructor(input: MachineRegistryInput, records: readonly MachineRecord[]) {
    this.#input = input;
    this.#collection = new Collection(input.store, MACHINE_RECORDS);
    this.#claims = new CardClaims(input.clock);
    this.#findings = new RecentFindings(input.clock);
    for (const record of records) this.#put(record);
  }

  /** Reads the records from the store. A damaged record is left out, and written again at the machine's next boot. */
  static async open(input: MachineRegistryInput): Promise<MachineRegistry> {
    const { records } = await new Collection(input.store, MACHINE_RECORDS).list();
    const seen = ({ firstSeen, lastBoot = firstSeen }: MachineRecord) => lastBoot;
    return new MachineRegistry(
      input,
      records.map(({ record }) => record).sort((a, b) => (seen(a) < seen(b) ? -1 : 1)),
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

  /** Whether the machine has a name, and the card is one of its own. */
  isNamedWith(machine: MachineId, mac: Mac): boolean {
    return this.#input.names().has(machine) && this.#records.get(machine)?.cards.includes(mac) === true;
  }

  /**
   * The machine that was named by the MAC of this card, or by that of another card of the same machine: its id comes from the
   * MAC. So an administrator tells boxes apart to which their maker gave one UUID.
   */
  namedByMac(mac: Mac): MachineId | undefined {
    const named = this.#input.names();
    const own = machineIdOf(mac);
    if (named.has(own)) return own;
    const record = this.#byCard.get(mac);
    const isByMac = record?.cards.some((card) => machineIdOf(card) === record.machine) === true;
    return isByMac && named.has(record.machine) ? record.machine : undefined;
  }

  /**
   * Checks that the machine may boot from a card now. A refusal is also a finding.
   * @returns the name that the administrator gave to the machine, if any
   * @throws MESH_BOOT_CARD_UNKNOWN, MESH_BOOT_MACHINE_DOUBLE, MESH_BOOT_CARD_MANY
   */
  mayBoot(machine: MachineId, mac: Mac, device: string): string | undefined {
    const { names, isOnline, bootingAs } = this.#input;
    const name = names().get(machine);
    const record = this.#records.get(machine);
    const booting = bootingAs(machine);
    const claim: BootClaim = { machine, mac, device, ...(name !== undefined && { name }) };
    try {
      if (name !== undefined) mustBeItsCard(claim, record?.cards ?? []);
      mustBeOneBox(claim, {
        isOnline: isOnline(machine),
        ...(booting !== undefined && { booting }),
        ...(record !== undefined && { record }),
      });
      this.#claims.check(mac, machine);
      return name;
    } catch (thrown) {
      const error = MeshError.from(thrown);
      this.#findings.see(findingOf(error, { object: error.object ?? machine, severity: 'warning' }));
      throw error;
    }
  }

  /**
   * Notes that the machine boots from a card. A machine without a name that comes with an unknown card may be another machine:
   * host0 forgets what it knows of the earlier one.
   * @param begin begins the boot; no other card of the machine is let in meanwhile
   * @throws what mayBoot throws
   */
  boots<T>(
    machine: MachineId,
    { mac, ...facts }: { readonly mac: Mac },
    device: string,
    begin: (name: string | undefined) => Promise<T>,
  ): Promise<T> {
    return this.#mutex.take(machine, async () => {
      const name = this.mayBoot(machine, mac, device);
      this.#claims.take(mac, machine);
      const before = await this.#sameBox(machine, mac, name);
      await this.#keep({
        ...before,
        machine,
        facts,
        cards: [mac, ...(before?.cards ?? []).filter((card) => card !== mac)].slice(0, CARDS_MAX),
        firstSeen: before?.firstSeen ?? this.#now(),
        lastBoot: this.#now(),
      });
      return await begin(name);
    });
  }

  /**
   * Takes the inventory that a member reports. Its cards become the machine's only if the member is at a card that the machine has
   * already: anybody may be a member under the id of a machine that is off.
   * @param at the card at the underlay address of the member; undefined if host0's kernel has no neighbour entry for the address
   */
  takeInventory(machine: MachineId, inventory: Inventory, at?: Mac): Promise<void> {
    return this.#mutex.take(machine, async () => {
      const before = this.#records.get(machine) ?? { machine, facts: {}, cards: [], firstSeen: this.#now() };
      const isItself = before.cards.length === 0 || (at !== undefined && before.cards.includes(at));
      const record = { ...before, inventory, ...(isItself && { cards: withCards(before.cards, inventory) }) };
      if (!isDeepStrictEqual(record, this.#records.get(machine))) await this.#keep(record);
    });
  }

  /** Adds a card that the administrator names. @returns all cards of the machine */
  addCard(machine: MachineId, mac: Mac): Promise<readonly Mac[]> {
    return this.#mutex.take(machine, async () => {
      const before = this.#records.get(machine) ?? { machine, facts: {}, cards: [], firstSeen: this.#now() };
      this.#findings.end('MESH_BOOT_CARD_UNKNOWN', machine);
      if (before.cards.includes(mac)) return before.cards;
      const [last, ...others] = before.cards;
      // The card of the last boot stays the first.
      const cards = [...(last === undefined ? [] : [last]), mac, ...others].slice(0, CARDS_MAX);
      await this.#keep({ ...before, cards });
      return cards;
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

  /** What strangers did within the last hour: cards that were refused, and machines that were forgotten. */
  health(): readonly Finding[] {
    return this.#findings.health();
  }

  /** The machine's record; undefined if the card may belong to another machine. */
  async #sameBox(machine: MachineId, mac: Mac, name: string | undefined): Promise<MachineRecord | undefined> {
    const before = this.#records.get(machine);
    if (before === undefined || name !== undefined || before.cards.length === 0 || before.cards.includes(mac)) {
      return before;
    }
    const { journal, onForget } = this.#input;
    journal.record({
      level: 'warning',
      kind: 'machine with another card',
      message: `machine ${machine} has booted from ${before.cards[0]}, and boots from ${mac} now: it gets another host key`,
      object: machine,
      remedy: `If the machine is yours, name it, so that host0 boots it from its own cards only: \`mesh node adopt ${machine} NAME\`.`,
    });
    await onForget(machine);
    return undefined;
  }

  /** Forgets machines until there are few enough. The store is not waited for. */
  #makeRoomFor(newcomer: MachineId): void {
    while (this.#records.size > MACHINES_MAX) {
      const oldest = this.#oldestStranger(newcomer);
      if (oldest === undefined) return;
      this.#drop(oldest);
      if (this.#findings.see(TOO_MANY)) this.#input.journal.record(findingEvent('machines forgotten', TOO_MANY));
      void this.#forget(oldest);
    }
  }

  /** The oldest machine that is neither adopted nor online: one that was no member and does not boot, if there is one. */
  #oldestStranger(newcomer: MachineId): MachineId | undefined {
    const { names, isOnline, bootingAs } = this.#input;
    const adopted = names();
    const oldest: (MachineId | undefined)[] = [];
    for (const [machine, { inventory }] of this.#records) {
      if (machine === newcomer || adopted.has(machine) || isOnline(machine)) continue;
      const worth = (inventory === undefined ? 0 : 2) + (bootingAs(machine) === undefined ? 0 : 1);
      if (worth === 0) return machine;
      oldest[worth] ??= machine;
    }
    return oldest.find((machine) => machine !== undefined);
  }

  #forget(machine: MachineId): Promise<void> {
    return this.#mutex.take(machine, async () => {
      // The machine has booted again meanwhile.
      if (this.#records.has(machine)) return;
      const { store, onForget } = this.#input;
      await onForget(machine);
      // If the disk refuses this, the record is back at the next start of host0, and is forgotten again then.
      await store.txn([], [this.#collection.remove(machine)]).catch(() => undefined);
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
      await store.txn([], [this.#collection.put(record)]);
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
