/**
 * The epoch of assignments, under `/v1/assignment-epoch`. It is the epoch of the store, until a node shows that the store has gone
 * back: the disk of host0 was replaced by an older copy of itself, with all that tells a copy from the store. Then host0 writes
 * another epoch. What nodes have from before stays, and what the store has lost is an orphan there.
 *
 * Each run of host0 has a word, its term, which goes with every assignment once the store has it: on a full disk, host0 works
 * without. A node that has an assignment of a term which the store does not know, or of a revision at which the store says that a
 * later term had begun, has it from a history that the store has lost.
 */
import { randomBytes } from 'node:crypto';
import { MeshError } from '../../model/error.ts';
import type { MachineWord } from '../../model/machine.ts';
import { type Finding, findingOf, type HealthSource } from '../../protocol/documents/finding.ts';
import { formatVersion } from '../../protocol/documents/membership.ts';
import type { NodeStatus } from '../../protocol/documents/node-assignment.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import * as form from '../../protocol/shapes/form.ts';
import { Collection, jsonRecords } from '../../store/collection.ts';
import type { Store } from '../../store/store.ts';
import { type PoolMove, takeAndGive } from '../pools/pool.ts';

interface EpochRecord {
  readonly epoch: string;
  /** The epoch of the store that the record belongs to. */
  readonly of: string;
  /** The latest runs of host0 under this epoch, each with the revision that it began after. */
  readonly terms: readonly { readonly word: string; readonly after: number }[];
  /** The networks that were unreadable at the last start, by their numbers. Absent: none. */
  readonly unreadable?: readonly number[];
}

/** What the epoch needs. */
export interface AssignmentEpochInput {
  readonly store: Store;
  readonly journal: Journal;
  /** Moves the pools of numbers and ids on, past all that the store may have given out and lost. */
  readonly leap: () => readonly PoolMove[];
  /**
   * The numbers of networks whose records are unreadable: host0 can give them to no node. A network that has become unreadable
   * begins another epoch, so that nodes keep what they have of it. Absent: none.
   */
  readonly unreadable?: readonly number[];
}

/** What a node knows of assignments. */
type KnownByNode = Pick<NodeStatus, 'assignment' | 'term' | 'epochsBefore'>;

/** More runs than there are between two calls of a node that is switched on at times. */
const TERMS_MAX = 256;
/** More overwritten records are no work of a person. */
const UNREADABLE_MAX = 1_000;
const PREFIX = '/v1/';
const NAME = 'assignment-epoch';
const RECORDS = jsonRecords<EpochRecord>(
  PREFIX,
  () => NAME,
  form.object({
    epoch: form.string({ max: 32 }),
    of: form.string({ max: 32 }),
    terms: form.listOf(form.object({ word: form.string({ max: 32 }), after: form.int(0) }), TERMS_MAX),
    unreadable: form.exactOptional(form.listOf(form.int(0), UNREADABLE_MAX)),
  }),
  64 * 1024,
);

const newWord = () => randomBytes(8).toString('hex');

/** The present epoch and term. */
export class AssignmentEpoch implements HealthSource {
  readonly #input: AssignmentEpochInput;
  readonly #records: Collection<EpochRecord>;
  readonly #term = newWord();
  #record: EpochRecord;
  /** Whether this run has written another epoch: who then has a later revision than the store does not tell the truth. */
  #isRenewed = false;
  /** Whether the store has refused to write the term, which is told once. */
  #isRefused = false;
  #last: Promise<unknown> = Promise.resolve();
  readonly #liars = new Map<MachineWord, MeshError>();

  private constructor(input: AssignmentEpochInput, records: Collection<EpochRecord>, record: EpochRecord) {
    this.#input = input;
    this.#records = records;
    this.#record = record;
  }

  /**
   * Begins a term, where the disk has room. Call this before anything is read that assignments are made of.
   * @throws MESH_STORE_BROKEN if the store cannot be read
   */
  static async open(input: AssignmentEpochInput): Promise<AssignmentEpoch> {
    const { store, unreadable = [] } = input;
    const records = new Collection(store, RECORDS);
    const known = (await records.get(NAME))?.record;
    const record = known?.of === store.epoch ? known : { epoch: store.epoch, of: store.epoch, terms: [] };
    const epoch = new AssignmentEpoch(input, records, withUnreadable(record, unreadable.slice(0, UNREADABLE_MAX)));
    await epoch.#begin();
    return epoch;
  }

