/**
 * The store of several host0s: an etcd. Reads are answered by a mirror in this process, and see a transaction of this process as
 * soon as it has resolved.
 *
 * A transaction that got no answer may be carried out late, after others. So every transaction demands that the fence, a key of the
 * store, is as this process knows it. After a request without an answer, the fence is written: from then on that request can do
 * nothing, and a look at its keys tells what it has done.
 */
import { randomBytes } from 'node:crypto';
import type { Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import { HISTORY_REVISIONS, makeTxn, type Txn } from '../ledger.ts';
import {
  type Change,
  type Compare,
  type Entry,
  type Store,
  TXN_CHANGES_MAX,
  type TxnResult,
  type Watch,
  type WatchBatch,
} from '../store.ts';
import { EtcdClient } from './etcd-client.ts';
import { broken } from './etcd-failure.ts';
import { EtcdLeadership, type LeaderInput } from './etcd-leadership.ts';
import {
  compactRequest,
  fencedRequest,
  HeaderAnswerShape,
  keyRequest,
  putRequest,
  RangeAnswerShape,
  readAllRequest,
  TxnAnswerShape,
} from './etcd-messages.ts';
import { EtcdMirror, OWN_KEYS } from './etcd-mirror.ts';
import type { EtcdPlace } from './etcd-place.ts';
import { HistoryMarks } from './history-marks.ts';
import { KeyOrder } from './key-order.ts';

/** etcd takes 1.5 MiB in all, and base64 is not counted. */
const BYTES_MAX = 1_400_000;
/** With 50 requests under way, three members carry out 3,600 in a second; with one, 760. */
const UNDER_WAY_MAX = 50;
/** How long the end of the process waits for an etcd that does not answer. */
const LAST_PATIENCE_MS = 5_000;
const PAUSE_MS = 200;

const EPOCH_KEY = `${OWN_KEYS}epoch`;
const FENCE_KEY = `${OWN_KEYS}fence`;
const EPOCH = /^[0-9a-f]{16}$/;

/** How the store is opened. */
export interface EtcdStoreOptions {
  readonly clock: Clock;
  /** How many revisions a watch can go back; HISTORY_REVISIONS when absent. */
  readonly historyRevisions?: number;
  /** What all keys begin with; `/v1/` when absent. */
  readonly scope?: string;
}

/** A store in etcd, which several processes can have open. */
export class EtcdStore implements Store {
  readonly epoch: string;
  readonly #client: EtcdClient;
  readonly #clock: Clock;
  readonly #mirror: EtcdMirror;
  readonly #history: HistoryMarks;
  readonly #order = new KeyOrder(UNDER_WAY_MAX);
  /** The revision of the fence, as this process knows it. */
  #fence: number;
  #leadership: EtcdLeadership | undefined;
  #presentEpoch: string | undefined;
  #closing = false;
  #closed = false;

  /** Opens the store, and gives it an epoch if it has none. @throws MESH_STORE_BROKEN, MESH_STORE_REFUSED */
  static async open(place: EtcdPlace, options: EtcdStoreOptions): Promise<EtcdStore> {
    const { clock, scope = '/v1/', historyRevisions = HISTORY_REVISIONS } = options;
    const client = new EtcdClient(place, clock);
    try {
      const epoch = await epochOf(client);
      const fence = await modRevisionOf(client, FENCE_KEY);
      const own = { tell: (_key: string, _value: string | undefined, _revision: number): void => undefined };
      const mirror = await EtcdMirror.open({
        ...{ client, clock, scope, historyRevisions },
        onOwn: ({ type, kv }) => own.tell(kv.key, type === 'PUT' ? kv.value : undefined, kv.modRevision),
      });
      const store = new EtcdStore({ client, clock, mirror, epoch, fence, historyRevisions });
      own.tell = (key, value) => store.#ownChanged(key, value);
      return store;
    } catch (error) {
      client.close();
      throw error;
    }
  }

  private constructor(
    parts: {
      readonly client: EtcdClient;
      readonly mirror: EtcdMirror;
      readonly epoch: string;
      readonly fence: number;
    } & Required<Omit<EtcdStoreOptions, 'scope'>>,
  ) {
    this.epoch = parts.epoch;
    this.#presentEpoch = parts.epoch;
    this.#client = parts.client;
    this.#clock = parts.clock;
    this.#mirror = parts.mirror;
    this.#fence = parts.fence;
    this.#history = new HistoryMarks(parts.historyRevisions);
  }

  /** Why only a restart of the process helps: another store was put in place of this one. */
  get replaced(): string | undefined {
    return this.#presentEpoch === this.epoch ? undefined : 'the store was restored, and is another one than before';
  }

  /** Why the store cannot be followed at present; undefined if it can, as far as it knows. */
  get trouble(): MeshError | undefined {
    return this.#mirror.trouble;
  }

  async get(key: string): Promise<Entry | undefined> {
    return this.#opened().ledger.get(key);
  }

  async range(prefix: string): Promise<{ readonly entries: readonly Entry[]; readonly revision: number }> {
    return this.#opened().ledger.range(prefix);
  }

  async txn(
    compare: readonly Compare[],
    then: readonly Change[],
    otherwise: readonly Change[] = [],
  ): Promise<TxnResult> {
    this.#opened();
    const txn = makeTxn(compare, then, otherwise);
    const parts = partsOf(txn);
    let result: TxnResult | undefined;
    for (const part of parts) result = await this.#order.run(keysOf(part), () => this.#commit(part));
    if (result === undefined) throw tooLarge(txn);
    return result;
  }

  watch(
    prefix: string,
    fromRevision: number,
    onBatch: (batch: WatchBatch) => void,
    onError: (error: Error) => void,
  ): Watch {
    return this.#opened().ledger.watch(prefix, fromRevision, onBatch, onError);
  }

  /** Finds out whether the store can have all of these entries. @throws MESH_STORE_TOO_LARGE, and nothing was written */
  static mustTake(entries: readonly Pick<Entry, 'key' | 'value'>[]): void {
    for (const { key, value } of entries) {
      const txn = makeTxn([], [{ put: key, value }], []);
      if (partsOf(txn).length === 0) throw tooLarge(txn, key);
    }
  }

  /** Lets this process alone change the store from now on. @throws MESH_STORE_LED when another host0 does; MESH_STORE_* */
  async lead(who: Omit<LeaderInput, 'client' | 'clock'>): Promise<void> {
    this.#leadership = await EtcdLeadership.take({ ...who, client: this.#client, clock: this.#clock });
    // What the host0 before has written must be seen before anything is decided.
    await this.#mirror.shows(this.#leadership.guard.modRevision);
  }

  /** The newest revision that this process has seen. */
  get seen(): number {
    return this.#mirror.ledger.revision;
  }

  /** Writes another epoch, and returns it: what is in the store is not what it was. Each process that has it open says so. */
  async renew(): Promise<string> {
    const epoch = randomBytes(8).toString('hex');
    await this.#client.ask('/v3/kv/put', putRequest(EPOCH_KEY, epoch), HeaderAnswerShape);
    return epoch;
  }

  /** Finishes the transactions under way first, unless etcd does not answer. */
  async close(): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    const patience = Promise.withResolvers<void>();
    const alarm = this.#clock.after(LAST_PATIENCE_MS, () => patience.resolve());
    await Promise.race([this.#order.idle(), patience.promise]);
    alarm.cancel();
    await this.#leadership?.release();
    this.#closed = true;
    this.#mirror.close();
    this.#client.close();
  }

  async #commit(txn: Txn): Promise<TxnResult> {
    const { compare, then, otherwise } = txn;
    const { ledger } = this.#mirror;
    for (;;) {
      if (otherwise.length === 0 && compare.some((one) => isOver(one, ledger.get(one.key)))) {
        return { succeeded: false, revision: ledger.revision };
      }
      const fences = [
        { key: FENCE_KEY, modRevision: this.#fence },
        ...(this.#leadership ? [this.#leadership.guard] : []),
      ];
      const sinceRevision = ledger.revision;
      const request = fencedRequest(fences, compare, then, otherwise);
      const answer = await this.#client.askOnce('/v3/kv/txn', request, TxnAnswerShape);
      if (answer === undefined) {
        const done = await this.#settle(txn, sinceRevision);
        if (done !== undefined) return this.#shown(done);
        continue;
      }
      const [first, second] = answer.responses;
      if (!answer.succeeded) {
        this.#fence = modRevisionIn(first?.response_range);
        const { guard } = this.#leadership ?? {};
        if (guard !== undefined && modRevisionIn(second?.response_range) !== guard.modRevision) {
          throw this.#leadership?.deposed();
        }
        continue;
      }
      const branch = first?.response_txn;
      if (branch === undefined) throw broken('etcd answers a transaction with something else');
      const hasChanged = branch.responses.some(
        ({ response_put, response_delete_range }) =>
          response_put !== undefined || (response_delete_range?.deleted ?? 0) > 0,
      );
      const { revision } = hasChanged ? answer.header : ledger;
      if (hasChanged) this.#compact(revision);
      return this.#shown({ succeeded: branch.succeeded, revision });
    }
  }

  async #shown(result: TxnResult): Promise<TxnResult> {
    await this.#mirror.shows(result.revision);
    return result;
  }

  /**
   * Finds out what became of a transaction that got no answer. Does not give up before etcd answers, since nobody could say
   * whether the transaction was carried out.
   * @returns undefined when it was not, and never will be
   */
  async #settle(txn: Txn, sinceRevision: number): Promise<TxnResult | undefined> {
    for (;;) {
      try {
        return await this.#settleOnce(txn, sinceRevision);
      } catch (thrown) {
        if (this.#closed || MeshError.from(thrown).code !== 'MESH_STORE_BROKEN') throw thrown;
        await new Promise<void>((resolve) => this.#clock.after(PAUSE_MS, resolve));
      }
    }
  }

  async #settleOnce({ then, otherwise }: Txn, sinceRevision: number): Promise<TxnResult | undefined> {
    const { header } = await this.#client.ask('/v3/kv/put', putRequest(FENCE_KEY, this.epoch), HeaderAnswerShape);
    // Others write it, too. Their transactions in between are not ours, so the later revision is as good.
    this.#fence = Math.max(this.#fence, header.revision);
    for (const [succeeded, changes] of [
      [true, then],
      [false, otherwise],
    ] as const) {
      if (changes.length === 0) continue;
      const request = readAllRequest(changes.map(keyOfChange));
      const answer = await this.#client.ask('/v3/kv/txn', request, SettleShape);
      const found = new Map(answer.responses[0]?.response_txn?.responses.flatMap(entriesOf));
      const revision = revisionOfOutcome(changes, found, sinceRevision);
      if (revision !== undefined) return { succeeded, revision };
    }
    return undefined;
  }

  /** Drops old history now and then; etcd keeps all of it otherwise. */
  #compact(revision: number): void {
    const dropped = this.#history.changed(revision);
    if (dropped === undefined) return;
    // Another host0 may have done it, and a user without the right to do it need not.
    this.#client.ask('/v3/kv/compaction', compactRequest(dropped), HeaderAnswerShape).catch(() => undefined);
  }

  #ownChanged(key: string, value: string | undefined): void {
    if (key === EPOCH_KEY) this.#presentEpoch = value?.trim();
  }

  #opened(): EtcdMirror {
    if (this.#closing) throw new MeshError('MESH_STORE_BROKEN', 'the store is closed', { operation: 'use store' });
    return this.#mirror;
  }
}

