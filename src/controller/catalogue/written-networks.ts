/**
 * Networks that people write into the store by hand, as with `etcdctl put /v1/networks/200 '{"name": "blue"}'`. Such a document is an
 * order like that of a command. host0 judges it and takes it up, or refuses it with the place and the rule.
 *
 * A document below `/v1/networks/` becomes the record of the network. One below `/v1/network/`, the other spelling of the key, stays
 * as it is: its network is made, changed and deleted with it.
 */
import { readNetworkJson } from '../../formats/network/network-json.ts';
import type { Alarm, Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import { hexNumber, isNetworkNumber, type NetworkNumber } from '../../model/network/number.ts';
import type { CatalogueChange, NetworkOrder, RefusedDocument } from '../../protocol/documents/catalogue.ts';
import { type Finding, findingOf, type HealthSource } from '../../protocol/documents/finding.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import type { Entry, Store, Watch } from '../../store/store.ts';
import { isOfLaterVersion, NETWORK_RECORDS, type WrittenDocument, writtenDocument } from './network-record.ts';

/** What the documents are taken up by. */
export interface WrittenNetworksInput {
  readonly store: Store;
  readonly clock: Clock;
  readonly journal: Journal;
  readonly catalogue: {
    /** Whether the store has a network as a transaction of the catalogue has written it. */
    isShown(number: NetworkNumber, modRevision: number): boolean;
    /** @throws MESH_NET_* */
    takeWritten(order: NetworkOrder, written: WrittenDocument): Promise<CatalogueChange>;
    /** Writes the record of a network again over a document that is refused. @returns the revision of the record */
    keepRecord(number: NetworkNumber, written: WrittenDocument): Promise<number | undefined>;
    /** Deletes the networks whose documents are gone. @param present the keys of those that are there */
    dropWritten(present: ReadonlySet<string>): Promise<void>;
  };
}

/** Begins both spellings. */
const PREFIX = '/v1/network';
const OTHER_SPELLING = '/v1/network/';
/** A number in hex, as keys have it. */
const KEY_NUMBER = /^[1-9a-f][0-9a-f]{0,5}$/;
const RELOAD_MS = 1_000;
/** More refused documents are no work of a person. */
const REFUSED_MAX = 1_000;

/** Follows what is written by hand. */
export class WrittenNetworks implements HealthSource {
  readonly #input: WrittenNetworksInput;
  readonly #refused = new Map<string, MeshError>();
  /** The revisions at which records were written again over refused documents. */
  readonly #kept = new Map<string, number>();
  /** The keys of documents of the other spelling. */
  readonly #others = new Set<string>();
  #watch: Watch | undefined;
  #reload: Alarm | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(input: WrittenNetworksInput) {
    this.#input = input;
  }

  /** Reads what is there, and follows its changes. Call this when the catalogue knows all other networks. Never rejects. */
  async start(): Promise<void> {
    const { store, journal } = this.#input;
    try {
      const { entries, revision } = await store.range(PREFIX);
      if (this.#closed) return;
      this.#others.clear();
      for (const entry of entries) this.#seen(entry);
      for (const key of this.#refused.keys())
        if (!entries.some((entry) => entry.key === key)) this.#refused.delete(key);
      this.#drop();
      this.#watch = store.watch(
        PREFIX,
        revision + 1,
        ({ changes }) => {
          for (const change of changes) {
            if ('put' in change) this.#seen(change.put);
            else this.#gone(change.delete);
          }
        },
        () => this.#again(),
      );
      await this.#last;
    } catch (thrown) {
      journal.failure('documents of networks unreadable', thrown);
      this.#again();
    }
  }

  /** The documents that are not taken up, each with the reason. */
  refused(): readonly RefusedDocument[] {
    return Array.from(this.#refused, ([key, error]) => ({ key, error: error.toJSON() }));
  }

  health(): readonly Finding[] {
    return Array.from(this.#refused, ([key, error]) => findingOf(error, { object: key, severity: 'error' }));
  }

  close(): void {
    this.#closed = true;
    this.#watch?.close();
    this.#reload?.cancel();
  }

  #again(): void {
    this.#watch?.close();
    if (!this.#closed) this.#reload = this.#input.clock.after(RELOAD_MS, () => void this.start());
  }

  #gone(key: string): void {
    this.#forget(key);
    if (this.#others.delete(key)) this.#drop();
  }

  #drop(): void {
    const present = new Set(this.#others);
    this.#inOrder(() => this.#input.catalogue.dropWritten(present));
  }

  #seen(entry: Entry): void {
    const { key, value, modRevision } = entry;
    const name = nameIn(key);
    if (name === undefined) return;
    const isOther = key.startsWith(OTHER_SPELLING);
    if (isOther) this.#others.add(key);
    if (!isOther && this.#isRecord(name, entry)) {
      // The refusal stays where the record is host0's own answer to the document.
      this.#inOrder(async () => {
        if (this.#kept.get(key) !== modRevision) this.#forget(key);
      });
      return;
    }
    const written = writtenDocument(entry);
    this.#inOrder(async () => {
      try {
        const number = numberIn(key, name);
        const order = orderIn(key, value, number);
        await this.#input.catalogue.takeWritten({ ...order, number }, written);
        this.#forget(key);
      } catch (thrown) {
        const error = MeshError.from(thrown);
        this.#refuse(key, error);
        if (!isOther && isFaultOfDocument(error)) await this.#keepRecord(Number.parseInt(name, 16), written);
      }
    });
  }

  /** Most are: the catalogue has read what it has written itself. */
  #isRecord(name: string, { value, modRevision }: Entry): boolean {
    const number = Number.parseInt(name, 16);
    if (isNetworkNumber(number) && hexNumber(number) === name && this.#input.catalogue.isShown(number, modRevision))
      return true;
    const record = NETWORK_RECORDS.parse(value);
    return record !== undefined && hexNumber(record.network.number) === name;
  }

  /** A start of host0 would find no record, as if the network had been deleted. */
  async #keepRecord(number: number, written: WrittenDocument): Promise<void> {
    if (!isNetworkNumber(number) || this.#closed) return;
    const revision = await this.#input.catalogue.keepRecord(number, written).catch((thrown: unknown) => {
      const error = MeshError.from(thrown);
      // The document was changed meanwhile, and the watch brings the new one.
      if (error.code !== 'MESH_STORE_CONFLICT') this.#input.journal.failure('network not written', error);
    });
    if (revision !== undefined) this.#kept.set(written.key, revision);
  }

  #forget(key: string): void {
    this.#refused.delete(key);
    this.#kept.delete(key);
  }

  #refuse(key: string, error: MeshError): void {
    // The document was changed meanwhile, and the watch brings the new one.
    if (error.code === 'MESH_STORE_CONFLICT' || this.#closed) return;
    const isNew = this.#refused.get(key)?.message !== error.message;
    if (this.#refused.size < REFUSED_MAX) this.#refused.set(key, error);
    if (isNew) this.#input.journal.failure('document refused', error, { level: 'error', object: key });
  }

  #inOrder(work: () => Promise<unknown>): void {
    this.#last = this.#last.then(work).catch((thrown: unknown) => {
      this.#input.journal.failure('documents of networks not taken up', thrown);
    });
  }
}

