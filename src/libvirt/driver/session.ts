/** What the driver keeps of one client: whether its connection is open, and what it wants to be told. */
import type { EventMessage } from '../calls/call.ts';
import { EVENT_ID, LIFECYCLE, LIFECYCLE_MESSAGE, METADATA_MESSAGE } from '../calls/event-calls.ts';
import type { NetworkKey } from '../calls/values.ts';
import { VIR_CODE, VirError } from '../rpc/vir-error.ts';
import { connectionState, readOnly } from './refusals.ts';
import type { VirtualNetworks } from './virtual-networks.ts';

/** What a session may do with its connection. */
export interface Peer {
  send<T>(message: EventMessage<T>, value: T): void;
  startKeepalive(): void;
}

/** What a session needs. */
export interface SessionInput {
  readonly networks: VirtualNetworks;
  readonly peer: Peer;
  /** Whether the socket is one for clients that only read. */
  readonly isReadOnly: boolean;
  readonly maxCallbacks: number;
}

interface Callback {
  readonly eventId: number;
  /** The UUID of the only network that is told of; absent: all. */
  readonly network: string | undefined;
}

/** One client. */
export class Session {
  readonly networks: VirtualNetworks;
  readonly #input: SessionInput;
  readonly #callbacks = new Map<number, Callback>();
  #nextCallback = 0;
  #unsubscribe: (() => void) | undefined;
  #access: 'closed' | 'read' | 'write' = 'closed';
  /** The name that the connection was opened with. */
  uri = 'network:///system';

  constructor(input: SessionInput) {
    this.networks = input.networks;
    this.#input = input;
  }

  /** Opens the connection for calls of networks. */
  open(uri: string, wantsReadOnly: boolean): void {
    if (this.#access !== 'closed') throw connectionState('connection already open');
    this.uri = uri;
    this.#access = wantsReadOnly || this.#input.isReadOnly ? 'read' : 'write';
  }

  get isOpen(): boolean {
    return this.#access !== 'closed';
  }

  startKeepalive(): void {
    this.#input.peer.startKeepalive();
  }

  /** @throws VirError where the client may not make the call */
  mustBeAllowed(need: 'open' | 'write', name: string): void {
    if (this.#access === 'closed') throw connectionState('connection not open');
    if (need === 'write' && this.#access === 'read') throw readOnly(name);
  }

  /** @returns the number of the callback, which each of its messages carries */
  register(eventId: number, network: string | undefined): number {
    if (this.#callbacks.size >= this.#input.maxCallbacks) {
      throw VirError.of(VIR_CODE.operationFailed, `a client has at most ${this.#input.maxCallbacks} callbacks`);
    }
    this.#unsubscribe ??= this.#subscribe();
    const id = this.#nextCallback++;
    this.#callbacks.set(id, { eventId, network });
    return id;
  }

  deregister(id: number): void {
    if (!this.#callbacks.delete(id)) {
      throw VirError.of(VIR_CODE.internal, `network event callback ${id} not registered`, 7);
    }
    if (this.#callbacks.size === 0) this.close();
  }

  close(): void {
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
    this.#callbacks.clear();
  }

  #subscribe(): () => void {
    const { networks, peer } = this.#input;
    const ends = [
      networks.lifecycle.subscribe(({ kind, network: { name, uuid } }) => {
        const body = { network: { name, uuid }, event: LIFECYCLE[kind], detail: 0 };
        for (const callbackId of this.#listening(EVENT_ID.lifecycle, { uuid })) {
          peer.send(LIFECYCLE_MESSAGE, { callbackId, ...body });
        }
      }),
      networks.metadataChanges.subscribe(({ network: { name, uuid }, type, uri }) => {
        for (const callbackId of this.#listening(EVENT_ID.metadataChange, { uuid })) {
          peer.send(METADATA_MESSAGE, { callbackId, network: { name, uuid }, type, uri });
        }
      }),
    ];
    return () => {
      for (const end of ends) end();
    };
  }

  #listening(wanted: number, { uuid }: Pick<NetworkKey, 'uuid'>): readonly number[] {
    return [...this.#callbacks].flatMap(([id, { eventId, network }]) =>
      eventId === wanted && (network === undefined || network === uuid) ? [id] : [],
    );
  }
}
