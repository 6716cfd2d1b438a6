/**
 * The node's channel to host0: one connection inside the management mesh, made again whenever it ends. While it stands,
 * host0 gives the node its assignment, reads the node's status, and asks for captures and paths.
 */
import type { Socket } from 'node:net';
import type { ConnectionTarget } from '../../kernel/sockets/connection.ts';
import type { Alarm, Clock } from '../../model/clock.ts';
import type { MeshError } from '../../model/error.ts';
import { memberAddresses } from '../../model/network/member.ts';
import type { Mesh } from '../../model/network/mesh.ts';
import type { NetworkId } from '../../model/network/number.ts';
import { Signal, type Subscribable } from '../../model/signal.ts';
import { channelError } from '../../protocol/channel/channel-errors.ts';
import {
  CHANNEL_SILENCE_MS,
  PING_MS,
  REFUSED_SPREAD_MS,
  RETRY_SPREAD_MS,
} from '../../protocol/channel/channel-times.ts';
import { type ChannelKey, secureChannel } from '../../protocol/channel/channel-tls.ts';
import { type Finding, findingOf } from '../../protocol/documents/finding.ts';
import { CHANNEL_PORT } from '../../protocol/documents/tcp-ports.ts';
import type { ChannelView } from '../../protocol/documents/views.ts';
import type { HttpHandler } from '../../protocol/http/exchange.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import { channelSession } from './channel-session.ts';

/** What the channel needs of its node. */
export interface NodeChannelInput {
  readonly clock: Clock;
  readonly journal: Journal;
  /** A random number from 0 to 1. */
  readonly random: () => number;
  /** The meshes in which host0 may take the channel, the likeliest first. */
  readonly meshes: () => readonly Mesh[];
  /** Whether this node is a member somewhere now. Otherwise the mesh has a finding, and the channel adds none. */
  readonly isMember: () => boolean;
  /** Reads the machine's key; undefined while it has none. Never rejects. */
  readonly key: () => Promise<ChannelKey | undefined>;
  /** Begins a TCP connection (kernel/sockets/connection.ts). */
  readonly connect: (target: ConnectionTarget) => Socket;
  readonly handler: HttpHandler;
}

/** host0 begins to ask within this time. It waits for nine seconds whether an earlier channel of this machine is dead. */
const OPENING_MS = 12_000;
/** Within this time host0's kernel answers. Later the packet was lost, and a new one is sooner there than TCP's next try. */
const CONNECT_MS = 3_000;
/** After this many refusals in a row the node asks less often. */
const REFUSALS_PATIENCE = 3;
/** A restart of host0 takes some seconds, and is no finding. */
const FINDING_AFTER_MS = 15_000;
/** While a node has neither key nor mesh, it looks again after this time. */
const IDLE_MS = 1_000;

/** Keeps the channel standing from `start` to `close`. */
export class NodeChannel {
  readonly #input: NodeChannelInput;
  readonly #changes = new Signal<void>();
  /** Emits when the channel stands, and when it stands no more. */
  readonly changes: Subscribable<void> = this.#changes;
  /** Ends what is under way: a connection attempt or a channel. */
  #end: (() => void) | undefined;
  #retry: Alarm | undefined;
  #standingSinceMs: number | undefined;
  #downSinceMs: number;
  #error: MeshError | undefined;
  /** Why host0 said that it ends this channel. */
  #refusal: MeshError | undefined;
  #refusals = 0;
  /** Counts attempts that ended early, so that the next mesh is tried. */
  #turn = 0;
  #mesh: NetworkId | undefined;
  #opened = 0;
  #hasKey = false;
  readonly #look = Promise.withResolvers<void>();
  /** Resolves when the node has looked for its key once: from then on, the view says whether there can be a channel. */
  readonly hasLooked: Promise<void> = this.#look.promise;
  #closed = false;

  constructor(input: NodeChannelInput) {
    this.#input = input;
    this.#downSinceMs = input.clock.nowMs();
  }

  /** Whether host0 has taken the channel. */
  get stands(): boolean {
    return this.#standingSinceMs !== undefined;
  }

  /** The mesh in which host0 took the last channel; undefined before the first one. */
  get mesh(): NetworkId | undefined {
    return this.#mesh;
  }

  /** How many channels have stood since the start of the process. */
  get opened(): number {
    return this.#opened;
  }

