/** A directory on a small file system of its own (tmpfs), which a test can fill. */
import { spawnSync } from 'node:child_process';
import { appendFileSync, mkdirSync, rmSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';

const CHUNK = Buffer.alloc(4096);

/** Mounts, fills and clears the file system. */
export class SmallDisk {
  readonly #directory: string;
  readonly #bytes: number;

  constructor(directory: string, bytes: number) {
    this.#directory = directory;
    this.#bytes = bytes;
  }

  /** Must be called before a program opens files in the directory. */
  mount(): void {
    mkdirSync(this.#directory, { recursive: true });
    run('mount', '-t', 'tmpfs', '-o', `size=${this.#bytes},mode=0711`, 'meshwork-test', this.#directory);
  }

  /** May be called while a program has files open in the directory. */
  unmount(): void {
    if (spawnSync('mountpoint', ['-q', this.#directory]).status === 0) run('umount', '--lazy', this.#directory);
  }

  /** Makes it read-only, or writable again. */
  remount(options: 'ro' | 'rw'): void {
    run('mount', '-o', `remount,${options}`, this.#directory);
  }

  /** Fills the disk, and leaves `roomBytes` free. */
  fill(roomBytes = 0): void {
    try {
      for (let written = 0; written <= this.#bytes; written += CHUNK.length) appendFileSync(this.#ballast, CHUNK);
      throw new Error(`${this.#ballast} fits`);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
    }
    truncateSync(this.#ballast, statSync(this.#ballast).size - roomBytes);
  }

  /** Makes the room free again. */
  clear(): void {
    rmSync(this.#ballast, { force: true });
  }

  get #ballast(): string {
    return join(this.#directory, 'ballast');
  }
}

function run(...[command = '', ...words]: readonly string[]): void {
  const { status, stderr } = spawnSync(command, words, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${words.join(' ')}: ${stderr}`);
}