  get current(): string {
    return this.#record.epoch;
  }

  /** The word of this run of host0; undefined until the store has it. */
  get term(): string | undefined {
    return this.#record.terms.at(-1)?.word === this.#term ? this.#term : undefined;
  }

  /** Never rejects: without a term host0 works, and only a store that goes back by a few revisions is not noticed. */
  async #begin(): Promise<void> {
    const { terms } = this.#record;
    try {
      const { revision: after } = await this.#input.store.range(PREFIX + NAME);
      await this.#write({ ...this.#record, terms: [...terms, { word: this.#term, after }].slice(-TERMS_MAX) });
    } catch (error) {
      if (!this.#isRefused) this.#input.journal.failure('term not written', error, { level: 'warning' });
      this.#isRefused = true;
    }
  }

  /**
   * Compares what a node has with the store, and writes another epoch if the store has gone back.
   * @returns whether there is another epoch
   * @throws MESH_STORE_BROKEN
   */
  check(machine: MachineWord, known: KnownByNode): Promise<boolean> {
    const checked = this.#last.then(() => this.#check(machine, known));
    this.#last = checked.catch(() => undefined);
    return checked;
  }

  health(): readonly Finding[] {
    return Array.from(this.#liars, ([machine, error]) => findingOf(error, { object: machine, severity: 'warning' }));
  }

  async #check(machine: MachineWord, { assignment, term, epochsBefore = [] }: KnownByNode): Promise<boolean> {
    this.#liars.delete(machine);
    if (this.term === undefined) await this.#begin();
    if (assignment === undefined) return false;
    const { revision } = await this.#input.store.range(PREFIX + NAME);
    const isPresent = assignment.epoch === this.current;
    // An epoch never comes back: a node that had another one since has heard of a later time.
    const isLost = isPresent
      ? assignment.revision > revision || this.#hasLost(term, assignment.revision)
      : epochsBefore.includes(this.current);
    if (!isLost) return false;
    const error = goneBack(machine, formatVersion(assignment), revision);
    if (this.#isRenewed) {
      this.#liars.set(machine, error);
      return false;
    }
    this.#isRenewed = true;
    const epoch = newWord();
    await this.#write({ ...this.#record, epoch, terms: [{ word: this.#term, after: revision }] }, this.#input.leap());
    this.#input.journal.failure('store has gone back', error, { level: 'warning', object: machine });
    return true;
  }

  /** Whether an assignment is of a term, or of a time in a term, that the store does not know. */
  #hasLost(term: string | undefined, revision: number): boolean {
    const { terms } = this.#record;
    if (term === undefined) return false;
    const at = terms.findIndex(({ word }) => word === term);
    if (at < 0) return terms.length < TERMS_MAX;
    const next = terms[at + 1];
    return next !== undefined && revision > next.after;
  }

  async #write(record: EpochRecord, moves: readonly PoolMove[] = []): Promise<void> {
    await takeAndGive(this.#input.store, moves, [], [this.#records.put(record)]);
    this.#record = record;
  }
}

function withUnreadable(
  { unreadable: before = [], ...record }: EpochRecord,
  unreadable: readonly number[],
): EpochRecord {
  if (unreadable.length === 0) return record;
  if (unreadable.every((number) => before.includes(number))) return { ...record, unreadable };
  return { ...record, epoch: newWord(), terms: [], unreadable };
}

function goneBack(machine: MachineWord, version: string, revision: number): MeshError {
  return new MeshError(
    'MESH_ASSIGNMENT_STALE',
    `machine ${machine} has the assignment ${version}, and the store is at ${revision}`,
    {
      object: machine,
      rule: 'Within one epoch revisions only grow.',
      remedy:
        "host0's store was replaced by an older copy of itself: see `mesh node orphans list` for what it has lost. If that happens " +
        'again with one machine alone, somebody has taken the machine over: `mesh node revoke NAME`.',
    },
  );
}
