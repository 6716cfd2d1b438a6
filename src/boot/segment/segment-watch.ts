/**
 * Watches one physical segment through one NIC: listens to DHCP and TFTP, probes for other DHCP servers and other host0s, and
 * keeps host0's mode there (boot-mode.ts). Addresses and dnsmasq, which follow from the mode, are left to serving.ts.
 */
import { randomInt } from 'node:crypto';
import { FrameSocket } from '../../kernel/sockets/frame-socket.ts';
import type { Ipv4, Ipv4Cidr } from '../../model/address/ipv4.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { Alarm, Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import type { WantedMode } from '../../protocol/documents/boot-views.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import { type ArpHolder, decodeArpReply } from '../frames/arp-packet.ts';
import { BOOT_FILTER } from '../frames/boot-filter.ts';
import { encodeProbe, type Host0Mark, type Installation, isSenior } from '../frames/host0-mark.ts';
import { type HeardMark, observe } from '../frames/observation.ts';
import { ROUTERS_MAC, RouterAnswer, solicitorOf } from '../frames/router-answer.ts';
import type { BootSighting } from '../frames/sighting.ts';
import {
  FIRST_PROBES,
  type Foreknowledge,
  firstState,
  foreignSubnets,
  judge,
  type ModeEvent,
  type ModeState,
} from './boot-mode.ts';
import { noteEvent } from './segment-note.ts';

/** What a `SegmentWatch` works with. The callbacks may be called at any time until `close`. */
export interface SegmentWatchInput {
  /** The name of the NIC. */
  readonly device: string;
  /** Its ifindex. A device that is deleted and created again has another one, and needs another watch. */
  readonly link: number;
  readonly mac: Mac;
  readonly wanted: WantedMode;
  /** What host0 knows of the segment already. */
  readonly known: Foreknowledge;
  readonly clock: Clock;
  readonly journal: Journal;
  readonly installation: Installation;
  /** How long this host0 process has run. */
  readonly ageMs: () => number;
  /** Dry mode: host0 answers nothing, and says so in its probes. */
  readonly dry: boolean;
  /** host0's address on the segment, now. */
  readonly ipv4: () => Ipv4 | undefined;
  /** Whether the NIC has an address in one of these subnets that host0 did not allocate. */
  readonly isGuestIn: (subnets: readonly Ipv4Cidr[]) => boolean;
  readonly onSighting: (sighting: BootSighting) => void;
  /** Called when a machine asks for an address. @param message its DISCOVER */
  readonly onQuestion: (mac: Mac, message: Buffer) => void;
  /** Called when a device answers an ARP request of host0. */
  readonly onArpReply: (holder: ArpHolder) => void;
  /** Called when the mode, the known servers or host0s, or `error` have changed. */
  readonly onChange: () => void;
  /** Called when a probe of this host0 is heard: another NIC of host0 is on this segment, too. */
  readonly onOwnProbe: () => void;
}

/** The time between the first probes, and for their answers. */
const FIRST_PROBE_MS = 1_500;
/** The time between probes while ports settle: the time for an answer. */
const SETTLING_PROBE_MS = 4_000;
/** The time between probes in the first minutes: servers and switches that came back with the power follow host0. */
const EARLY_PROBE_MS = 10_000;
const EARLY_MS = 300_000;
/** The time between later probes, and between all beside another server. */
const PROBE_MS = 60_000;
/** The time for the answer to a later probe. Some servers check for 3 s whether an address is free before they offer it. */
const ANSWER_MS = 4_000;
/** The least time between two answers to probes of other host0s. */
const REPLY_MS = 500;

/** Listens and probes on one segment, and keeps host0's mode there. If `start` has failed, it may be called again. */
export class SegmentWatch {
  readonly input: SegmentWatchInput;
  readonly #router: RouterAnswer;
  #state: ModeState;
  #socket: FrameSocket | undefined;
  #next: Alarm | undefined;
  #answerDue: Alarm | undefined;
  #heardSinceProbe = false;
  #repliedMs = -Infinity;
  #error: MeshError | undefined;

  constructor(input: SegmentWatchInput) {
    this.input = input;
    const { mac, clock } = input;
    this.#router = new RouterAnswer({ mac, clock, send: (frame) => this.send(frame) });
    this.#state = firstState(input.wanted, input.clock.nowMs(), input.known);
  }

  get state(): ModeState {
    return this.#state;
  }

