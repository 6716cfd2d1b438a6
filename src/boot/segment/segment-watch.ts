/**
 * One physical segment as host0 takes part in it: it listens at one port, asks for other servers, and so knows what it may be
 * there (boot-mode.ts). What follows from that, addresses and dnsmasq, is not its business.
 */
import { randomInt } from 'node:crypto';
import { FrameSocket } from '../../kernel/sockets/frame-socket.ts';
import type { Ipv4, Ipv4Cidr } from '../../model/address/ipv4.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { Alarm, Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import type { WantedMode } from '../../protocol/documents/boot-views.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import { BOOT_FILTER } from '../frames/boot-filter.ts';
import { encodeProbe, type Host0Mark, type Installation, isSenior } from '../frames/host0-mark.ts';
import { observe } from '../frames/observation.ts';
import { ROUTERS_MAC, RouterAnswer, solicitorOf } from '../frames/router-answer.ts';
import type { BootSighting } from '../frames/sighting.ts';
import { FIRST_PROBES, firstState, foreignSubnets, judge, type ModeEvent, type ModeState } from './boot-mode.ts';
import { noteEvent } from './segment-note.ts';

export interface SegmentWatchInput {
  /** The port, and its place in the kernel; a port that is made anew is another segment. */
  readonly device: string;
  readonly link: number;
  readonly mac: Mac;
  readonly wanted: WantedMode;
  /** What a process that an earlier life of host0 started does there. */
  readonly serving?: 'proxy' | 'server';
  readonly clock: Clock;
  readonly journal: Journal;
  readonly installation: Installation;
  /** How long this host0 has run. */
  readonly ageMs: () => number;
  /** Answers nothing, and says so to other host0s. */
  readonly dry: boolean;
  /** host0's address on the segment. */
  readonly ipv4: () => Ipv4 | undefined;
  /** Whether the port has an address in one of these subnets that is not of our giving. */
  readonly isGuestIn: (subnets: readonly Ipv4Cidr[]) => boolean;
  readonly onSighting: (sighting: BootSighting) => void;
  /** The mode, or what is known of others, has changed. */
  readonly onChange: () => void;
  /** Our own probe came back: another port of ours is on this segment too. */
  readonly onOwnProbe: () => void;
}

/** While nothing is known yet. Some servers look for three seconds whether an address is free before they offer it. */
const FIRST_PROBE_MS = 1_500;
const PROBE_MS = 60_000;
const ANSWER_MS = 4_000;
/** Other host0s are answered at most so often. */
const REPLY_MS = 500;

export class SegmentWatch {
  readonly input: SegmentWatchInput;
  readonly #router: RouterAnswer;
  #state: ModeState;
  #socket: FrameSocket | undefined;
  #next: Alarm | undefined;
  #verdict: Alarm | undefined;
  #heardSinceProbe = false;
  #repliedMs = -Infinity;
  #error: MeshError | undefined;

  constructor(input: SegmentWatchInput) {
    this.input = input;
    const { mac, clock } = input;
    this.#router = new RouterAnswer({ mac, clock, send: (frame) => this.#send(frame) });
    this.#state = firstState(input.wanted, input.clock.nowMs(), input.serving);
  }

  get state(): ModeState {
    return this.#state;
  }

  get listens(): boolean {
    return this.#socket !== undefined;
  }

  /** Why nothing is heard. */
  get error(): MeshError | undefined {
    return this.#error;
  }

  start(): void {
    if (this.#state.mode === 'off') return;
    try {
      this.#socket = FrameSocket.open({
        link: this.input.link,
        filter: BOOT_FILTER,
        group: ROUTERS_MAC,
        outgoing: true,
        onFrame: ({ bytes, outgoing }) => this.#hear(bytes, outgoing),
        onError: (error) => {
          this.#error = error;
          this.input.onChange();
        },
      });
    } catch (error) {
      // The device went meanwhile: the next look at the links ends this segment.
      this.#error = MeshError.from(error);
      return;
    }
    this.#ask();
  }

  /** Looks again at what is around: the addresses of the port have changed. */
  look(): void {
    this.#take({ type: 'look' });
  }

  close(): void {
    this.#next?.cancel();
    this.#verdict?.cancel();
    this.#socket?.close();
    this.#socket = undefined;
    this.#router.close();
  }

  /** Asks, and judges the silence; soon again until something is known, else every minute. */
  #ask(): void {
    const { clock } = this.input;
    const { silentProbes, lastForeignMs } = this.#state;
    const first = silentProbes < FIRST_PROBES && lastForeignMs === undefined;
    this.#heardSinceProbe = false;
    this.#probe(false);
    this.#verdict = clock.after(first ? FIRST_PROBE_MS : ANSWER_MS, () => {
      this.#take({ type: 'probed', answered: this.#heardSinceProbe });
    });
    this.#next = clock.after(first ? FIRST_PROBE_MS : PROBE_MS, () => this.#ask());
  }

  #probe(reply: boolean): void {
    const { mac, installation, ageMs, ipv4, dry } = this.input;
    const { wanted, reason } = this.#state;
    const address = ipv4();
    const mark: Host0Mark = {
      installation,
      ageMs: ageMs(),
      reply,
      passive: dry || wanted === 'observe' || reason === 'another host0',
      ...(address !== undefined && { ipv4: address }),
    };
    this.#send(encodeProbe(mac, randomInt(2 ** 32 - 1), mark));
  }

  #send(frame: Buffer): void {
    try {
      this.#socket?.send(frame);
    } catch {
      // The device is going down: the links will tell.
    }
  }

  #hear(bytes: Buffer, outgoing: boolean): void {
    const { device, clock, onSighting } = this.input;
    const observation = observe(bytes, outgoing, { device, nowMs: clock.nowMs() });
    if (observation === undefined) {
      if (!outgoing) this.#hearSolicitation(bytes);
      return;
    }
    const { sighting, server, mark } = observation;
    if (mark !== undefined) this.#hearHost0(mark);
    if (server !== undefined && ![...this.#state.rivals.values()].some(({ ipv4 }) => ipv4 === server.server)) {
      if (server.gives === 'addresses') this.#heardSinceProbe = true;
      this.#take({ type: 'server', heard: server });
    }
    if (sighting === undefined) return;
    this.#router.see(sighting);
    onSighting(sighting);
  }

  /** Machines that boot from host0 need no router. */
  #hearSolicitation(bytes: Buffer): void {
    const { mode } = this.#state;
    if (this.input.dry || (mode !== 'server' && mode !== 'proxy')) return;
    const solicitor = solicitorOf(bytes);
    if (solicitor !== undefined) this.#router.asked(solicitor, mode === 'server');
  }

  #hearHost0(mark: Host0Mark): void {
    const { installation, ageMs, clock, onOwnProbe } = this.input;
    if (mark.installation === installation) {
      onOwnProbe();
      return;
    }
    this.#take({ type: 'host0', mark, senior: isSenior(mark, { installation, ageMs: ageMs() }) });
    if (mark.reply || clock.nowMs() - this.#repliedMs < REPLY_MS) return;
    this.#repliedMs = clock.nowMs();
    this.#probe(true);
  }

  #take(event: ModeEvent): void {
    const { clock, journal, device, isGuestIn, onChange } = this.input;
    const before = this.#state;
    const around = { isGuest: isGuestIn(foreignSubnets(before)) };
    const { state, notes } = judge(before, event, clock.nowMs(), around);
    this.#state = state;
    for (const note of notes) journal.record(noteEvent(device, note, state));
    if (notes.length > 0) onChange();
  }
}
