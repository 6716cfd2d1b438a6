/**
 * What etcd has, in this process: all entries below `/v1/`, and the history since the mirror was opened. Reads are answered from
 * here, also while etcd is away, and all watches of this process share one stream.
 */
import type { Alarm, Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import { Ledger } from '../ledger.ts';
import type { Entry, WatchBatch } from '../store.ts';
import type { EtcdClient } from './etcd-client.ts';
import { prefixRequest, RangeAnswerShape, type WatchEvent } from './etcd-messages.ts';
import type { WireStream } from './etcd-wire.ts';

/** Keys below this are those of the store itself: its epoch, its fence and who leads. They are no entries. */
export const OWN_KEYS = '/v1/store/';

/** How long to wait before the stream is opened again. */
const PAUSE_MS = 100;
/** A change that was committed arrives within milliseconds; a stream that does not bring it hangs. */
const LAG_MS = 1_500;

/** What a mirror reads, and how much history it keeps. */
export interface EtcdMirrorInput {
  readonly client: EtcdClient;
  readonly clock: Clock;
  /** What the keys of all entries begin with. */
  readonly scope: string;
  readonly historyRevisions: number;
  /** Called for changes of the store's own keys. */
  readonly onOwn: (event: WatchEvent) => void;
}

/** Follows etcd until it is closed. */
export class EtcdMirror {
  readonly ledger: Ledger;
  readonly #input: EtcdMirrorInput;
  #stream: WireStream | undefined;
  #pause: Alarm | undefined;
  #waiting: { readonly revision: number; readonly resolve: () => void }[] = [];
  #lag: Alarm | undefined;
  #trouble: MeshError | undefined;
  #closed = false;

  private constructor(input: EtcdMirrorInput, ledger: Ledger) {
    this.#input = input;
    this.ledger = ledger;
  }

  /** Reads all entries, and follows their changes. @throws MESH_STORE_BROKEN, MESH_STORE_REFUSED */
  static async open(input: EtcdMirrorInput): Promise<EtcdMirror> {
    const { entries, revision } = await readAll(input);
    const ledger = new Ledger({ revision, compacted: revision, entries, history: [] }, input.historyRevisions);
    const mirror = new EtcdMirror(input, ledger);
    mirror.#follow();
    return mirror;
  }

  /** Why the mirror does not follow etcd at present; undefined while it does, as far as it knows. */
  get trouble(): MeshError | undefined {
    return this.#trouble;
  }

  /** Resolves when the mirror shows a revision in which an entry was changed. */
  async shows(revision: number): Promise<void> {
    if (revision <= this.ledger.revision || this.#closed) return;
    await new Promise<void>((resolve) => {
      this.#waiting.push({ revision, resolve });
      this.#lag ??= this.#input.clock.after(LAG_MS, () => this.#isBehind());
    });
  }

  close(): void {
    this.#closed = true;
    this.#stream?.close();
    this.#pause?.cancel();
    this.#lag?.cancel();
    this.ledger.closeWatches();
    this.#tell(Number.POSITIVE_INFINITY);
  }

  #follow(): void {
    this.#stream?.close();
    const { client, scope } = this.#input;
    this.#stream = client.watch(scope, this.ledger.revision + 1, {
      onEvents: (events) => this.#apply(events),
      onCompacted: () => void this.#readAgain(),
      onUnreadable: (error) => this.#later(error, () => void this.#readAgain()),
      onEnd: (error) => this.#later(error, () => this.#follow()),
    });
  }

  #later(error: MeshError, work: () => void): void {
    if (this.#closed) return;
    this.#trouble = error;
    this.#pause = this.#input.clock.after(PAUSE_MS, work);
  }

  /** The stream is silent although there was a change: the member may be cut off. */
  #isBehind(): void {
    this.#lag = undefined;
    if (this.#closed || this.#waiting.length === 0) return;
    this.#stream?.close();
    this.#pause?.cancel();
    this.#input.client.turnAway();
    this.#follow();
    this.#lag = this.#input.clock.after(LAG_MS, () => this.#isBehind());
  }

  /** The history that the mirror has missed is gone. Watches are told so, if there was something to miss. */
  async #readAgain(): Promise<void> {
    try {
      const image = await readAll(this.#input);
      if (this.#closed) return;
      this.#trouble = undefined;
      this.ledger.reset(image);
      this.#tell(image.revision);
      this.#follow();
    } catch (thrown) {
      this.#later(MeshError.from(thrown), () => void this.#readAgain());
    }
  }

  #apply(events: readonly WatchEvent[]): void {
    this.#trouble = undefined;
    const batches: WatchBatch[] = [];
    let present: { readonly revision: number; readonly changes: ({ put: Entry } | { delete: string })[] } | undefined;
    let { revision } = this.ledger;
    for (const event of events) {
      const { kv } = event;
      if (kv.modRevision <= this.ledger.revision) continue;
      revision = kv.modRevision;
      // Other programs write, too, and the store itself: in most revisions of a shared etcd no entry is changed.
      if (kv.key.startsWith(OWN_KEYS)) {
        this.#input.onOwn(event);
        continue;
      }
      if (present?.revision !== revision) {
        present = { revision, changes: [] };
        batches.push(present);
      }
      present.changes.push(event.type === 'DELETE' ? { delete: kv.key } : { put: kv });
    }
    this.ledger.follow(batches, revision);
    this.#tell(revision);
  }

  #tell(revision: number): void {
    const done = this.#waiting.filter((waiting) => waiting.revision <= revision);
    this.#waiting = this.#waiting.filter((waiting) => waiting.revision > revision);
    for (const { resolve } of done) resolve();
    if (this.#waiting.length > 0) return;
    this.#lag?.cancel();
    this.#lag = undefined;
  }
}

async function readAll({ client, scope }: EtcdMirrorInput): Promise<{ entries: Entry[]; revision: number }> {
  const { kvs, header } = await client.askLong('/v3/kv/range', prefixRequest(scope), RangeAnswerShape);
  return { entries: kvs.filter(({ key }) => !key.startsWith(OWN_KEYS)), revision: header.revision };
}
