/**
 * Simulated HTTP over TCP through a mesh: lost packets are retransmitted, and a cut connection is noticed by its
 * silence.
 */
import type {
  EventSubscription,
  Exchange,
  HttpAnswer,
  StreamHandlers,
  StreamRequest,
  Target,
  Transport,
} from '../../src/agent/membership/transport.ts';
import type { Ipv6 } from '../../src/model/address/ipv6.ts';
import { MeshError } from '../../src/model/error.ts';
import type { MachineId } from '../../src/model/machine.ts';
import { memberAddresses } from '../../src/model/network/member.ts';
import type { Mesh } from '../../src/model/network/mesh.ts';
import { STREAM_COMMENT_MS, STREAM_SILENCE_MS } from '../../src/protocol/documents/membership.ts';
import type { SseMessage } from '../../src/protocol/documents/sse.ts';
import type { MeshPath, ReachedBridge } from './mesh-path.ts';
import type { ProcessClock } from './sim-clock.ts';
import type { Station, Underlay } from './underlay.ts';

/** The endpoints of host0's daemon inside the meshes. */
export interface MembershipServer {
  readonly clock: ProcessClock;
  /** Whether the network's endpoint is open on this bridge. */
  listensAt(reached: ReachedBridge, network: Mesh): boolean;
  request(network: Mesh, peer: Ipv6, exchange: Exchange): Promise<HttpAnswer>;
  /**
   * Opens a stream of members, with `send` called for each message. @returns a function that ends the stream
   * @throws MeshError the server's error answer
   */
  follow(
    network: Mesh,
    peer: Ipv6,
    lastEventId: string | undefined,
    send: (message: SseMessage) => void,
  ): Promise<() => void>;
  /** Calls `ended` when the process or its socket is gone. */
  onEnd(ended: () => void): () => void;
}

interface SimTransportInput {
  readonly station: Station;
  readonly machine: MachineId;
  readonly networks: readonly Mesh[];
  readonly clock: ProcessClock;
  readonly path: MeshPath;
  readonly underlay: Underlay;
  readonly server: () => MembershipServer | undefined;
  readonly count: (bytes: number) => void;
}

/** Linux's first retransmission timeout on a fast network. */
const RTO_MS = 200;
/** The first retransmission timeout of a SYN (RFC 6298). */
const SYN_RTO_MS = 1_000;
const LONGEST_RTO_MS = 5_000;

/** A TCP connection between a node and host0. */
interface Connection {
  readonly network: Mesh;
  readonly own: Ipv6;
  readonly host0: Ipv6;
  /** The bridge that answered the SYN. */
  readonly reached: ReachedBridge;
  readonly server: MembershipServer;
}

/** The HTTP client of one node. */
export class SimTransport implements Transport {
  readonly #input: SimTransportInput;

  constructor(input: SimTransportInput) {
    this.#input = input;
  }

  async exchange(target: Target, request: Exchange): Promise<HttpAnswer> {
    const { clock, count } = this.#input;
    const deadlineMs = clock.nowMs() + request.timeoutMs;
    const connection = this.#connect(target);
    if (connection === undefined) {
      await clock.pause(request.connectTimeoutMs);
      throw unreachable('no connection');
    }
    if (!this.#listening(connection)) {
      await clock.pause(this.#oneWayMs(connection));
      throw unreachable('connection refused');
    }
    count(request.body?.length ?? 0);
    const answer = await this.#within(deadlineMs, async () => {
      await this.#carry(connection, 'up', clock, deadlineMs);
      if (!this.#listening(connection)) throw unreachable('connection reset');
      const answered = await connection.server.request(connection.network, connection.own, request);
      await this.#carry(connection, 'down', clock, deadlineMs);
      return answered;
    });
    if (answer === undefined) throw unreachable(`no answer within ${request.timeoutMs} ms`);
    count(answer.body.length);
    return answer;
  }

