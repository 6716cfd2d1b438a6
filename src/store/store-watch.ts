/**
 * Whether the store takes changes. A transaction that fails is a finding until one succeeds. Where nothing is written, a look
 * at the file system finds a disk that is full or read-only, and a file that was removed.
 */
import { access, constants, stat, statfs } from 'node:fs/promises';
import type { Alarm, Clock } from '../model/clock.ts';
import { MeshError } from '../model/error.ts';
import { type Finding, findingOf, type HealthSource } from '../protocol/documents/finding.ts';
import type { TimedStore } from './timed-store.ts';

/** Well within the ten seconds in which a load balancer looks again. The look costs three system calls and writes nothing. */
const LOOK_MS = 5_000;
/** A transaction of one member takes some 20 kB in the log of changes. */
const ROOM_MIN_BYTES = 64 * 1024;
/** Written to find out whether the store takes changes. */
const PROBE_KEY = '/v1/probe';

/** The parts that are watched. */
export interface StoreWatchInput {
  /** The path of the store's file. */
  readonly path: string;
  readonly store: TimedStore;
  readonly clock: Clock;
}

/** Looks at the store until it is closed. */
export class StoreWatch implements HealthSource {
  readonly #input: StoreWatchInput;
  /** Of the file that the store has open; undefined until the first look. */
  #inode: bigint | undefined;
  #isGone = false;
  #next: Alarm | undefined;
  #closed = false;

  constructor(input: StoreWatchInput) {
    this.#input = input;
  }

  /** Looks now, and every few seconds. Resolves after the first look. */
  async start(): Promise<void> {
    await this.look();
    if (!this.#closed) this.#next = this.#input.clock.after(LOOK_MS, () => void this.start());
  }

  close(): void {
    this.#closed = true;
    this.#next?.cancel();
  }

  /** Never rejects. */
  async look(): Promise<void> {
    const { path, store, clock } = this.#input;
    const inode = await stat(path, { bigint: true }).then(
      ({ ino }) => ino,
      () => undefined,
    );
    this.#inode ??= inode;
    this.#isGone = inode === undefined || inode !== this.#inode;
    if (store.refusal === undefined && (await hasRoom(path))) return;
    // If it fails, the refusal is that of the store.
    await store.txn([], [{ put: PROBE_KEY, value: clock.wallTime().toISOString() }]).catch(() => undefined);
  }

  /** A finding while the store takes no change, and while its file is not the one that a restart would read. */
  health(): readonly Finding[] {
    const { path, store } = this.#input;
    const trouble = store.refusal ?? this.#stuck ?? (this.#isGone ? removed(path) : undefined);
    return trouble === undefined ? [] : [findingOf(trouble, { object: path })];
  }

  get #stuck(): MeshError | undefined {
    const { stuck } = this.#input.store;
    return stuck === undefined
      ? undefined
      : new MeshError('MESH_STORE_BROKEN', stuck, { remedy: 'Look at the disk (dmesg).' });
  }
}

async function hasRoom(path: string): Promise<boolean> {
  try {
    await access(path, constants.W_OK);
    const { bfree, bsize } = await statfs(path);
    return bfree * bsize >= ROOM_MIN_BYTES;
  } catch {
    // Also a file that is gone: the store may still write to it.
    return false;
  }
}

function removed(path: string): MeshError {
  return new MeshError(
    'MESH_STORE_BROKEN',
    `${path} was removed or replaced while host0 runs: what host0 learns now is lost when it ends`,
    { remedy: 'Restart host0. With a new store, all members report again within seconds.' },
  );
}
