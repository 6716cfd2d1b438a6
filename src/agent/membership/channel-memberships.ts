/**
 * The memberships that host0 keeps by this node's channel (protocol/documents/kept-membership.ts): in place of a report, a stream
 * and pings in each mesh, one exchange of lines with host0 for all meshes.
 */
import type { Readable, Writable } from 'node:stream';
import type { Ipv4, Ipv4Cidr } from '../../model/address/ipv4.ts';
import { MeshError } from '../../model/error.ts';
import type { NetworkId } from '../../model/network/number.ts';
import { Signal, type Subscribable } from '../../model/signal.ts';
import type { EndedMembership, MembershipClaim } from '../../protocol/documents/kept-membership.ts';
import type { MembershipVersion, NetworkState } from '../../protocol/documents/membership.ts';
import { linesOf } from '../../protocol/http/lines.ts';
import { readDocument } from '../../protocol/shapes/document.ts';
import { KEPT_LINE_MAX_LENGTH, KeptLineShape } from '../../protocol/shapes/kept-membership-shape.ts';

/** What a node says of one membership. */
export interface Claimed {
  readonly ipv4: Ipv4;
  readonly state: NetworkState;
}

/** Calls about one membership. After `onEnded` or `onAway` there are no more. */
export interface KeptHandlers {
  /** host0 keeps the membership by the channel from now on. */
  readonly onKept: (segments: readonly Ipv4Cidr[]) => void;
  /** A change of the members, which is not judged yet. */
  readonly onEvent: (event: unknown) => void;
  /** Called after the lines that came together, and after an empty one: host0 is there, and all that it has sent before has arrived. */
  readonly onHeard: () => void;
  /** host0 keeps the membership no longer, although the channel stands. */
  readonly onEnded: () => void;
  /** The channel does not stand any more. */
  readonly onAway: () => void;
}

/** One membership that the channel is asked to keep. */
export interface ChannelMembership {
  /** Tells what has changed of it. */
  tell(claimed: Claimed): void;
  /** Ends it. No handler is called any more. */
  close(): void;
}

interface Followed {
  readonly network: NetworkId;
  readonly handlers: KeptHandlers;
}

/** The other end of the present exchange. */
interface Exchange {
  readonly out: Writable;
  readonly followed: Map<number, Followed>;
  /** The memberships for which lines have come, and `onHeard` has not been called since. */
  readonly heard: Set<number>;
}

/** Exchanges the lines while a channel stands on which host0 asks for them. */
export class ChannelMemberships {
  readonly #changes = new Signal<void>();
  /** Emits when host0 begins to keep memberships by the channel. */
  readonly begins: Subscribable<void> = this.#changes;
  #exchange: Exchange | undefined;
  #turn = 0;

  /** Asks host0 to keep a membership by the channel. @returns undefined while host0 does not ask for any */
  follow(
    network: NetworkId,
    claimed: Claimed,
    since: MembershipVersion | undefined,
    handlers: KeptHandlers,
  ): ChannelMembership | undefined {
    const exchange = this.#exchange;
    if (exchange === undefined) return undefined;
    const turn = ++this.#turn;
    const { followed, out } = exchange;
    followed.set(turn, { network, handlers });
    const claim = (now: Claimed): void =>
      write(out, { kind: 'claim', network, turn, ...now, ...(since !== undefined && { since }) });
    claim(claimed);
    return {
      tell: (now) => {
        if (followed.has(turn)) claim(now);
      },
      close: () => {
        if (followed.delete(turn)) write(out, { kind: 'ended', network, turn });
      },
    };
  }

  /** Answers host0's request: resolves when either end has ended the exchange. A later request takes the place of an earlier one. */
  async serve(body: Readable, open: () => Writable): Promise<void> {
    const out = open();
    const exchange: Exchange = { out, followed: new Map(), heard: new Set() };
    const before = this.#exchange;
    this.#exchange = exchange;
    if (before !== undefined) end(before);
    this.#changes.emit();
    try {
      for await (const line of linesOf(body, KEPT_LINE_MAX_LENGTH)) takeLine(exchange, line);
    } finally {
      if (this.#exchange === exchange) this.#exchange = undefined;
      end(exchange);
    }
  }
}

function takeLine(exchange: Exchange, line: string): void {
  const { followed } = exchange;
  if (line === '') {
    for (const turn of followed.keys()) hearSoon(exchange, turn);
    return;
  }
  const { document, fault } = readDocument(KeptLineShape, line, KEPT_LINE_MAX_LENGTH);
  if (fault !== undefined) {
    throw new MeshError('MESH_HOST0_MALFORMED', `host0 sent a line about members that ${fault}`, { object: 'host0' });
  }
  const { turn, network } = document;
  const about = followed.get(turn);
  if (about?.network !== network) return;
  switch (document.kind) {
    case 'kept':
      about.handlers.onKept(document.segments);
      break;
    case 'change':
      about.handlers.onEvent(document.event);
      break;
    case 'ended':
      followed.delete(turn);
      about.handlers.onEnded();
      return;
  }
  hearSoon(exchange, turn);
}

/** Lines that came in one chunk are taken before the next turn of the event loop. */
function hearSoon({ followed, heard }: Exchange, turn: number): void {
  heard.add(turn);
  if (heard.size > 1) return;
  setImmediate(() => {
    const turns = [...heard];
    heard.clear();
    for (const each of turns) followed.get(each)?.handlers.onHeard();
  });
}

function end({ out, followed }: Exchange): void {
  out.destroy();
  const all = [...followed.values()];
  followed.clear();
  for (const { handlers } of all) handlers.onAway();
}

function write(out: Writable, line: MembershipClaim | EndedMembership): void {
  if (!out.destroyed && !out.writableEnded) out.write(`${JSON.stringify(line)}\n`);
}