  /** The channel in a status document. */
  get view(): ChannelView {
    const nowMs = this.#input.clock.nowMs();
    if (this.#standingSinceMs !== undefined) {
      return { state: 'standing', ageSec: Math.floor((nowMs - this.#standingSinceMs) / 1000) };
    }
    if (!this.#hasKey) return { state: 'none', why: 'this machine has no key' };
    if (this.#input.meshes().length === 0) return { state: 'none', why: 'no mesh leads to host0' };
    const ageSec = Math.floor((nowMs - this.#downSinceMs) / 1000);
    return { state: 'down', ageSec, why: this.#error?.message ?? 'it is being opened' };
  }

  start(): void {
    this.#soon(0);
  }

  close(): void {
    this.#closed = true;
    this.#retry?.cancel();
    this.#end?.();
  }

  /** Must be called with what host0 says before it ends the channel. */
  refused(error: MeshError): void {
    this.#refusal = error;
    this.#end?.();
  }

  /** Why the channel does not stand. A node without a key has no finding: an older host0 gave it none. */
  health(): readonly Finding[] {
    const error = this.#error;
    const isLasting = this.#input.clock.nowMs() - this.#downSinceMs >= FINDING_AFTER_MS;
    if (this.stands || error === undefined || !this.#hasKey) return [];
    if (error.code === 'MESH_CHANNEL_DOWN' && !(isLasting && this.#input.isMember())) return [];
    const severity = error.code === 'MESH_CHANNEL_DOWN' ? 'warning' : 'error';
    return [findingOf(error, { object: 'channel', severity })];
  }

  #soon(spreadMs: number): void {
    if (this.#closed) return;
    this.#retry?.cancel();
    this.#retry = this.#input.clock.after(Math.floor(this.#input.random() * spreadMs), () => void this.#open());
  }

  async #open(): Promise<void> {
    const { meshes, key, clock } = this.#input;
    const own = await key();
    if (this.#closed) return;
    this.#hasKey = own !== undefined;
    this.#look.resolve();
    const candidates = meshes();
    const mesh = candidates[this.#turn % Math.max(candidates.length, 1)];
    if (mesh === undefined || own === undefined) {
      this.#retry = clock.after(IDLE_MS, () => void this.#open());
      return;
    }
    this.#connect(mesh, own, candidates.length);
  }

  /** @param meshes how many meshes may be tried */
  #connect(mesh: Mesh, own: ChannelKey, meshes: number): void {
    const { clock, connect, handler, journal } = this.#input;
    const { ipv6 } = memberAddresses(mesh, 'host0');
    const where = `[${ipv6}]:${CHANNEL_PORT}`;
    let socket: Socket;
    try {
      socket = connect({ address: ipv6, port: CHANNEL_PORT, device: mesh.bridge.name });
    } catch (thrown) {
      this.#failed(where, thrown, meshes);
      return;
    }
    let over = false;
    let heardMs = clock.nowMs();
    let cause: unknown = new Error('host0 closed the connection');
    const secure = secureChannel(socket, own);
    const patience = clock.after(OPENING_MS, () => end(new Error(`no answer within ${OPENING_MS / 1000} s`)));
    const connecting = clock.after(CONNECT_MS, () => end(new Error(`no connection within ${CONNECT_MS / 1000} s`)));
    socket.once('connect', () => connecting.cancel());
    const end = (reason?: unknown): void => {
      if (over) return;
      over = true;
      if (reason !== undefined) cause = reason;
      connecting.cancel();
      patience.cancel();
      watch?.cancel();
      secure.destroy();
      socket.destroy();
      this.#end = undefined;
      this.#ended(where, cause, meshes);
    };
    let watch: Alarm | undefined;
    const look = (): void => {
      if (clock.nowMs() - heardMs > CHANNEL_SILENCE_MS) end(new Error(`silent for ${CHANNEL_SILENCE_MS / 1000} s`));
      else watch = clock.after(PING_MS, look);
    };
    this.#end = () => end();
    secure.on('error', end);
    secure.on('close', () => end());
    secure.once('secureConnect', () => {
      channelSession({
        socket: secure,
        handler: async (request, response) => {
          if (request.method === 'GET' && !over) {
            patience.cancel();
            this.#stand(mesh.id);
          }
          await handler(request, response);
        },
        onHeard: () => {
          heardMs = clock.nowMs();
        },
        onEnd: () => end(),
        onFault: (thrown) => journal.faults.tell('request on the channel', thrown),
      });
      look();
    });
  }

  #stand(mesh: NetworkId): void {
    if (this.stands) return;
    this.#mesh = mesh;
    this.#standingSinceMs = this.#input.clock.nowMs();
    this.#error = undefined;
    this.#refusals = 0;
    this.#opened++;
    this.#input.journal.record({ kind: 'channel opened', message: 'host0 has taken the channel of this node' });
    this.#changes.emit();
  }

  #ended(where: string, cause: unknown, meshes: number): void {
    if (!this.stands || this.#refusal !== undefined) {
      this.#failed(where, cause, meshes);
      return;
    }
    this.#down(channelError(where, cause));
    this.#soon(RETRY_SPREAD_MS);
  }

  /** An attempt came to nothing. In a mesh where host0 listens at no port, the next mesh is tried without a pause. */
  #failed(where: string, cause: unknown, meshes: number): void {
    const error = this.#refusal ?? channelError(where, cause);
    this.#refusal = undefined;
    this.#down(error);
    const isRefusal = error.code !== 'MESH_CHANNEL_DOWN';
    this.#refusals = isRefusal ? this.#refusals + 1 : 0;
    if (isRefusal) {
      this.#soon(this.#refusals > REFUSALS_PATIENCE ? REFUSED_SPREAD_MS : RETRY_SPREAD_MS);
      return;
    }
    this.#turn++;
    this.#soon(this.#turn % meshes === 0 ? RETRY_SPREAD_MS : 0);
  }

  #down(error: MeshError): void {
    const { clock, journal } = this.#input;
    const isNews = this.stands || this.#error?.code !== error.code;
    if (this.stands) this.#downSinceMs = clock.nowMs();
    const stood = this.stands;
    this.#standingSinceMs = undefined;
    this.#error = error;
    if (isNews && !this.#closed) {
      const kind = stood ? 'channel closed' : 'channel not opened';
      journal.record({ level: 'warning', kind, message: error.message, code: error.code, object: 'channel' });
    }
    if (stood) this.#changes.emit();
  }
}
