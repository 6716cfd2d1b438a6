/**
 * The screens of the virtual machines of a node, as QEMU shows them by VNC. Each viewer has a connection of its own to the emulator, on a
 * socket that only root and the emulator reach: a slow viewer delays nobody, and QEMU lets all of them share the screen.
 */
import type { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import { connectEmulator } from '../../services/qemu/emulator-socket.ts';
import type { ConsoleOwner } from './consoles.ts';
import { consoleClosed, sendToEmulator } from './emulator-input.ts';

/** A viewer of a screen, as a route has it. */
export interface ScreenQuery {
  readonly workload: string;
  /** A word of the viewer's own. */
  readonly viewer: string;
}

interface Viewer {
  readonly owner: ConsoleOwner;
  readonly socket: Socket;
}

/** Of one screen: QEMU keeps a copy of the picture for each viewer. */
const VIEWERS_MAX = 8;
/** QEMU lets one viewer wait for its connection; others are refused meanwhile, and try again. */
const BACKLOG_MS = 50;
const CONNECTS = 40;

/** Connects viewers to screens. */
export class Screens {
  readonly #pathOf: (id: string) => string;
  readonly #clock: Clock;
  #owners: readonly ConsoleOwner[] = [];
  readonly #viewers = new Map<string, Viewer>();

  /** @param pathOf the socket of the screen of a virtual machine */
  constructor(pathOf: (id: string) => string, clock: Clock) {
    this.#pathOf = pathOf;
    this.#clock = clock;
  }

  /** Follows the virtual machines with a screen that the node has now. */
  follow(owners: readonly ConsoleOwner[]): void {
    this.#owners = owners;
    for (const { owner, socket } of this.#viewers.values()) {
      if (!owners.some(({ id, workload }) => id === owner.id && workload === owner.workload)) socket.destroy();
    }
  }

  /** How many look at any screen. */
  get viewerCount(): number {
    return this.#viewers.size;
  }

  /** Sends what the screen sends to a viewer, until one of the two ends. @throws MESH_CONSOLE_NONE, MESH_CONSOLE_CLOSED, MESH_BUSY */
  async watch(open: () => Writable, { workload, viewer }: ScreenQuery): Promise<void> {
    const owner = this.#called(workload);
    const here = [...this.#viewers.values()].filter((other) => other.owner.id === owner.id).length;
    if (here >= VIEWERS_MAX || this.#viewers.has(viewer)) throw busy(workload, here);
    let socket = connectEmulator(this.#pathOf(owner.id));
    try {
      for (let left = CONNECTS; ; left--) {
        this.#viewers.set(viewer, { owner, socket });
        const failure = await failureOf(socket);
        if (failure === undefined) break;
        if (failure.code !== 'EAGAIN' || left === 1)
          throw consoleClosed(workload, 'has no screen now: its emulator does not run, or was started without one');
        await new Promise<void>((resolve) => void this.#clock.after(BACKLOG_MS, resolve));
        // The virtual machine may be gone by now, or be another one of the same name.
        if (this.#called(workload).id !== owner.id) throw consoleClosed(workload, 'is another one now');
        socket = connectEmulator(this.#pathOf(owner.id));
      }
      // Either end may close the connection, which is no error; `pipeline` then closes the other one.
      await pipeline(socket, open()).catch(() => undefined);
    } finally {
      socket.destroy();
      this.#viewers.delete(viewer);
    }
  }

  /** Sends what a viewer says to its screen. @throws MESH_CONSOLE_NONE, MESH_CONSOLE_CLOSED */
  async say({ workload, viewer }: ScreenQuery, base64: string): Promise<void> {
    const { id } = this.#called(workload);
    const found = this.#viewers.get(viewer);
    if (found === undefined || found.owner.id !== id || found.socket.connecting)
      throw consoleClosed(workload, 'does not know the viewer');
    await sendToEmulator(found.socket, Buffer.from(base64, 'base64'), workload, this.#clock);
  }

  close(): void {
    this.follow([]);
  }

  #called(word: string): ConsoleOwner {
    const found = this.#owners.find(({ id, workload }) => workload === word || id === word);
    if (found !== undefined) return found;
    throw new MeshError('MESH_CONSOLE_NONE', `no workload ${word} with a screen is on this node`, {
      object: word,
      remedy: 'See `mesh workload list`. A workload has a screen if its file says platform.console.vnc=on.',
    });
  }
}

/** Why a connection does not come to be; undefined once it is there. */
async function failureOf(socket: Socket): Promise<NodeJS.ErrnoException | undefined> {
  const { promise, resolve } = Promise.withResolvers<NodeJS.ErrnoException | undefined>();
  socket.once('connect', () => resolve(undefined)).once('error', resolve);
  // A socket that this side destroys, as `follow` does, has no error.
  socket.once('close', () => resolve(new Error('closed before it was connected')));
  return promise;
}

function busy(workload: string, count: number): MeshError {
  return new MeshError('MESH_BUSY', `${count} viewers look at the screen already`, {
    object: workload,
    rule: `A screen has at most ${VIEWERS_MAX} viewers.`,
    remedy: 'End one of the commands `mesh workload vnc`.',
    retryable: true,
  });
}
