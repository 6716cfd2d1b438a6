/** Watches a directory, and calls back when it should be read again. Reading is left to the caller. */
import { type FSWatcher, type Stats, statSync, watch } from 'node:fs';
import { dirname, relative, resolve, sep } from 'node:path';
import type { Alarm, Clock } from '../model/clock.ts';

/** Long enough for an editor to write, sync and rename; too short for a user to notice. */
const SETTLE_MS = 30;
/** For changes without an event: inotify may be out of watches, and sees no change on a network file system. */
const POLL_MS = 5000;

/** Watches one path, also while no directory exists there. */
export class DirectoryWatch {
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #look: () => void;
  #watcher: FSWatcher | undefined;
  #watched = '';
  #settling: Alarm | undefined;
  #poll: Alarm | undefined;

  /**
   * Watches nothing until `start`.
   * @param look called soon after each change, and every POLL_MS; the directory may be missing and be made later
   */
  constructor(directory: string, clock: Clock, look: () => void) {
    this.#directory = resolve(directory);
    this.#clock = clock;
    this.#look = look;
  }

  /** Begins to watch. */
  start(): void {
    this.#arm();
    this.#poll = this.#clock.after(POLL_MS, () => {
      this.start();
      this.#look();
    });
  }

  close(): void {
    this.#poll?.cancel();
    this.#settling?.cancel();
    this.#disarm();
  }

  /**
   * Watches the directory, or the nearest existing one above it. When the directory was replaced by another one of the
   * same name, watches the new one.
   */
  #arm(): void {
    const { path, identity } = nearestDirectory(this.#directory);
    if (identity === this.#watched) return;
    this.#disarm();
    // While the directory is missing, only the next directory on the path to it matters: a busy place such as /var may
    // be above it.
    const awaited = relative(path, this.#directory).split(sep)[0];
    try {
      this.#watcher = watch(path, { persistent: false }, (_, name) => {
        if (awaited === '' || name === null || name === awaited) this.#settle();
      });
      this.#watcher.on('error', () => this.#disarm());
      this.#watched = identity;
    } catch {
      // Out of inotify watches, or the directory was removed just now: the poll tries again.
    }
  }

  #disarm(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
    this.#watched = '';
  }

  #settle(): void {
    this.#settling ??= this.#clock.after(SETTLE_MS, () => {
      this.#settling = undefined;
      this.#arm();
      this.#look();
    });
  }
}

/** The directory, or the nearest existing one above it. `identity` differs for another directory of the same name. */
function nearestDirectory(directory: string): { path: string; identity: string } {
  for (let path = directory; ; path = dirname(path)) {
    const found = directoryAt(path);
    if (found !== undefined) return { path, identity: `${found.dev}:${found.ino}:${path}` };
    if (path === dirname(path)) return { path, identity: path };
  }
}

function directoryAt(path: string): Stats | undefined {
  try {
    const found = statSync(path);
    return found.isDirectory() ? found : undefined;
  } catch {
    return undefined;
  }
}