  /** Whether the packet socket is open. */
  get listens(): boolean {
    return this.#socket !== undefined;
  }

  /** Why the watch hears nothing. */
  get error(): MeshError | undefined {
    return this.#error;
  }

  /** Opens the packet socket and begins to probe; does nothing in mode `off`. A failure is kept in `error`. */
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
      // The device has disappeared: the next change of the links ends this segment.
      this.#error = MeshError.from(error);
      return;
    }
    this.#ask();
  }

  /** To be called when the addresses of the NIC may have changed: the mode may depend on them. */
  look(): void {
    this.#apply({ type: 'look' });
  }

  close(): void {
    this.#next?.cancel();
    this.#answerDue?.cancel();
    this.#socket?.close();
    this.#socket = undefined;
    this.#router.close();
  }

  /** Sends a probe, notes after a while whether it was answered, and plans the next one: soon at first, then every minute. */
  #ask(): void {
    const { clock } = this.input;
    const nextMs = this.#probePauseMs();
    this.#heardSinceProbe = false;
    this.#probe(false);
    this.#answerDue = clock.after(Math.min(nextMs, ANSWER_MS), () => {
      this.#apply({ type: 'probed', answered: this.#heardSinceProbe });
    });
    this.#next = clock.after(nextMs, () => this.#ask());
  }

  #probePauseMs(): number {
    const { silentProbes, lastForeignMs, settled, settlesMs } = this.#state;
    if (lastForeignMs !== undefined) return PROBE_MS;
    if (silentProbes < FIRST_PROBES) return FIRST_PROBE_MS;
    if (!settled) return SETTLING_PROBE_MS;
    return this.input.clock.nowMs() - settlesMs < EARLY_MS ? EARLY_PROBE_MS : PROBE_MS;
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
    this.send(encodeProbe(mac, randomInt(2 ** 32 - 1), mark));
  }

  /** Sends a frame, unless the device is going down. */
  send(frame: Buffer): void {
    try {
      this.#socket?.send(frame);
    } catch {
      // The device is going down: the next change of the links ends this segment.
    }
  }

  #hear(bytes: Buffer, outgoing: boolean): void {
    const { device, clock, onSighting } = this.input;
    const observation = observe(bytes, outgoing, { device, nowMs: clock.nowMs() });
    if (observation === undefined) {
      if (!outgoing) this.#hearOther(bytes);
      return;
    }
    const { sighting, question, server, mark } = observation;
    if (mark !== undefined) this.#hearHost0(mark);
    if (server !== undefined && ![...this.#state.rivals.values()].some(({ ipv4 }) => ipv4 === server.server)) {
      if (server.gives === 'addresses') this.#heardSinceProbe = true;
      this.#apply({ type: 'server', heard: server });
    }
    if (sighting === undefined) return;
    this.#router.see(sighting);
    onSighting(sighting);
    if (question !== undefined) this.input.onQuestion(sighting.mac, question);
  }

  /** Takes an ARP answer, or tells an iPXE that asks for an IPv6 router that there is none (router-answer.ts). */
  #hearOther(bytes: Buffer): void {
    const holder = decodeArpReply(bytes);
    if (holder !== undefined) {
      this.input.onArpReply(holder);
      return;
    }
    const { mode } = this.#state;
    if (this.input.dry || (mode !== 'server' && mode !== 'proxy')) return;
    const solicitor = solicitorOf(bytes);
    if (solicitor !== undefined) this.#router.asked(solicitor, mode === 'server');
  }

  #hearHost0(mark: HeardMark): void {
    const { installation, ageMs, clock, onOwnProbe } = this.input;
    if (mark.installation === installation) {
      onOwnProbe();
      return;
    }
    this.#apply({ type: 'host0', mark, senior: isSenior(mark, { installation, ageMs: ageMs() }) });
    if (mark.reply || clock.nowMs() - this.#repliedMs < REPLY_MS) return;
    this.#repliedMs = clock.nowMs();
    this.#probe(true);
  }

  #apply(event: ModeEvent): void {
    const { clock, journal, device, isGuestIn, onChange } = this.input;
    const before = this.#state;
    const around = { isGuest: isGuestIn(foreignSubnets(before)) };
    const { state, notes } = judge(before, event, clock.nowMs(), around);
    this.#state = state;
    for (const note of notes) journal.record(noteEvent(device, note, state));
    if (notes.length > 0) onChange();
  }
}
