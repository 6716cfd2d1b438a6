/** HTTP over TCP through a mesh, with what the network does to it: lost packets cost retransmissions, and cut ones time. */
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
import type { Network } from '../../src/model/network/network.ts';
import { STREAM_COMMENT_MS, STREAM_SILENCE_MS } from '../../src/protocol/documents/membership.ts';
import type { SseMessage } from '../../src/protocol/documents/sse.ts';
import type { MeshPath, Place } from './mesh-path.ts';
import type { ProcessClock } from './sim-clock.ts';
import type { Station, Underlay } from './underlay.ts';

/** What listens at host0's address in the meshes. */
export interface MembershipServer {
  readonly clock: ProcessClock;
  listensAt(place: Place, network: Network): boolean;
  request(network: Network, peer: Ipv6, exchange: Exchange): Promise<HttpAnswer>;
  /** @throws MeshError which the server answers with */
  follow(
    network: Network,
    peer: Ipv6,
    lastEventId: string | undefined,
    send: (message: SseMessage) => void,
  ): Promise<() => void>;
  /** Calls `ended` when the process or its socket is gone. */
  onEnd(ended: () => void): () => void;
}

export interface SimTransportInput {
  readonly station: Station;
  readonly machine: MachineId;
  readonly networks: readonly Network[];
  readonly clock: ProcessClock;
  readonly path: MeshPath;
  readonly underlay: Underlay;
  readonly server: () => MembershipServer | undefined;
  readonly count: (bytes: number) => void;
}

/** Linux's first retransmission on a fast network, and of a SYN (RFC 6298). */
const RTO_MS = 200;
const SYN_RTO_MS = 1_000;
const LONGEST_RTO_MS = 5_000;

/** A TCP connection between a node and host0. */
interface Line {
  readonly network: Network;
  readonly own: Ipv6;
  readonly host0: Ipv6;
  readonly place: Place;
  readonly server: MembershipServer;
}

export class SimTransport implements Transport {
  readonly #input: SimTransportInput;

  constructor(input: SimTransportInput) {
    this.#input = input;
  }

  async exchange(target: Target, request: Exchange): Promise<HttpAnswer> {
    const { clock, count } = this.#input;
    const deadlineMs = clock.nowMs() + request.timeoutMs;
    const line = this.#connect(target);
    if (line === undefined) {
      await clock.pause(request.connectTimeoutMs);
      throw unreachable('no connection');
    }
    if (!this.#listening(line)) {
      await clock.pause(this.#oneWayMs(line));
      throw unreachable('connection refused');
    }
    count(request.body?.length ?? 0);
    const answer = await this.#within(deadlineMs, async () => {
      await this.#carry(line, 'up', clock, deadlineMs);
      if (!this.#listening(line)) throw unreachable('connection reset');
      const answered = await line.server.request(line.network, line.own, request);
      await this.#carry(line, 'down', clock, deadlineMs);
      return answered;
    });
    if (answer === undefined) throw unreachable(`no answer within ${request.timeoutMs} ms`);
    count(answer.body.length);
    return answer;
  }

  openStream(target: Target, request: StreamRequest, handlers: StreamHandlers): EventSubscription {
    return new SimStream(this.#input, () => this.#connect(target), request, handlers);
  }

  /** The first packets of a handshake. */
  #connect(target: Target): Line | undefined {
    const { station, machine, networks, path, server } = this.#input;
    if (!('host' in target)) throw new TypeError('a node speaks to host0 inside its meshes only');
    const network = networks.find((candidate) => memberAddresses(candidate, 'host0').ipv6 === target.host);
    if (network === undefined) throw new TypeError(`no mesh has ${target.host}`);
    const own = memberAddresses(network, machine).ipv6;
    const host0 = memberAddresses(network, 'host0').ipv6;
    const place = path.roundTrip(station, network.devices.bridge, own, host0);
    const listening = server();
    return place === undefined || listening === undefined
      ? undefined
      : { network, own, host0, place, server: listening };
  }

