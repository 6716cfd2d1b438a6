/**
 * The generations of machine keys: which keys host0 takes, and which one a machine gets next. The keys themselves are derived from
 * the installation secret (model/machine-key.ts). The store has a record for each machine, under `/v1/keys/<machine>`:
 *
 * - A boot or an enrolment offers the generation after the newest.
 * - host0 takes every generation from the lowest one on. When a later one is used, that one becomes the lowest. So a boot that
 *   never ends, or that an impostor began, locks no running machine out.
 * - Only host0 can have made a key that fits. So host0 takes a generation of which it has no record, too: its store was restored
 *   from an older backup, or emptied, and the nodes go on.
 */

import { MeshError } from '../../model/error.ts';
import type { MachineId } from '../../model/machine.ts';
import {
  channelPsk,
  GENERATION_MAX,
  keyIdentity,
  machineKey,
  parseKeyIdentity,
  secretCheck,
} from '../../model/machine-key.ts';
import { Signal, type Subscribable } from '../../model/signal.ts';
import type { Finding, HealthSource } from '../../protocol/documents/finding.ts';
import { findingEvent } from '../../protocol/journal/finding-event.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import { readDocument } from '../../protocol/shapes/document.ts';
import * as form from '../../protocol/shapes/form.ts';
import type { NamedKey } from '../../protocol/shapes/key-file.ts';
import { MachineIdShape } from '../../protocol/shapes/parts.ts';
import type { Change, Compare, Store } from '../../store/store.ts';
import { KeyedMutex } from '../membership/keyed-mutex.ts';

const PREFIX = '/v1/keys/';
/**
 * The highest generation of all machines whose record was removed. A machine without a record begins above it, so that it never
 * gets a key that a machine of the same id had before.
 */
const FLOOR = '/v1/key-floor';
/** Tells the installation secret apart from another one, and reveals nothing of it (`secretCheck`). */
const CHECK = '/v1/key-check';
const RECORD_MAX_LENGTH = 1_024;
/**
 * How many generations a revocation leaves out. A store that was restored from a backup may know fewer generations than the machine
 * got: so many boots after the backup are revoked, too.
 */
const REVOKED = 65_536;
/** How many keys of a machine a proof is tried with. */
const TRIED = 64;
/** Another writer would have to come between our reading and our writing this often. */
const TRIES = 4;

/**
 * Which generations of a machine host0 takes: all from `lowest` on. `lowest` is 0 before the first use, and above `newest` while
 * the machine's keys are revoked.
 */
interface Generations {
  readonly lowest: number;
  /** The newest that a boot or an enrolment was offered. */
  readonly newest: number;
}

interface KnownGenerations extends Generations {
  /** The revision of the record in the store; 0 without one. */
  readonly modRevision: number;
  /** Whether the store has this record. It has an older one after the disk refused a write. */
  readonly isStored: boolean;
}

const Generation = form.int(1, GENERATION_MAX);
const RecordShape = form.object({
  machine: MachineIdShape,
  lowest: form.int(0, GENERATION_MAX + 1),
  newest: form.int(0, GENERATION_MAX),
});
const FloorShape = form.object({ generation: Generation });

const SECRET_EXCHANGED: Finding = {
  code: 'MESH_KEY_DAMAGED',
  severity: 'warning',
  object: 'keys/installation',
  message: 'the installation secret is another one than when host0 ran last: no machine has a valid key',
  remedy:
    'Restore keys/installation from a backup of host0 and restart host0; or boot the nodes again, and enroll those again ' +
    'that host0 did not boot.',
};

/** What the keys need. */
export interface MachineKeysInput {
  readonly store: Store;
  readonly journal: Journal;
  /** The installation secret, 32 bytes; undefined while host0 cannot use it. */
  readonly secret: Uint8Array | undefined;
}

/** Gives out, checks and revokes machine keys. Only host0's daemon has one. */
export class MachineKeys implements HealthSource {
  readonly #input: MachineKeysInput;
  readonly #known = new Map<MachineId, KnownGenerations>();
  readonly #mutex = new KeyedMutex<string>();
  readonly #revocations = new Signal<MachineId>();
  /** Emits each machine whose keys were revoked: its channel must be closed. */
  readonly revocations: Subscribable<MachineId> = this.#revocations;
  readonly #uses = new Signal<MachineId>();
  /** Emits a machine when it has used a later key than before, or its first one. */
  readonly uses: Subscribable<MachineId> = this.#uses;
  #floor = 0;
  /** Whether the last write failed, and the journal has it. */
  #refused = false;
  /** Set if the secret was another one when host0 ran last. */
  #exchanged: Finding | undefined;

  private constructor(input: MachineKeysInput) {
    this.#input = input;
  }

