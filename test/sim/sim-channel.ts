/**
 * The channel of a simulated node: one TCP connection in the first mesh, with pings of host0 and the lines about memberships. As
 * in src/agent/channel and src/api/channel, without TLS and HTTP/2.
 */
import type { ChannelMemberships, MembershipLinesTaker } from '../../src/agent/membership/channel-memberships.ts';
import type { KeptMemberships } from '../../src/api/channel/kept-memberships.ts';
import type { MachineId } from '../../src/model/machine.ts';
import { memberAddresses } from '../../src/model/network/member.ts';
import type { Mesh } from '../../src/model/network/mesh.ts';
import { CHANNEL_SILENCE_MS, PING_MS, RETRY_SPREAD_MS } from '../../src/protocol/channel/channel-times.ts';
import type { MeshPath } from './mesh-path.ts';
import type { ProcessClock } from './sim-clock.ts';
import type { MembershipServer } from './sim-transport.ts';
import type { Station, Underlay } from './underlay.ts';

/** host0's daemon, as far as channels need it. */
export interface ChannelServer extends MembershipServer {
  /** Takes a channel. @returns undefined while an earlier channel of the machine answers */
  takeChannel(machine: MachineId, instance: string, write: (text: string) => void): KeptMemberships | undefined;
  /** Must be called when the channel has ended. */
  channelEnded(machine: MachineId, kept: KeptMemberships): void;
}

interface SimChannelInput {
  readonly station: Station;
  readonly machine: MachineId;
  readonly instance: string;
  readonly networks: readonly Mesh[];
  readonly clock: ProcessClock;
  readonly path: MeshPath;
  readonly underlay: Underlay;
  readonly random: () => number;
  readonly memberships: ChannelMemberships;
  readonly server: () => ChannelServer | undefined;
}

const PING = 'ping\n';
const ANSWER = 'answer\n';
/** As in sim-transport.ts. */
const RTO_MS = 200;
const LONGEST_RTO_MS = 5_000;
/** The time until a closed connection is noticed at the other end. */
const CLOSE_MS = 0.3;

/** Opens the channel of one run of the agent, and opens it again whenever it ends. */
export class SimChannel {
  readonly #input: SimChannelInput;
  #hangUp: (() => void) | undefined;

  constructor(input: SimChannelInput) {
    this.#input = input;
  }