  #listening({ server, place, network }: Line): boolean {
    return !server.clock.dead && this.#input.server() === server && server.listensAt(place, network);
  }

  #oneWayMs({ place }: Line): number {
    return this.#input.underlay.oneWayMs(this.#input.station.name, place.station.name);
  }

  /** Resolves when a segment has got through. */
  async #carry(line: Line, way: 'up' | 'down', clock: ProcessClock, deadlineMs: number): Promise<void> {
    for (let rtoMs = RTO_MS; clock.nowMs() < deadlineMs; rtoMs = Math.min(rtoMs * 2, LONGEST_RTO_MS)) {
      if (passes(this.#input, line, way)) return clock.arrival(this.#oneWayMs(line));
      await clock.pause(rtoMs);
    }
    throw unreachable('no acknowledgement');
  }

  /** @returns undefined when the time is up; always in this process's own time */
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
  #line: Line | undefined;

  constructor(
    input: SimTransportInput,
    connect: () => Line | undefined,
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

  async #open(connect: () => Line | undefined, { headers }: StreamRequest): Promise<void> {
    const { clock, underlay, station } = this.#input;
    let line = connect();
    for (let rtoMs = SYN_RTO_MS; line === undefined; rtoMs *= 2) {
      await clock.pause(rtoMs);
      if (this.#ended) return;
      line = connect();
    }
    this.#line = line;
    const { server, place, network, own } = line;
    await clock.pause(3 * underlay.oneWayMs(station.name, place.station.name));
    if (this.#ended) return;
    if (server.clock.dead || !server.listensAt(place, network)) return this.#end(unreachable('connection refused'));
    const sender = new StreamSender(this.#input, line, (messages) => this.#take(messages));
    try {
      const unfollow = await server.follow(network, own, headers?.['last-event-id'], (message) => sender.send(message));
      const forget = server.onEnd(() => {
        sender.close();
        if (passes(this.#input, line, 'down')) clock.after(0.3, () => this.#end(unreachable('it closed the stream')));
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

  /** @returns whether anybody still reads */
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
    if (this.#line !== undefined && this.#hangUp !== undefined && passes(this.#input, this.#line, 'up')) this.#hangUp();
    this.#handlers.onEnd(reason);
  }
}

/** host0's end of a stream: in order, again and again until it gets through, and given up after nine seconds. */
class StreamSender {
  readonly #input: SimTransportInput;
  readonly #line: Line;
  readonly #deliver: (messages: readonly SseMessage[]) => boolean;
  #pending: SseMessage[] = [];
  #started = false;
  #writing = false;
  #closed = false;
  #stuckSinceMs: number | undefined;
  onClose: () => void = () => undefined;

  constructor(input: SimTransportInput, line: Line, deliver: (messages: readonly SseMessage[]) => boolean) {
    this.#input = input;
    this.#line = line;
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
      this.#line.server.clock.after(0.05, () => this.#write());
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.onClose();
  }

  #comment(): void {
    this.#line.server.clock.after(STREAM_COMMENT_MS, () => {
      if (this.#closed) return;
      if (!this.#writing) this.#write();
      this.#comment();
    });
  }

  /** All that is pending; nothing is a comment. */
  #write(rtoMs = RTO_MS): void {
    this.#writing = false;
    if (this.#closed) return;
    const { clock } = this.#line.server;
    if (passes(this.#input, this.#line, 'down')) {
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

/** Whether one segment gets through, and its acknowledgement back. */
function passes(
  { path, station }: SimTransportInput,
  { place, network, own, host0 }: Line,
  way: 'up' | 'down',
): boolean {
  const { bridge } = network.devices;
  return way === 'up'
    ? path.roundTrip(station, bridge, own, host0)?.station === place.station
    : path.roundTrip(place.station, bridge, host0, own)?.station === station;
}

function unreachable(why: string): MeshError {
  return new MeshError('MESH_HOST0_UNREACHABLE', `host0 does not answer: ${why}`, { retryable: true });
}