/** Whether another attempt with the same document would be refused, too. A record of a later version is left for that version. */
function isFaultOfDocument({ code }: MeshError): boolean {
  return !code.startsWith('MESH_STORE_') && code !== 'MESH_STATE_LATER';
}

/** What follows the prefix; undefined for a key of something else, such as a service of a network. */
function nameIn(key: string): string | undefined {
  return /^\/v1\/networks?\/([^/]*)$/.exec(key)?.[1];
}

/** @throws MESH_NET_INVALID */
function numberIn(key: string, name: string): NetworkNumber {
  const number = Number.parseInt(name, 16);
  if (KEY_NUMBER.test(name) && isNetworkNumber(number)) return number;
  throw new MeshError('MESH_NET_INVALID', `${key} is no key of a network`, {
    object: key,
    rule: 'A key ends with the number of the network, 1 to ffffff, in hex: small letters, and no zero in front.',
    remedy: 'Put the document at such a key, and delete this one',
  });
}

/** @throws MESH_NET_INVALID, MESH_CONF_SYNTAX, MESH_STATE_LATER */
function orderIn(key: string, value: string, number: NetworkNumber): NetworkOrder {
  if (isOfLaterVersion(value)) {
    throw new MeshError('MESH_STATE_LATER', `${key} has a format of a later version`, {
      object: key,
      remedy: 'Install that version of Meshwork, or delete the document',
    });
  }
  const order = readNetworkJson(key, value);
  const { number: written = number } = order;
  if (written === number) return order;
  const hex = isNetworkNumber(written) ? hexNumber(written) : '';
  throw new MeshError(
    'MESH_NET_INVALID',
    `${key} is the key of network ${number}, and the document has the number ${written}`,
    {
      object: key,
      rule: 'The key of a network is its number in hex.',
      remedy: `Put the document at ${key.replace(/[^/]*$/, hex)} and delete this one, or leave number out`,
    },
  );
}