  openStream(target: Target, request: StreamRequest, handlers: StreamHandlers): EventSubscription {
    return new SimStream(this.#input, () => this.#connect(target), request, handlers);
  }

  /** Performs a TCP handshake without its delay; undefined when it fails. */
  #connect(target: Target): Connection | undefined {
    const { station, machine, networks, path, server } = this.#input;
    if (!('host' in target)) throw new TypeError('a node speaks to host0 inside its meshes only');
    const network = networks.find((candidate) => memberAddresses(candidate, 'host0').ipv6 === target.host);
    if (network === undefined) throw new TypeError(`no mesh has ${target.host}`);
    const own = memberAddresses(network, machine).ipv6;
    const host0 = memberAddresses(network, 'host0').ipv6;
    const reached = path.roundTrip(station, network.bridge.name, own, host0);
    const listening = server();
    return reached === undefined || listening === undefined
      ? undefined
      : { network, own, host0, reached, server: listening };
  }

  #listening({ server, reached, network }: Connection): boolean {
    return !server.clock.dead && this.#input.server() === server && server.listensAt(reached, network);
  }

  #oneWayMs({ reached }: Connection): number {
    return this.#input.underlay.oneWayMs(this.#input.station.name, reached.station.name);
  }

  /** Resolves when a TCP segment has arrived, after retransmissions if needed. */
  async #carry(connection: Connection, way: 'up' | 'down', clock: ProcessClock, deadlineMs: number): Promise<void> {
    for (let rtoMs = RTO_MS; clock.nowMs() < deadlineMs; rtoMs = Math.min(rtoMs * 2, LONGEST_RTO_MS)) {
      if (passes(this.#input, connection, way)) return clock.arrival(this.#oneWayMs(connection));
      await clock.pause(rtoMs);
    }
    throw unreachable('no acknowledgement');
  }

  /** Resolves with the result of `work`, or undefined at the deadline, always at a moment when this process runs. */
  async #within<T>(deadlineMs: number, work: () => Promise<T>): Promise<T | undefined> {
    const { clock } = this.#input;
    const result = await new Promise<{ value: T } | { error: unknown } | undefined>((resolve) => {
      const alarm = clock.after(deadlineMs - clock.nowMs(), () => resolve(undefined));
      work().then(
        (value) => {
          alarm.cancel();
          void clock.arrival(0).then(() => resolve({ value }));
        },
        (error: unknown) => {
          alarm.cancel();
          clock.after(0, () => resolve({ error }));
        },
      );
    });
    if (result !== undefined && 'error' in result) throw result.error;
    return result?.value;
  }
}

class SimStream implements EventSubscription {
  readonly #input: SimTransportInput;
  readonly #handlers: StreamHandlers;
  readonly #silenceMs: number;
  #lastByteMs: number;
  #arrivesMs = 0;
  #ended = false;
  /** The server's end. */
  #hangUp: (() => void) | undefined;
  #connection: Connection | undefined;

  constructor(
    input: SimTransportInput,
    connect: () => Connection | undefined,
    request: StreamRequest,
    handlers: StreamHandlers,
  ) {
    this.#input = input;
    this.#handlers = handlers;
    this.#silenceMs = request.silenceMs;
    this.#lastByteMs = input.clock.nowMs();
    this.#watchSilence();
    void this.#open(connect, request);
  }

  close(): void {
    this.#end(undefined);
  }

