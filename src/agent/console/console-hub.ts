/**
 * The console of one virtual machine. QEMU takes one client at a time, and a client that does not read stops the guest's output: the hub
 * is that client, reads for ever, keeps the last output, and serves any number of viewers. A viewer that reads slowly loses output;
 * the guest never waits.
 */
import { constants, lstatSync } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import type { Alarm, Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import { CONSOLE_TAIL_BYTES, type ConsoleView } from '../../protocol/documents/workload/console.ts';
import { connectEmulator } from '../../services/qemu/emulator-socket.ts';
import { ByteTail } from './byte-tail.ts';
import { consoleClosed, sendToEmulator } from './emulator-input.ts';

/** What a hub needs. */
export interface ConsoleHubInput {
  /** The name of the workload. */
  readonly workload: string;
  readonly id: string;
  /** The socket on which the emulator takes one client. The emulator may write to the directory of the socket. */
  readonly socketPath: string;
  /** The file to which the emulator writes the same output, also while nobody is connected. Only root may write to its directory. */
  readonly logPath: string;
  readonly clock: Clock;
}

/** A request to see a console. */
export interface ConsoleWatch {
  readonly who: string;
  readonly writes: boolean;
  /** How much of the last output comes first. */
  readonly tailBytes: number;
}

interface Viewer extends ConsoleWatch {
  readonly out: Writable;
  readonly sinceMs: number;
  /** Output that a slow viewer has not got. */
  lostBytes: number;
}

/** After this time the hub connects again to an emulator that is not there. */
const RETRY_MS = { least: 50, most: 1_000 } as const;
/** A viewer may be this far behind. */
const LAG_MAX_BYTES = 1024 * 1024;
const VIEWERS_MAX = 64;
/** A link is not followed, and the open of a pipe does not wait for its writer. */
const LOG_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** Reads one console until it is closed. */
export class ConsoleHub {
  readonly #input: ConsoleHubInput;
  readonly #tail = new ByteTail(CONSOLE_TAIL_BYTES);
  readonly #viewers = new Set<Viewer>();
  #socket: Socket | undefined;
  #isConnected = false;
  #retry: Alarm | undefined;
  #pauseMs: number = RETRY_MS.least;
  /** How much of the log file is in the tail. */
  #logBytes = 0;
  #isClosed = false;

  constructor(input: ConsoleHubInput) {
    this.#input = input;
    void this.#begin();
  }

  get view(): ConsoleView {
    const { workload, id, clock } = this.#input;
    const viewers = [...this.#viewers].map(({ who, writes, sinceMs }) => ({
      who,
      writes,
      ageSec: Math.floor((clock.nowMs() - sinceMs) / 1000),
    }));
    return { workload, id, isOpen: this.#isConnected, keptBytes: this.#tail.length, viewers };
  }

  /** The last output, at most `bytes`. */
  last(bytes: number): Buffer {
    return this.#tail.last(bytes);
  }

  /**
   * Sends the last output and all that comes, until the viewer or the hub ends.
   * @throws MESH_BUSY; the stream is not open then
   */
  async watch(open: () => Writable, watch: ConsoleWatch): Promise<void> {
    if (this.#viewers.size >= VIEWERS_MAX) {
      throw new MeshError('MESH_BUSY', `${VIEWERS_MAX} viewers look at the console already`, {
        object: this.#input.workload,
        remedy: 'End some of them: `mesh workload console` lists who is there.',
        retryable: true,
      });
    }
    const out = open();
    const { promise, resolve } = Promise.withResolvers<void>();
    const viewer: Viewer = { ...watch, out, sinceMs: this.#input.clock.nowMs(), lostBytes: 0 };
    out.once('close', resolve);
    out.on('error', () => out.destroy());
    this.#viewers.add(viewer);
    const last = this.#tail.last(watch.tailBytes);
    if (last.length > 0) out.write(last);
    await promise;
    this.#viewers.delete(viewer);
  }

  /** Types. Resolves when the emulator has taken the bytes. @throws MESH_CONSOLE_CLOSED */
  async type(bytes: Uint8Array): Promise<void> {
    const socket = this.#socket;
    if (socket === undefined || !this.#isConnected)
      throw consoleClosed(this.#input.workload, 'is not connected: its emulator does not run');
    await sendToEmulator(socket, bytes, this.#input.workload, this.#input.clock);
  }

  /** Ends the hub and all viewers. */
  close(): void {
    this.#isClosed = true;
    this.#retry?.cancel();
    this.#socket?.destroy();
    for (const { out } of this.#viewers) out.end();
  }

  /** What the guest wrote while no agent ran is in the log. */
  async #begin(): Promise<void> {
    await this.#readLog(sizeOf(this.#input.logPath));
    this.#connect();
  }

  #connect(): void {
    if (this.#isClosed) return;
    const { socketPath, logPath } = this.#input;
    const askedAt = sizeOf(logPath);
    const socket = connectEmulator(socketPath);
    this.#socket = socket;
    let missed: Buffer[] | undefined = [];
    socket.on('connect', () => {
      this.#pauseMs = RETRY_MS.least;
      this.#isConnected = true;
      // What the emulator wrote before it took the connection is in its log only. What it wrote since is in both.
      const heardAt = sizeOf(logPath);
      void this.#readLog(heardAt).finally(() => {
        const came = Buffer.concat(missed ?? []);
        missed = undefined;
        const double = overlap(this.#tail.last(heardAt - askedAt), came);
        if (came.length > double) this.#take(came.subarray(double));
      });
    });
    socket.on('data', (chunk: Buffer) => {
      if (missed === undefined) this.#take(chunk);
      else missed.push(chunk);
    });
    socket.on('error', () => socket.destroy());
    socket.once('close', () => {
      this.#isConnected = false;
      if (this.#isClosed) return;
      this.#retry = this.#input.clock.after(this.#pauseMs, () => this.#connect());
      this.#pauseMs = Math.min(this.#pauseMs * 2, RETRY_MS.most);
    });
  }

  /** Takes what the log has more than the hub knows. @param size of the log as far as it is of interest */
  async #readLog(size: number): Promise<void> {
    const file = await open(this.#input.logPath, LOG_FLAGS).catch(() => undefined);
    if (file === undefined) return;
    try {
      const found = await file.stat();
      if (!found.isFile() || found.nlink !== 1) return;
      // The log was cut, so that it does not fill the disk.
      const from = Math.max(size < this.#logBytes ? 0 : this.#logBytes, size - CONSOLE_TAIL_BYTES);
      const { buffer, bytesRead } = await file.read(Buffer.alloc(size - from), 0, size - from, from);
      this.#logBytes = from;
      if (bytesRead > 0) this.#take(buffer.subarray(0, bytesRead));
    } catch {
      // Without the log the output begins now.
    } finally {
      await file.close();
    }
  }

  #take(chunk: Buffer): void {
    this.#logBytes += chunk.length;
    this.#tail.push(chunk);
    for (const viewer of this.#viewers) send(viewer, chunk);
  }
}

/** The size of a file; 0 when there is none. */
function sizeOf(path: string): number {
  return lstatSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/** How many of the first bytes of one text are the last ones of another. */
function overlap(before: Buffer, after: Buffer): number {
  for (let count = Math.min(before.length, after.length); count > 0; count--) {
    if (before.subarray(before.length - count).equals(after.subarray(0, count))) return count;
  }
  return 0;
}

function send(viewer: Viewer, chunk: Buffer): void {
  const { out } = viewer;
  if (out.destroyed || out.writableEnded) return;
  if (out.writableLength > LAG_MAX_BYTES || (viewer.lostBytes > 0 && out.writableLength > LAG_MAX_BYTES / 2)) {
    viewer.lostBytes += chunk.length;
    return;
  }
  if (viewer.lostBytes > 0) {
    out.write(`\r\n[mesh: ${viewer.lostBytes} bytes are left out here, since they were read too slowly]\r\n`);
    viewer.lostBytes = 0;
  }
  out.write(chunk);
}
