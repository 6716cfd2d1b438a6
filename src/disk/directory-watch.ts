/** Says when to look at a directory again. What is to be found there is the business of whoever looks. */
import { type FSWatcher, type Stats, statSync, watch } from 'node:fs';
import { dirname, relative, resolve, sep } from 'node:path';
import type { Alarm, Clock } from '../model/clock.ts';

/** Long enough for an editor to write, sync and rename; too short to be noticed. */
const SETTLE_MS = 30;
/** The net below the events: inotify may be out of watches, and sees no change on a network file system. */
const POLL_MS = 5000;

export class DirectoryWatch {
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #look: () => void;
  #watcher: FSWatcher | undefined;
  #watched = '';
  #settling: Alarm | undefined;
  #poll: Alarm | undefined;

  /** `look` is called soon after a change, and every POLL_MS; the directory may be missing and come later. */
  constructor(directory: string, clock: Clock, look: () => void) {
    this.#directory = resolve(directory);
    this.#clock = clock;
    this.#look = look;
  }

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

  /** Watches the directory, or while it is missing the nearest one above it; another directory of that name is watched anew. */
  #arm(): void {
    const { path, identity } = nearestDirectory(this.#directory);
    if (identity === this.#watched) return;
    this.#disarm();
    // While the directory is missing, only the next step towards it matters: above it may be a busy place such as /var.
    const awaited = relative(path, this.#directory).split(sep)[0];
    try {
      this.#watcher = watch(path, { persistent: false }, (_, name) => {
        if (awaited === '' || name === null || name === awaited) this.#settle();
      });
      this.#watcher.on('error', () => this.#disarm());
      this.#watched = identity;
    } catch {
      // Out of inotify watches, or the directory went just now: the poll goes on, and tries again.
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

/** The directory itself or the nearest above it that exists, and what tells it from another of the same name. */
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