  /** Reads the records. A damaged one is left out: host0 then takes every key that it ever gave to that machine. */
  static async open(input: MachineKeysInput): Promise<MachineKeys> {
    const keys = new MachineKeys(input);
    const [{ entries }, floor] = await Promise.all([input.store.range(PREFIX), input.store.get(FLOOR)]);
    for (const { value, modRevision } of entries) {
      const { document } = readDocument(RecordShape, value, RECORD_MAX_LENGTH);
      if (document !== undefined) keys.#known.set(document.machine, { ...document, modRevision, isStored: true });
    }
    keys.#floor = floorOf(floor?.value);
    await keys.#compareSecret();
    return keys;
  }

  /** A finding for this run of host0, if the installation secret is another one than before. */
  health(): readonly Finding[] {
    return this.#exchanged === undefined ? [] : [this.#exchanged];
  }

  /**
   * The PSK of an identity that a node shows. The name of a key is no proof: only a handshake with this PSK is one.
   * @returns undefined for a text that is no identity, an old generation, a revoked key, and without an installation secret
   */
  pskOf(identity: string): Buffer | undefined {
    const { secret } = this.#input;
    const shown = parseKeyIdentity(identity);
    if (secret === undefined || shown === undefined || this.refusalOf(identity) !== undefined) return undefined;
    return channelPsk(machineKey(secret, shown));
  }

  /** Why host0 takes no key of this identity, for the journal and for findings; undefined if it takes one. */
  refusalOf(identity: string): MeshError | undefined {
    const shown = parseKeyIdentity(identity);
    if (shown === undefined) {
      return refused('host0 gave out no key of this name', 'Boot or enroll the machine: then it has a key.');
    }
    const { machine, generation } = shown;
    const known = this.#known.get(machine);
    if (known === undefined || generation >= known.lowest) return undefined;
    const isRevoked = known.lowest > known.newest;
    const why = isRevoked ? 'was revoked' : `is older than ${machine}.${known.lowest}, which was used since`;
    return refused(
      `the key ${identity} ${why}`,
      'If it is your machine, boot it again, or run `mesh node enroll NAME --renew` and bring the new key file to it. ' +
        'If not, another machine has a copy of its key.',
      machine,
    );
  }

  /** Whether host0 has given the machine a key that it takes, as far as its records go. */
  isEnrolled(machine: MachineId): boolean {
    const known = this.#known.get(machine);
    return known !== undefined && known.lowest <= known.newest;
  }

  /**
   * Makes the key for the machine's next boot, or for an enrolment. The machine's key in use holds until the new one was used.
   * A machine gets a key without room on the disk, too: then a restarted host0 may offer the same generation again.
   * @returns undefined without an installation secret
   */
  async offer(machine: MachineId): Promise<NamedKey | undefined> {
    const { secret } = this.#input;
    if (secret === undefined) return undefined;
    const { newest: generation } = await this.#changing(machine, (before) => {
      const newest = Math.min((before?.newest ?? this.#floor) + 1, GENERATION_MAX);
      return { lowest: before?.lowest ?? 0, newest };
    });
    return { identity: keyIdentity({ machine, generation }), key: machineKey(secret, { machine, generation }) };
  }