  start(): void {
    const { clock, random } = this.#input;
    clock.after(random() * RETRY_SPREAD_MS, () => void this.#open());
  }

  /** Must be called when the agent is killed: its kernel closes the connection. */
  died(): void {
    this.#hangUp?.();
  }

  async #open(): Promise<void> {
    const { clock, underlay, station, server: serverNow, networks, path, machine } = this.#input;
    const [network] = networks;
    const server = serverNow();
    if (network === undefined || server === undefined) return this.start();
    const [own, host0] = [memberAddresses(network, machine).ipv6, memberAddresses(network, 'host0').ipv6];
    const there = () => path.roundTrip(station, network.bridge.name, own, host0);
    const reached = there();
    // A handshake in which a packet is lost takes longer than the next attempt.
    if (reached === undefined || !server.listensAt(reached, network)) return this.start();
    const delayMs = underlay.oneWayMs(station.name, reached.station.name);
    await clock.pause(3 * delayMs);
    if (server.clock.dead) return this.start();
    this.#converse(server, delayMs, {
      up: () => there()?.station === reached.station,
      down: () => path.roundTrip(reached.station, network.bridge.name, host0, own)?.station === station,
    });
  }

  #converse(
    server: ChannelServer,
    delayMs: number,
    passes: { readonly up: () => boolean; readonly down: () => boolean },
  ): void {
    const { clock, machine, instance, memberships } = this.#input;
    let nodeHeardMs = clock.nowMs();
    let hostHeardMs = clock.nowMs();
    let [isNodeOver, isHostOver] = [false, false];
    const up = new Pipe(clock, server.clock, delayMs, passes.up, (lines) => {
      if (isHostOver) return;
      hostHeardMs = server.clock.nowMs();
      for (const line of lines) if (line === ANSWER.trim()) kept.beat();
      for (const line of lines) if (line !== ANSWER.trim() && !isHostOver) kept.take(line);
    });
    let taker: MembershipLinesTaker | undefined;
    const down = new Pipe(server.clock, clock, delayMs, passes.down, (lines) => {
      if (isNodeOver) return;
      nodeHeardMs = clock.nowMs();
      if (lines.includes(PING.trim())) up.send(ANSWER);
      taker?.take(lines.filter((line) => line !== PING.trim()));
    });
    const taken = server.takeChannel(machine, instance, (text) => down.send(text));
    if (taken === undefined) {
      this.start();
      return;
    }
    const kept = taken;
    const endHost = (): void => {
      if (isHostOver) return;
      isHostOver = true;
      down.close();
      server.channelEnded(machine, kept);
      if (passes.down()) clock.after(CLOSE_MS, endNode);
    };
    const endNode = (): void => {
      if (isNodeOver) return;
      isNodeOver = true;
      up.close();
      this.#hangUp = undefined;
      if (passes.up()) server.clock.after(CLOSE_MS, endHost);
      taker?.end();
      this.start();
    };
    const forget = server.onEnd(endHost);
    this.#hangUp = () => {
      if (passes.up()) server.clock.after(CLOSE_MS, endHost);
    };
    const ping = (): void => {
      if (!isHostOver && server.clock.nowMs() - hostHeardMs > CHANNEL_SILENCE_MS) endHost();
      if (isHostOver) {
        forget();
        return;
      }
      down.send(PING);
      server.clock.after(PING_MS, ping);
    };
    const watch = (): void => {
      if (isNodeOver) return;
      if (clock.nowMs() - nodeHeardMs > CHANNEL_SILENCE_MS) endNode();
      else clock.after(PING_MS, watch);
    };
    server.clock.after(PING_MS, ping);
    clock.after(PING_MS, watch);
    taker = memberships.begin((text) => up.send(text));
  }
}

/** One direction of a TCP connection: it keeps the order, and sends again what was lost. */
class Pipe {
  readonly #from: ProcessClock;
  readonly #to: ProcessClock;
  readonly #delayMs: number;
  readonly #passes: () => boolean;
  readonly #deliver: (lines: readonly string[]) => void;
  #pending = '';
  #isWriting = false;
  #isClosed = false;
  #arrivesMs = 0;

  constructor(
    from: ProcessClock,
    to: ProcessClock,
    delayMs: number,
    passes: () => boolean,
    deliver: (lines: readonly string[]) => void,
  ) {
    this.#from = from;
    this.#to = to;
    this.#delayMs = delayMs;
    this.#passes = passes;
    this.#deliver = deliver;
  }

  send(text: string): void {
    this.#pending += text;
    if (this.#isWriting || this.#isClosed) return;
    this.#isWriting = true;
    this.#from.after(0.05, () => this.#write(RTO_MS));
  }

  close(): void {
    this.#isClosed = true;
  }

  #write(rtoMs: number): void {
    if (this.#isClosed) return;
    if (!this.#passes()) {
      this.#from.after(rtoMs, () => this.#write(Math.min(rtoMs * 2, LONGEST_RTO_MS)));
      return;
    }
    this.#isWriting = false;
    const lines = this.#pending.split('\n').slice(0, -1);
    this.#pending = '';
    this.#arrivesMs = Math.max(this.#arrivesMs, this.#from.nowMs() + this.#delayMs);
    void this.#to.arrival(this.#arrivesMs - this.#from.nowMs()).then(() => {
      if (!this.#to.dead && !this.#isClosed) this.#deliver(lines);
    });
  }
}