const modRevisionIn = (range: { readonly kvs: readonly Entry[] } | undefined): number =>
  range?.kvs[0]?.modRevision ?? 0;

/** Whether a comparison can never hold again: the key was changed since, as the mirror knows already. */
function isOver({ modRevision }: Compare, present: Entry | undefined): boolean {
  return modRevision !== 0 && (present === undefined || present.modRevision > modRevision);
}

/** The reading of keys has the same answer as a transaction within one, and its ranges. */
const SettleShape = TxnAnswerShape;

function entriesOf({ response_range }: { readonly response_range?: { readonly kvs: readonly Entry[] } }) {
  return (response_range?.kvs ?? []).map((entry) => [entry.key, entry] as const);
}

/** The revision in which all changes were made; undefined when they were not. */
function revisionOfOutcome(
  changes: readonly Change[],
  found: ReadonlyMap<string, Entry>,
  sinceRevision: number,
): number | undefined {
  const revisions = new Set<number>();
  for (const change of changes) {
    const entry = found.get(keyOfChange(change));
    if ('delete' in change) {
      if (entry !== undefined) return undefined;
    } else {
      if (entry?.value !== change.value || entry.modRevision <= sinceRevision) return undefined;
      revisions.add(entry.modRevision);
    }
  }
  const [revision, other] = revisions;
  // Only keys that shall be absent, and are: who removed them does not matter.
  if (revision === undefined) return sinceRevision;
  return other === undefined ? revision : undefined;
}

