/**
 * How a node hears of the members of one mesh: by its channel while host0 keeps the membership by it, otherwise by a stream inside
 * the mesh.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Ipv4, Ipv4Cidr } from '../../model/address/ipv4.ts';
import type { Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import type { Mesh } from '../../model/network/mesh.ts';
import {
  formatVersion,
  type MembershipEvent,
  type MembershipVersion,
  type NetworkState,
  STREAM_SILENCE_MS,
} from '../../protocol/documents/membership.ts';
import type { SseMessage } from '../../protocol/documents/sse.ts';
import {
  EVENT_MAX_LENGTH,
  membershipEventReader,
  membershipValueReader,
} from '../../protocol/shapes/membership-shape.ts';
import type { ChannelMembership, ChannelMemberships, Claimed } from './channel-memberships.ts';
import type { EventSubscription, Target, Transport } from './transport.ts';

/** What the members of one mesh are heard with. */
export interface MemberStreamInput {
  readonly network: Mesh;
  readonly target: Target;
  readonly clock: Clock;
  readonly transport: Transport;
  /** Absent: this node has no channel. */
  readonly channel?: Pick<ChannelMemberships, 'follow'>;
  /** What the node says of its membership. It has no address while it has no route to host0. */
  readonly claimed: () => { readonly ipv4: Ipv4 | undefined; readonly state: NetworkState };
  /** The version of the list that the node has; undefined when it needs a list. */
  readonly version: () => MembershipVersion | undefined;
  readonly onEvent: (event: MembershipEvent) => void;
  /** Called after the events that came together, and after each other sign of life of host0. */
  readonly onHeard: () => void;
  /** Called when host0 keeps the membership by the channel from now on: reports need no more be frequent. */
  readonly onKept: (segments: readonly Ipv4Cidr[]) => void;
  /** Called when nothing is heard any more, with the reason. Not after `close`. */
  readonly onEnd: (reason: StreamEnd) => void;
}

/** `ended`: the node is to report at once. `away`: the channel has ended, and will be back soon, unless host0 is gone. */
export type StreamEnd = { readonly kind: 'ended' | 'away' } | { readonly kind: 'malformed'; readonly error: MeshError };

/** The members of one mesh as they are heard. */
export class MemberStream {
  readonly #input: MemberStreamInput;
  readonly #readText: (data: string) => MembershipEvent;
  readonly #readValue: (value: unknown) => MembershipEvent;
  /** The stream inside the mesh. */
  #own: EventSubscription | undefined;
  #byChannel: ChannelMembership | undefined;
  #isKept = false;
  /** What was told last by the channel. */
  #claimed: Claimed | undefined;
  /** When the first bytes of what is open now arrived. */
  #heardSinceMs: number | undefined;

  constructor(input: MemberStreamInput) {
    this.#input = input;
    this.#readText = membershipEventReader(input.network);
    this.#readValue = membershipValueReader(input.network);
  }

  /** Whether host0 keeps the membership by the channel. */
  get isKept(): boolean {
    return this.#isKept;
  }

  /** Since when members are heard without a gap, on the clock; undefined while they are not. */
  get sinceMs(): number | undefined {
    return this.#own === undefined && !this.#isKept ? undefined : this.#heardSinceMs;
  }

  /**
   * Begins to hear, if it does not already. While host0 asks for memberships on the channel, the channel is tried first; a second
   * call before host0 has answered there opens a stream inside the mesh, too.
   */
  open(): void {
    if (this.#isKept) return;
    const isAsked = this.#byChannel !== undefined;
    if (!isAsked) this.follow();
    if (this.#own === undefined && (isAsked || this.#byChannel === undefined)) this.#openOwn();
  }

  /** Asks host0 to keep the membership by the channel, if host0 takes such questions now. */
  follow(): void {
    const { channel, network, version } = this.#input;
    const now = this.#claimable();
    if (this.#byChannel !== undefined || channel === undefined || now === undefined) return;
    this.#claimed = now;
    const followed = channel.follow(network.id, now, version(), {
      onKept: (segments) => this.#kept(segments),
      onEvent: (event) => {
        if (this.#isKept) this.#take(() => this.#readValue(event));
      },
      onHeard: () => {
        if (this.#isKept) this.#heard();
      },
      onEnded: () => this.#channelEnded('ended'),
      onAway: () => this.#channelEnded('away'),
    });
    this.#byChannel = followed;
  }

  /** Tells host0 by the channel what has changed. */
  tell(): void {
    const now = this.#claimable();
    if (now === undefined || this.#byChannel === undefined || this.#claimed === undefined) return;
    if (isDeepStrictEqual(now, this.#claimed)) return;
    this.#claimed = now;
    this.#byChannel.tell(now);
  }

  close(): void {
    this.#own?.close();
    this.#own = undefined;
    this.#byChannel?.close();
    this.#byChannel = undefined;
    this.#isKept = false;
  }

  #claimable(): Claimed | undefined {
    const { ipv4, state } = this.#input.claimed();
    return ipv4 === undefined ? undefined : { ipv4, state };
  }

  #kept(segments: readonly Ipv4Cidr[]): void {
    // The changes since `version` come on the channel now.
    this.#own?.close();
    this.#own = undefined;
    this.#isKept = true;
    this.#heardSinceMs = undefined;
    this.#input.onKept(segments);
  }

  #channelEnded(kind: 'ended' | 'away'): void {
    const wasKept = this.#isKept;
    this.#byChannel = undefined;
    this.#isKept = false;
    if (wasKept) this.#input.onEnd({ kind });
    else if (this.#own === undefined) this.#openOwn();
  }

  #openOwn(): void {
    const { transport, target, version } = this.#input;
    const since = version();
    this.#heardSinceMs = undefined;
    const own = transport.openStream(
      target,
      {
        path: '/events',
        silenceMs: STREAM_SILENCE_MS,
        messageMaxLength: EVENT_MAX_LENGTH,
        ...(since !== undefined && { headers: { 'last-event-id': formatVersion(since) } }),
      },
      {
        onMessage: (message) => this.#onMessage(message),
        onHeard: () => this.#heard(),
        onEnd: (reason) => {
          if (this.#own === own) this.#own = undefined;
          if (reason === undefined) return;
          const isMalformed = reason.code === 'MESH_HOST0_MALFORMED';
          this.#input.onEnd(isMalformed ? { kind: 'malformed', error: reason } : { kind: 'ended' });
        },
      },
    );
    this.#own = own;
  }

  #onMessage({ event, data }: SseMessage): void {
    if (event === 'snapshot' || event === 'join' || event === 'change' || event === 'leave') {
      this.#take(() => this.#readText(data));
    }
  }

  /** A document without its form is used in no part. */
  #take(read: () => MembershipEvent): void {
    try {
      this.#input.onEvent(read());
    } catch (thrown) {
      this.#input.onEnd({ kind: 'malformed', error: MeshError.from(thrown) });
    }
  }

  #heard(): void {
    this.#heardSinceMs ??= this.#input.clock.nowMs();
    this.#input.onHeard();
  }
}
