/** A client of etcd: it asks one member, and goes on to the next one when that does not answer. */
import type { Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import { readDocument } from '../../protocol/shapes/document.ts';
import type { Shape } from '../../protocol/shapes/form.ts';
import { broken, EtcdFailure, judgedFailure, refused } from './etcd-failure.ts';
import { TokenShape, type WatchEvent, WatchLineShape, watchRequest } from './etcd-messages.ts';
import type { EtcdPlace } from './etcd-place.ts';
import { EtcdWire, type WireStream } from './etcd-wire.ts';

/** An election takes two seconds, and a member that answers at all answers within milliseconds. */
const ATTEMPT_MS = 1_500;
/** How long members are asked one after the other. */
const PATIENCE_MS = 10_000;
const PAUSE_MS = 100;
/** Reading all entries at once takes longer than a change. */
const RANGE_MS = 20_000;

/** How long a request may take. */
export interface Patience {
  /** At one member. */
  readonly attemptMs?: number;
  /** In all. */
  readonly totalMs?: number;
}

/** What a watch tells. */
export interface EtcdWatchListener {
  readonly onEvents: (events: readonly WatchEvent[]) => void;
  /** The history that was asked for is gone. */
  readonly onCompacted: () => void;
  /** What the member has sent cannot be read, and it would send the same again. */
  readonly onUnreadable: (error: MeshError) => void;
  readonly onEnd: (error: MeshError) => void;
}

/** Asks the members of an etcd. */
export class EtcdClient {
  readonly #place: EtcdPlace;
  readonly #clock: Clock;
  readonly #wires: readonly EtcdWire[];
  #present = 0;
  #token: Promise<string> | undefined;
  #closed = false;

  constructor(place: EtcdPlace, clock: Clock) {
    this.#place = place;
    this.#clock = clock;
    this.#wires = place.endpoints.map((endpoint) => new EtcdWire(endpoint, place.tls, clock));
  }

  /** A read, or a write that may be carried out twice. @throws MESH_STORE_BROKEN, MESH_STORE_REFUSED */
  ask<T>(path: string, body: object, shape: Shape<T>, patience: Patience = {}): Promise<T> {
    return this.#ask(path, body, shape, { ...patience, mayRepeat: true });
  }

  /** All of a range. @throws MESH_STORE_BROKEN, MESH_STORE_REFUSED */
  askLong<T>(path: string, body: object, shape: Shape<T>): Promise<T> {
    return this.ask(path, body, shape, { attemptMs: RANGE_MS, totalMs: 2 * RANGE_MS });
  }

  /**
   * A write that must not be carried out twice.
   * @returns undefined when nobody knows whether it was, or will be
   * @throws MESH_STORE_* when it was not
   */
  async askOnce<T>(path: string, body: object, shape: Shape<T>): Promise<T | undefined> {
    try {
      return await this.#ask(path, body, shape, { mayRepeat: false });
    } catch (thrown) {
      if (thrown instanceof EtcdFailure) return undefined;
      throw thrown;
    }
  }

  /** Follows the changes below a prefix at one member, until that ends. */
  watch(prefix: string, fromRevision: number, listener: EtcdWatchListener): WireStream {
    let stream: WireStream | undefined;
    let isOver = false;
    const end = (error: MeshError): void => {
      if (isOver) return;
      close();
      listener.onEnd(error);
    };
    const close = (): void => {
      isOver = true;
      stream?.close();
    };
    const at = this.#present;
    const unreadable = (error: MeshError): void => {
      if (isOver) return;
      close();
      listener.onUnreadable(error);
    };
    const failed = (failure: EtcdFailure): void => {
      if (failure.kind === 'unreadable') {
        unreadable(failure.error);
        return;
      }
      if (failure.kind === 'expired') this.#token = undefined;
      else this.#leave(at);
      end(failure.error);
    };
    const onLine = (line: string): void => {
      const { document } = readDocument(WatchLineShape, line, Number.POSITIVE_INFINITY);
      if (isOver) return;
      const { error, result } = document ?? {};
      if (error !== undefined) failed(judgedFailure(error));
      else if (result === undefined) unreadable(broken('etcd sends a line that is not in its form'));
      else if (result.compact_revision > 0) {
        close();
        listener.onCompacted();
      } else if (result.canceled) end(refused(`etcd ends the watch: ${result.cancel_reason || 'no reason'}`));
      else if (result.events.length > 0) listener.onEvents(result.events);
    };
    const start = async (): Promise<void> => {
      const token = await this.#tokenAt(this.#wire(at));
      if (isOver) return;
      const body = JSON.stringify(watchRequest(prefix, fromRevision));
      stream = this.#wire(at).follow({ path: '/v3/watch', body, token }, { onLine, onEnd: failed });
    };
    start().catch((thrown: unknown) => {
      if (thrown instanceof EtcdFailure) failed(thrown);
      else end(MeshError.from(thrown));
    });
    return { close };
  }

  /** Asks another member from now on. */
  turnAway(): void {
    this.#leave(this.#present);
  }

  close(): void {
    this.#closed = true;
    for (const wire of this.#wires) wire.close();
  }

  /** @throws EtcdFailure only where the request must not be repeated */
  async #ask<T>(
    path: string,
    body: object,
    shape: Shape<T>,
    {
      attemptMs = ATTEMPT_MS,
      totalMs = PATIENCE_MS,
      mayRepeat,
    }: Patience & {
      readonly mayRepeat: boolean;
    },
  ): Promise<T> {
    const deadlineMs = this.#clock.nowMs() + totalMs;
    let renewals = 0;
    let distrust = 0;
    for (;;) {
      const at = this.#present;
      try {
        return await this.#askAt(at, path, JSON.stringify(body), shape, attemptMs);
      } catch (thrown) {
        if (!(thrown instanceof EtcdFailure)) throw thrown;
        if (this.#closed || thrown.kind === 'final') throw thrown.error;
        if (thrown.kind === 'expired') {
          this.#token = undefined;
          if (++renewals > 1) throw thrown.error;
          continue;
        }
        this.#leave(at);
        // One member with an old certificate is no reason to give up.
        if (thrown.kind === 'untrusted' && ++distrust >= this.#wires.length) throw thrown.error;
        if (thrown.kind === 'unsure' && !mayRepeat) throw thrown;
        if (this.#clock.nowMs() >= deadlineMs) throw thrown.error;
        await new Promise<void>((resolve) => this.#clock.after(PAUSE_MS, resolve));
      }
    }
  }

  async #askAt<T>(at: number, path: string, body: string, shape: Shape<T>, attemptMs: number): Promise<T> {
    const wire = this.#wire(at);
    const token = await this.#tokenAt(wire);
    const text = await wire.ask({ path, body, token }, attemptMs);
    const { document, fault } = readDocument(shape, text, Number.POSITIVE_INFINITY);
    if (fault !== undefined) throw new EtcdFailure('unsure', broken(`the answer of etcd at ${wire.name} ${fault}`));
    return document;
  }

  /** Undefined where etcd has no authentication. It takes 0.1 s, so one token is used until it is refused. */
  async #tokenAt(wire: EtcdWire): Promise<string | undefined> {
    const { user } = this.#place;
    if (user === undefined) return undefined;
    this.#token ??= this.#authenticate(wire, user);
    const token = this.#token;
    try {
      return await token;
    } catch (thrown) {
      if (this.#token === token) this.#token = undefined;
      // The request itself was not sent.
      throw thrown instanceof EtcdFailure && thrown.kind === 'unsure' ? new EtcdFailure('away', thrown.error) : thrown;
    }
  }

  async #authenticate(wire: EtcdWire, { name, password }: NonNullable<EtcdPlace['user']>): Promise<string> {
    const body = JSON.stringify({ name, password });
    const text = await wire.ask({ path: '/v3/auth/authenticate', body, token: undefined }, ATTEMPT_MS);
    const { document, fault } = readDocument(TokenShape, text);
    if (document === undefined) throw new EtcdFailure('away', broken(`the answer of etcd at ${wire.name} ${fault}`));
    return document.token;
  }

  #wire(at: number): EtcdWire {
    const wire = this.#wires[at % this.#wires.length];
    if (wire === undefined) throw new MeshError('MESH_USAGE', 'no endpoint of etcd is given');
    return wire;
  }

  /** Of several requests that fail at one member, the first one goes on to the next member. */
  #leave(at: number): void {
    if (this.#present === at) this.#present++;
  }
}
