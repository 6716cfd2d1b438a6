/** The Unix socket of a control API. Root and the owning group may connect; one process at a time may listen. */
import { once } from 'node:events';
import { type FSWatcher, lstatSync, renameSync, watch } from 'node:fs';
import { chmod, mkdir, rm } from 'node:fs/promises';
import type { ServerOptions } from 'node:http';
import { connect, type Server } from 'node:net';
import { basename, dirname } from 'node:path';
import type { Alarm, Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import { type Finding, findingOf, type HealthSource } from '../documents/finding.ts';
import type { Journal } from '../journal/journal.ts';

/** The group needs both modes to connect: to enter the directory, and to write to the socket. */
const DIRECTORY_MODE = 0o750;
const SOCKET_MODE = 0o660;

/** The times of the servers on control sockets: a client that was stopped in the middle of a request keeps no memory. */
export const CONTROL_TIMES = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  keepAliveTimeout: 10_000,
  connectionsCheckingInterval: 5_000,
} satisfies ServerOptions;

/**
 * Makes the directory of a socket, and removes a socket that an ended process left behind.
 * @throws MESH_ALREADY_RUNNING, MESH_KERNEL_REFUSED
 */
export async function claimControlSocket(path: string, directoryMode = DIRECTORY_MODE): Promise<void> {
  if (await answers(path)) {
    throw new MeshError('MESH_ALREADY_RUNNING', `another process already listens on ${path}`, {
      operation: 'listen',
      object: path,
      remedy: 'Stop the other process first: `mesh system status` shows it. Or give this one another --root.',
    });
  }
  try {
    await mkdir(dirname(dirname(path)), { recursive: true });
    const made = await mkdir(dirname(path), { recursive: true, mode: directoryMode });
    // The umask of the process takes the modes of others away.
    if (made !== undefined) await chmod(dirname(path), directoryMode);
    await rm(path, { force: true });
  } catch (cause) {
    throw cannotListen(path, cause);
  }
}

/** How often the file of the socket is looked at without an event: inotify may be out of watches. */
const LOOK_MS = 10_000;
/** After this time a socket that could not be made is tried again. */
const RETRY_MS = 1_000;

/** What a control socket needs. */
export interface ControlSocketInput {
  readonly path: string;
  /** Its listening is begun and ended here; its connections are those of the server. */
  readonly server: Server;
  readonly clock: Clock;
  readonly journal: Journal;
  /** The mode of its directory, if the directory is made again; that of a directory of ours if absent. */
  readonly directoryMode?: number;
}

/**
 * The socket of a server, claimed before. When its file is gone, as after `rm /run/meshwork/*`, it is made again; connections
 * that stand go on meanwhile.
 */
export class ControlSocket implements HealthSource {
  readonly #input: ControlSocketInput;
  #inode: bigint | undefined;
  #trouble: MeshError | undefined;
  #watcher: FSWatcher | undefined;
  #look: Alarm | undefined;
  #making = false;
  #closed = false;

  private constructor(input: ControlSocketInput) {
    this.#input = input;
  }

  /** Listens on the socket, and opens the socket to the group. @throws MESH_KERNEL_REFUSED */
  static async open(input: ControlSocketInput): Promise<ControlSocket> {
    const socket = new ControlSocket(input);
    await socket.#listen();
    socket.#lookLater();
    return socket;
  }

  /** An error while the socket cannot be made again. */
  health(): readonly Finding[] {
    return this.#trouble === undefined ? [] : [findingOf(this.#trouble, { object: this.#input.path })];
  }

  /** Ends the listening; the connections are left to the server. */
  close(): void {
    this.#closed = true;
    this.#look?.cancel();
    this.#watcher?.close();
    this.#endListening();
  }

  /** The end of a listening removes what is at its path. The socket of another process, which has taken the place, stays. */
  #endListening(): void {
    const { path, server } = this.#input;
    const found = inodeAt(path);
    const isForeign = found !== undefined && found !== this.#inode;
    const aside = `${path}.aside`;
    if (isForeign) renameSync(path, aside);
    server.close();
    if (isForeign) renameSync(aside, path);
  }

  #lookLater(): void {
    if (this.#closed) return;
    const delayMs = this.#trouble === undefined ? LOOK_MS : RETRY_MS;
    this.#look?.cancel();
    this.#look = this.#input.clock.after(delayMs, () => this.#lookNow());
  }

  /** The look is synchronous: one at a thread would wake the process twice. */
  #lookNow(): void {
    if (this.#closed || this.#making) return;
    const inode = inodeAt(this.#input.path);
    if (inode !== undefined && inode === this.#inode) this.#lookLater();
    else void this.#makeAgain().finally(() => this.#lookLater());
  }

  async #makeAgain(): Promise<void> {
    const { path, journal, directoryMode } = this.#input;
    this.#making = true;
    try {
      this.#endListening();
      this.#inode = undefined;
      await claimControlSocket(path, directoryMode);
      if (this.#closed) return;
      await this.#listen();
      this.#trouble = undefined;
      journal.record({
        level: 'warning',
        kind: 'control socket made again',
        message: `${path} was gone`,
        object: path,
      });
    } catch (thrown) {
      this.#trouble = MeshError.from(thrown);
    } finally {
      this.#making = false;
    }
  }

  /** Watches the directory of the socket: its own removal is an event, too. */
  #watch(): void {
    const directory = dirname(this.#input.path);
    const names = [basename(this.#input.path), basename(directory)];
    this.#watcher?.close();
    try {
      this.#watcher = watch(directory, { persistent: false }, (_, name) => {
        if (name === null || names.includes(name)) this.#lookNow();
      });
      this.#watcher.on('error', () => this.#watcher?.close());
    } catch {
      // Out of inotify watches, or the directory is gone already.
    }
  }

  async #listen(): Promise<void> {
    const { path, server } = this.#input;
    try {
      server.listen({ path });
      await once(server, 'listening');
      await chmod(path, SOCKET_MODE);
      this.#inode = inodeAt(path);
      this.#watch();
    } catch (cause) {
      throw cannotListen(path, cause);
    }
  }
}

/** The inode of a file, undefined if there is none, or a file is in the way to it. */
function inodeAt(path: string): bigint | undefined {
  try {
    return lstatSync(path, { bigint: true, throwIfNoEntry: false })?.ino;
  } catch {
    return undefined;
  }
}

function cannotListen(path: string, cause: unknown): MeshError {
  const message = cause instanceof Error ? cause.message : String(cause);
  return new MeshError('MESH_KERNEL_REFUSED', `cannot listen on ${path}: ${message}`, {
    operation: 'listen',
    object: path,
    remedy: 'Run it as root, with a run directory that can be written and a path of at most 107 bytes.',
    cause,
  });
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