  /**
   * Notes that the machine has proven a key: from now on host0 takes no earlier one. To be called when the channel is accepted as
   * the only one of its machine, and not for a second channel that is refused. Never rejects.
   */
  async used(identity: string): Promise<void> {
    const shown = parseKeyIdentity(identity);
    if (shown === undefined || this.refusalOf(identity) !== undefined) return;
    const { machine, generation } = shown;
    const known = this.#known.get(machine);
    if (known?.lowest === generation && known.isStored) return;
    await this.#changing(machine, (before) => ({
      lowest: Math.max(generation, before?.lowest ?? 0),
      newest: Math.max(generation, before?.newest ?? 0),
    }));
    this.#uses.emit(machine);
  }

  /** The keys that the machine may have, the oldest first: at most TRIED, so that a wrong proof costs little. */
  candidatesOf(machine: MachineId): readonly NamedKey[] {
    const { secret } = this.#input;
    if (secret === undefined) return [];
    const { lowest, newest } = this.#known.get(machine) ?? { lowest: 1, newest: TRIED };
    // Forged boots can raise the newest far above the one that the machine has.
    const first = Array.from({ length: TRIED / 2 }, (_, index) => Math.max(lowest, 1) + index);
    const last = Array.from({ length: TRIED / 2 }, (_, index) => newest - index).toReversed();
    const generations = [...new Set([...first, ...last])].filter(
      (generation) => generation >= lowest && generation >= 1 && generation <= newest,
    );
    return generations.map((generation) => ({
      identity: keyIdentity({ machine, generation }),
      key: machineKey(secret, { machine, generation }),
    }));
  }

  /**
   * Takes all keys of the machine away, until its next boot or enrolment.
   * @throws MESH_DISK_REFUSED, MESH_STORE_BROKEN if this could not be made durable; the keys are refused until host0 restarts
   */
  async revoke(machine: MachineId): Promise<void> {
    const revoked = (before: Generations | undefined): Generations => {
      const newest = Math.min((before?.newest ?? this.#floor) + REVOKED, GENERATION_MAX);
      return { lowest: newest + 1, newest };
    };
    try {
      await this.#mutex.take(machine, () => this.#change(machine, revoked));
      this.#input.journal.record({ kind: 'key revoked', message: `machine ${machine}`, object: machine });
    } finally {
      this.#revocations.emit(machine);
    }
  }

  /**
   * Removes the record of a machine that host0 has forgotten, so that strangers cannot fill the store. A revoked key stays revoked.
   * The machine's next key is none that it had before. Never rejects.
   */
  async forget(machine: MachineId): Promise<void> {
    await this.#mutex.take(machine, async () => {
      const known = this.#known.get(machine);
      if (known === undefined || !this.isEnrolled(machine)) return;
      await this.#mutex
        .take(FLOOR, () => this.#remove(machine, known))
        .catch((thrown: unknown) => this.#tell(machine, thrown));
    });
  }

  async #remove(machine: MachineId, { newest }: Generations): Promise<void> {
    const floor = Math.max(this.#floor, newest);
    this.#known.delete(machine);
    this.#floor = floor;
    const put = { put: FLOOR, value: JSON.stringify({ generation: floor }) };
    await this.#input.store.txn([], [{ delete: PREFIX + machine }, put]);
  }

  /** Changes a record. When the disk refuses, the change holds in memory, and the journal says so. */
  async #changing(machine: MachineId, change: (before: Generations | undefined) => Generations): Promise<Generations> {
    return await this.#mutex.take(machine, async () => {
      try {
        return await this.#change(machine, change);
      } catch (thrown) {
        this.#tell(machine, thrown);
        return this.#known.get(machine) ?? change(undefined);
      }
    });
  }

  /** Changes a record in memory and in the store; compares the record with the one that was read. */
  async #change(machine: MachineId, change: (before: Generations | undefined) => Generations): Promise<Generations> {
    const { store } = this.#input;
    for (let tries = 1; ; tries++) {
      const before = this.#known.get(machine);
      const modRevision = before?.modRevision ?? 0;
      const { lowest, newest } = change(before);
      this.#known.set(machine, { lowest, newest, modRevision, isStored: false });
      const compare: Compare = { key: PREFIX + machine, modRevision };
      const put: Change = { put: PREFIX + machine, value: JSON.stringify({ machine, lowest, newest }) };
      const { succeeded, revision } = await store.txn([compare], [put]);
      if (succeeded) {
        this.#known.set(machine, { lowest, newest, modRevision: revision, isStored: true });
        this.#refused = false;
        return { lowest, newest };
      }
      if (tries === TRIES) throw new MeshError('MESH_INTERNAL', `the record of ${machine} changes all the time`);
      await this.#readAgain(machine, before);
    }
  }

  /** Takes the record of the store. What this process decided meanwhile is not taken back. */
  async #readAgain(machine: MachineId, before: Generations | undefined): Promise<void> {
    const entry = await this.#input.store.get(PREFIX + machine);
    const found = entry && readDocument(RecordShape, entry.value, RECORD_MAX_LENGTH).document;
    this.#known.set(machine, {
      lowest: Math.max(before?.lowest ?? 0, found?.lowest ?? 0),
      newest: Math.max(before?.newest ?? this.#floor, found?.newest ?? 0),
      modRevision: entry?.modRevision ?? 0,
      isStored: false,
    });
  }

  /** A secret that was lost is made again, as at the first start. The store knows that it had another one. */
  async #compareSecret(): Promise<void> {
    const { store, secret, journal } = this.#input;
    if (secret === undefined) return;
    const check = secretCheck(secret);
    const known = (await store.get(CHECK))?.value;
    if (known === check) return;
    if (known !== undefined) {
      this.#exchanged = SECRET_EXCHANGED;
      journal.record(findingEvent('installation secret exchanged', SECRET_EXCHANGED));
    }
    // If the disk refuses this, the next start tells the same again.
    await store.txn([], [{ put: CHECK, value: check }]).catch(() => undefined);
  }

  #tell(machine: MachineId, thrown: unknown): void {
    if (this.#refused) return;
    this.#refused = true;
    const { code, message } = MeshError.from(thrown);
    this.#input.journal.record({
      level: 'warning',
      kind: 'key not recorded',
      message: `nodes get keys and use them, but a restarted host0 would not know which: ${message}`,
      object: machine,
      code,
      remedy: 'Make room on the disk.',
    });
  }
}

function floorOf(value: string | undefined): number {
  const floor = value === undefined ? undefined : readDocument(FloorShape, value, RECORD_MAX_LENGTH).document;
  return floor?.generation ?? 0;
}

function refused(message: string, remedy: string, object?: MachineId): MeshError {
  return new MeshError('MESH_KEY_REFUSED', message, {
    ...(object !== undefined && { object }),
    rule: 'host0 takes the key that a machine used last, and the keys that it gave the machine since.',
    remedy,
  });
}
