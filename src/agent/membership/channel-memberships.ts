/**
 * The memberships that host0 keeps by this node's channel (protocol/documents/kept-membership.ts): in place of a report, a stream
 * and pings in each mesh, one exchange of lines with host0 for all meshes.
 */
import type { Readable, Writable } from 'node:stream';
import type { Ipv4, Ipv4Cidr } from '../../model/address/ipv4.ts';
import type { Alarm, Clock } from '../../model/clock.ts';
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

/**
 * host0 sends a line each three seconds. When none has come for this long, the node reports in its meshes again, so that host0 hears
 * from it within nine seconds, also when only the connection of the channel is broken.
 */
const SILENCE_MS = 4_000;
/** As long as the silence lasts, the node reports in this interval. */
const AGAIN_MS = 3_000;

/** The lines of one request of host0. */
interface Exchange {
  readonly write: (text: string) => void;
  readonly followed: Map<number, Followed>;
}

/** The node's end of the lines of one request of host0. */
export interface MembershipLinesTaker {
  /** Takes lines that came together. @throws MESH_HOST0_MALFORMED */
  take(lines: readonly string[]): void;
  /** Must be called when no more lines come. */
  end(): void;
}

/** Exchanges the lines while a channel stands on which host0 asks for them. */
export class ChannelMemberships {
  readonly #changes = new Signal<void>();
  /** Emits when host0 begins to keep memberships by the channel. */
  readonly begins: Subscribable<void> = this.#changes;
  readonly #silences = new Signal<void>();
  /** Emits when host0 is silent on the channel, and again every three seconds of the silence. */
  readonly silences: Subscribable<void> = this.#silences;
  readonly #clock: Clock;
  #silence: Alarm | undefined;
  #exchange: Exchange | undefined;
  #turn = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

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
    const { followed, write } = exchange;
    followed.set(turn, { network, handlers });
    const claim = (now: Claimed): void =>
      write(lineOf({ kind: 'claim', network, turn, ...now, ...(since !== undefined && { since }) }));
    claim(claimed);
    return {
      tell: (now) => {
        if (followed.has(turn)) claim(now);
      },
      close: () => {
        if (followed.delete(turn)) write(lineOf({ kind: 'ended', network, turn }));
      },
    };
  }

  /** Begins to answer a request of host0, which takes the place of an earlier one. @param write sends lines to host0 */
  begin(write: (text: string) => void): MembershipLinesTaker {
    const exchange: Exchange = { write, followed: new Map() };
    const before = this.#exchange;
    this.#exchange = exchange;
    if (before !== undefined) end(before);
    this.#listen(SILENCE_MS);
    this.#changes.emit();
    return {
      take: (lines) => {
        if (this.#exchange === exchange) this.#listen(SILENCE_MS);
        takeLines(exchange, lines);
      },
      end: () => {
        if (this.#exchange === exchange) {
          this.#exchange = undefined;
          this.#silence?.cancel();
        }
        end(exchange);
      },
    };
  }

  #listen(patienceMs: number): void {
    this.#silence?.cancel();
    this.#silence = this.#clock.after(patienceMs, () => {
      this.#listen(AGAIN_MS);
      this.#silences.emit();
    });
  }

  /** Answers a request of host0 for as long as both bodies are open. @param open sends the head of the answer. @throws MESH_HOST0_MALFORMED */
  async serve(body: Readable, open: () => Writable): Promise<void> {
    const out = open();
    const taker = this.begin((text) => {
      if (!out.destroyed && !out.writableEnded) out.write(text);
    });
    try {
      for await (const lines of linesOf(body, KEPT_LINE_MAX_LENGTH)) taker.take(lines);
    } catch (thrown) {
      // Otherwise the channel has ended.
      if (thrown instanceof MeshError) throw thrown;
    } finally {
      taker.end();
      out.destroy();
    }
  }
}

function takeLines({ followed }: Exchange, lines: readonly string[]): void {
  const heard = new Set<number>();
  for (const line of lines) {
    if (line === '') for (const turn of followed.keys()) heard.add(turn);
    else heard.add(takeLine(followed, line));
  }
  for (const turn of heard) followed.get(turn)?.handlers.onHeard();
}

/** @returns the turn that the line is about */
function takeLine(followed: Map<number, Followed>, line: string): number {
  const { document, fault } = readDocument(KeptLineShape, line, KEPT_LINE_MAX_LENGTH);
  if (fault !== undefined) {
    throw new MeshError('MESH_HOST0_MALFORMED', `host0 sent a line about members that ${fault}`, { object: 'host0' });
  }
  const { turn, network } = document;
  const about = followed.get(turn);
  if (about?.network !== network) return turn;
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
  }
  return turn;
}

function end({ followed }: Exchange): void {
  const all = [...followed.values()];
  followed.clear();
  for (const { handlers } of all) handlers.onAway();
}

function lineOf(line: MembershipClaim | EndedMembership): string {
  return `${JSON.stringify(line)}\n`;
}