  async #open(connect: () => Connection | undefined, { headers }: StreamRequest): Promise<void> {
    const { clock, underlay, station } = this.#input;
    let connection = connect();
    for (let rtoMs = SYN_RTO_MS; connection === undefined; rtoMs *= 2) {
      await clock.pause(rtoMs);
      if (this.#ended) return;
      connection = connect();
    }
    this.#connection = connection;
    const { server, reached, network, own } = connection;
    await clock.pause(3 * underlay.oneWayMs(station.name, reached.station.name));
    if (this.#ended) return;
    if (server.clock.dead || !server.listensAt(reached, network)) return this.#end(unreachable('connection refused'));
    const sender = new StreamSender(this.#input, connection, (messages) => this.#take(messages));
    try {
      const unfollow = await server.follow(network, own, headers?.['last-event-id'], (message) => sender.send(message));
      const forget = server.onEnd(() => {
        sender.close();
        if (passes(this.#input, connection, 'down'))
          clock.after(0.3, () => this.#end(unreachable('it closed the stream')));
      });
      sender.onClose = () => {
        unfollow();
        forget();
      };
    } catch (error) {
      sender.close();
      clock.after(0.3, () => this.#end(unreachable(`it answered ${MeshError.from(error).httpStatus}`)));
      return;
    }
    this.#hangUp = () => sender.close();
    sender.start();
    if (this.#ended) sender.close();
  }

  /** Receives messages after the delay of the network. @returns whether the stream is still read */
  #take(messages: readonly SseMessage[]): boolean {
    if (this.#ended || this.#input.clock.dead) return false;
    const { clock, underlay, station } = this.#input;
    // TCP keeps the order.
    this.#arrivesMs = Math.max(this.#arrivesMs, clock.nowMs() + underlay.oneWayMs(station.name, 'host0'));
    void clock.arrival(this.#arrivesMs - clock.nowMs()).then(() => {
      this.#lastByteMs = clock.nowMs();
      for (const message of messages) if (!this.#ended) this.#handlers.onMessage(message);
      if (!this.#ended) this.#handlers.onHeard?.();
    });
    return true;
  }

  #watchSilence(): void {
    const { clock } = this.#input;
    clock.after(this.#lastByteMs + this.#silenceMs - clock.nowMs(), () => {
      if (this.#ended) return;
      if (clock.nowMs() - this.#lastByteMs < this.#silenceMs) this.#watchSilence();
      else this.#end(unreachable(`silent for ${this.#silenceMs} ms`));
    });
  }

  #end(reason: MeshError | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    // If the last segment is lost, the server finds out when it writes.
    if (this.#connection !== undefined && this.#hangUp !== undefined && passes(this.#input, this.#connection, 'up'))
      this.#hangUp();
    this.#handlers.onEnd(reason);
  }
}

/**
 * host0's end of a stream: it sends in order, retransmits, and closes the stream after nine seconds without success.
 */
class StreamSender {
  readonly #input: SimTransportInput;
  readonly #connection: Connection;
  readonly #deliver: (messages: readonly SseMessage[]) => boolean;
  #pending: SseMessage[] = [];
  #started = false;
  #writing = false;
  #closed = false;
  #stuckSinceMs: number | undefined;
  onClose: () => void = () => undefined;

  constructor(input: SimTransportInput, connection: Connection, deliver: (messages: readonly SseMessage[]) => boolean) {
    this.#input = input;
    this.#connection = connection;
    this.#deliver = deliver;
  }

  start(): void {
    this.#started = true;
    this.#write();
    this.#comment();
  }

  send(message: SseMessage): void {
    this.#pending.push(message);
    if (this.#started && !this.#writing) {
      this.#writing = true;
      this.#connection.server.clock.after(0.05, () => this.#write());
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.onClose();
  }

  #comment(): void {
    this.#connection.server.clock.after(STREAM_COMMENT_MS, () => {
      if (this.#closed) return;
      if (!this.#writing) this.#write();
      this.#comment();
    });
  }

  /** Writes all pending messages; without any, a comment line. */
  #write(rtoMs = RTO_MS): void {
    this.#writing = false;
    if (this.#closed) return;
    const { clock } = this.#connection.server;
    if (passes(this.#input, this.#connection, 'down')) {
      const messages = this.#pending;
      this.#pending = [];
      this.#stuckSinceMs = undefined;
      this.#input.count(messages.reduce((sum, { data }) => sum + data.length, 0));
      if (!this.#deliver(messages)) this.close();
      return;
    }
    const nowMs = clock.nowMs();
    this.#stuckSinceMs ??= nowMs;
    if (nowMs - this.#stuckSinceMs > STREAM_SILENCE_MS) {
      this.close();
      return;
    }
    this.#writing = true;
    clock.after(rtoMs, () => this.#write(Math.min(rtoMs * 2, LONGEST_RTO_MS)));
  }
}

/** Whether one TCP segment and its acknowledgement arrive. */
function passes(
  { path, station }: SimTransportInput,
  { reached, network, own, host0 }: Connection,
  way: 'up' | 'down',
): boolean {
  const { name: bridge } = network.bridge;
  return way === 'up'
    ? path.roundTrip(station, bridge, own, host0)?.station === reached.station
    : path.roundTrip(reached.station, bridge, host0, own)?.station === station;
}

function unreachable(why: string): MeshError {
  return new MeshError('MESH_HOST0_UNREACHABLE', `host0 does not answer: ${why}`, { retryable: true });
}
