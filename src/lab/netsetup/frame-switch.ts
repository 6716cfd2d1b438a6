/**
 * A switch for machines of a lab: each is a client of a Unix socket, as QEMU's `-netdev stream` speaks (a length of four bytes before
 * each frame). It learns where Ethernet addresses are. Frames are lost, delayed and slowed down as the links of their ends say.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { vmName, vmNumberOf } from '../topologies/vm-address.ts';

/** How a link is. */
export interface LinkEffects {
  readonly lossPercent?: number;
  readonly delayMs?: number;
  readonly rateMbit?: number;
  readonly mtuBytes?: number;
}

/** What a switch gets from outside. */
export interface SwitchOptions {
  /** The link of a machine, by its name. */
  readonly linkOf: (name: string) => LinkEffects;
  /** From 0 to below 1. */
  readonly random?: () => number;
}

const LENGTH_BYTES = 4;
/** A frame with offloads has 64 KiB and a header. */
const FRAME_MAX_BYTES = 70_000;
const HEADER_BYTES = 14;
/** So much may wait for a slow link: a tenth of a second at 10 Mbit/s. */
const QUEUE_MS = 200;
/** A machine that does not read loses frames, as at a full queue. */
const UNREAD_MAX_BYTES = 4 * 1024 * 1024;
/** So much may be under way on one link in one direction. */
const UNDER_WAY_MAX_BYTES = 8 * 1024 * 1024;
/** What the timer of a frame takes, so that many small frames do not take more memory than few large ones. */
const TIMER_BYTES = 512;
/** A switch knows so many addresses; a machine may send from any number of them. The one that was silent longest is forgotten. */
const PLACES_MAX = 4_096;

interface Port {
  readonly socket: Socket;
  link: LinkEffects;
  isKnown: boolean;
  rest: Buffer;
  /** When the link has sent all that waits, in milliseconds. */
  freeAtMs: { in: number; out: number };
  underWayBytes: { in: number; out: number };
}

/** A switch that listens. */
export class FrameSwitch {
  readonly #options: SwitchOptions;
  readonly #server: Server;
  readonly #ports = new Set<Port>();
  readonly #places = new Map<string, Port>();
  readonly #random: () => number;

  constructor(options: SwitchOptions) {
    this.#options = options;
    this.#random = options.random ?? Math.random;
    this.#server = createServer((socket) => this.#plug(socket));
  }

  /** Resolves when machines can connect. @throws an error of listen(2), such as EADDRINUSE */
  listen(path: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(path, resolve);
    });
  }

  close(): void {
    this.#server.close();
    for (const { socket } of this.#ports) socket.destroy();
  }

  /** What is under way on all links. */
  get underWayBytes(): number {
    return [...this.#ports].reduce((sum, { underWayBytes }) => sum + underWayBytes.in + underWayBytes.out, 0);
  }

  #plug(socket: Socket): void {
    const port: Port = {
      socket,
      link: {},
      isKnown: false,
      rest: Buffer.alloc(0),
      freeAtMs: { in: 0, out: 0 },
      underWayBytes: { in: 0, out: 0 },
    };
    this.#ports.add(port);
    socket.on('data', (chunk: Buffer) => this.#read(port, chunk));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.#ports.delete(port);
      for (const [mac, place] of this.#places) if (place === port) this.#places.delete(mac);
    });
  }

  #read(port: Port, chunk: Buffer): void {
    let rest = port.rest.length === 0 ? chunk : Buffer.concat([port.rest, chunk]);
    while (rest.length >= LENGTH_BYTES) {
      const length = rest.readUInt32BE(0);
      if (length > FRAME_MAX_BYTES) {
        port.socket.destroy();
        return;
      }
      if (rest.length < LENGTH_BYTES + length) break;
      this.#take(port, rest.subarray(0, LENGTH_BYTES + length));
      rest = rest.subarray(LENGTH_BYTES + length);
    }
    port.rest = rest;
  }

  /** Takes a frame with its length. */
  #take(from: Port, packed: Buffer): void {
    if (packed.length < LENGTH_BYTES + HEADER_BYTES) return;
    const mac = (at: number) =>
      packed.toString('hex', LENGTH_BYTES + at, LENGTH_BYTES + at + 6).replaceAll(/(..)(?!$)/g, '$1:');
    const [to, source] = [mac(0), mac(6)];
    if (!from.isKnown) this.#recognise(from, source);
    this.#learn(source, from);
    this.#pass(from, 'in', packed, () => {
      const place = this.#places.get(to);
      // The lowest bit of the first byte: for many.
      const isForMany = ((packed[LENGTH_BYTES] ?? 0) & 1) === 1;
      const ends = place !== undefined && !isForMany ? [place] : [...this.#ports];
      for (const end of ends) {
        if (end !== from) this.#pass(end, 'out', packed, () => deliver(end, packed));
      }
    });
  }

  #learn(source: string, from: Port): void {
    // The map is in the order of its insertions.
    this.#places.delete(source);
    this.#places.set(source, from);
    if (this.#places.size <= PLACES_MAX) return;
    for (const oldest of this.#places.keys()) {
      this.#places.delete(oldest);
      break;
    }
  }

  /** A machine is known by the MAC that follows from its number. */
  #recognise(port: Port, source: string): void {
    const number = vmNumberOf({ mac: source });
    if (number === undefined) return;
    port.isKnown = true;
    port.link = this.#options.linkOf(vmName(number));
  }

  /** Carries a frame over a link in one direction. Loss and delay count in each direction. */
  #pass({ link, freeAtMs, underWayBytes }: Port, direction: 'in' | 'out', packed: Buffer, then: () => void): void {
    const { lossPercent = 0, delayMs = 0, rateMbit, mtuBytes } = link;
    if (lossPercent > 0 && this.#random() * 100 < lossPercent) return;
    const bytes = packed.length - LENGTH_BYTES;
    if (mtuBytes !== undefined && bytes > mtuBytes + HEADER_BYTES) return;
    const nowMs = performance.now();
    let waitMs = delayMs;
    if (rateMbit !== undefined) {
      const queuedMs = Math.max(0, freeAtMs[direction] - nowMs);
      if (queuedMs > QUEUE_MS) return;
      freeAtMs[direction] = nowMs + queuedMs + (bytes * 8) / (rateMbit * 1_000);
      waitMs += freeAtMs[direction] - nowMs;
    }
    if (waitMs < 1) {
      then();
      return;
    }
    const heldBytes = bytes + TIMER_BYTES;
    if (underWayBytes[direction] + heldBytes > UNDER_WAY_MAX_BYTES) return;
    underWayBytes[direction] += heldBytes;
    setTimeout(() => {
      underWayBytes[direction] -= heldBytes;
      then();
    }, waitMs);
  }
}

function deliver({ socket }: Port, packed: Buffer): void {
  if (!socket.destroyed && socket.writableLength < UNREAD_MAX_BYTES) socket.write(packed);
}