const keyOfChange = (change: Change): string => ('put' in change ? change.put : change.delete);

function keysOf({ compare, then, otherwise }: Txn) {
  return { reads: compare.map(({ key }) => key), writes: [...then, ...otherwise].map(keyOfChange) };
}

/**
 * A transaction in parts that etcd takes. Only removals without a condition can be split: each can be repeated, and a reader who
 * sees some of them sees what another order would have shown.
 * @returns nothing for a transaction that is too large
 */
function partsOf(txn: Txn): readonly Txn[] {
  const { compare, then, otherwise } = txn;
  if (Math.max(compare.length, then.length, otherwise.length) <= TXN_CHANGES_MAX) {
    return [then, otherwise].some((changes) => bytesOf(changes) > BYTES_MAX) ? [] : [txn];
  }
  if (compare.length + otherwise.length > 0 || then.some((change) => 'put' in change)) return [];
  const parts: Txn[] = [];
  for (let at = 0; at < then.length; at += TXN_CHANGES_MAX) {
    parts.push(makeTxn(compare, then.slice(at, at + TXN_CHANGES_MAX), otherwise));
  }
  return parts;
}

function bytesOf(changes: readonly Change[]): number {
  return changes.reduce((sum, change) => sum + ('put' in change ? Buffer.byteLength(change.value) : 0), 0);
}

