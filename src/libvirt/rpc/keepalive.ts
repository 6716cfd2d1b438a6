/** Pings: how a server finds out that a client is gone whose machine no longer answers. */
import type { Alarm, Clock } from '../../model/clock.ts';
import { FRAME_STATUS, FRAME_TYPE, type Frame } from './frame.ts';
import { KEEPALIVE, PING, PONG } from './programs.ts';

/** libvirtd's own defaults. */
const INTERVAL_MS = 5_000;
const COUNT = 5;

/** What it does when it pings, and when nothing came back. */
export interface KeepaliveInput {
  readonly clock: Clock;
  readonly send: (frame: Frame) => void;
  readonly lost: () => void;
}

/** Pings one peer from `start` on. Every frame of the peer counts as life. */
export class Keepalive {
  readonly #input: KeepaliveInput;
  #alarm: Alarm | undefined;
  #unanswered = 0;

  constructor(input: KeepaliveInput) {
    this.#input = input;
  }

  /** Begins to ping. A second call changes nothing. */
  start(): void {
    if (this.#alarm === undefined) this.#pingLater();
  }

  /** The peer has sent something. */
  heard(): void {
    this.#unanswered = 0;
  }

  /** Answers a ping. */
  answer({ procedure }: Pick<Frame, 'procedure'>): void {
    if (procedure === PING) this.#input.send(keepaliveFrame(PONG));
  }

  close(): void {
    this.#alarm?.cancel();
  }

  #pingLater(): void {
    this.#alarm = this.#input.clock.after(INTERVAL_MS, () => {
      if (this.#unanswered >= COUNT) return this.#input.lost();
      this.#unanswered++;
      this.#input.send(keepaliveFrame(PING));
      this.#pingLater();
    });
  }
}

function keepaliveFrame(procedure: number): Frame {
  const { message: type } = FRAME_TYPE;
  return { ...KEEPALIVE, procedure, type, serial: 0, status: FRAME_STATUS.ok, payload: Buffer.alloc(0) };
}