function tooLarge({ then, otherwise }: Txn, object = 'etcd'): MeshError {
  const [largest] = [then, otherwise].toSorted((a, b) => bytesOf(b) - bytesOf(a));
  const text = `a transaction of ${then.length} changes and ${bytesOf(largest ?? [])} bytes is too large for etcd`;
  return new MeshError('MESH_STORE_TOO_LARGE', text, {
    object,
    operation: 'store transaction',
    rule: `A transaction has at most ${TXN_CHANGES_MAX} changes, and ${BYTES_MAX} bytes.`,
  });
}

async function modRevisionOf(client: EtcdClient, key: string): Promise<number> {
  const { kvs } = await client.ask('/v3/kv/range', keyRequest(key), RangeAnswerShape);
  return kvs[0]?.modRevision ?? 0;
}

/** The epoch of the store, which the first host0 that opens it writes. */
async function epochOf(client: EtcdClient): Promise<string> {
  for (;;) {
    const { kvs } = await client.ask('/v3/kv/range', keyRequest(EPOCH_KEY), RangeAnswerShape);
    const [entry] = kvs;
    if (entry !== undefined && EPOCH.test(entry.value.trim())) return entry.value.trim();
    if (entry !== undefined) {
      throw new MeshError('MESH_STORE_BROKEN', `${EPOCH_KEY} holds ${JSON.stringify(entry.value.slice(0, 40))}`, {
        object: 'etcd',
        rule: 'The epoch of a store is 16 hex digits.',
        remedy: `Delete it, and nodes keep what they have: \`etcdctl del ${EPOCH_KEY}\``,
      });
    }
    const epoch = randomBytes(8).toString('hex');
    const request = fencedRequest([{ key: EPOCH_KEY, modRevision: 0 }], [], [{ put: EPOCH_KEY, value: epoch }], []);
    await client.askOnce('/v3/kv/txn', request, TxnAnswerShape);
  }
}
