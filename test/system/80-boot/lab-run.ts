/** `mesh lab up` as a user runs it, and what is left of its lab. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { commandDirectory } from '../../../src/image/node/program-files.ts';
import { LABS_DIRECTORY } from '../../../src/lab/cluster/record.ts';

const MESH = join(commandDirectory, 'mesh');

/** One run of the command. */
export class LabRun {
  stdout = '';
  stderr = '';
  readonly #child: ChildProcess;
  readonly #exit: Promise<unknown[]>;

  constructor(name: string, ...words: readonly string[]) {
    this.#child = spawn(MESH, ['lab', 'up', '--name', name, ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#exit = once(this.#child, 'close');
    for (const stream of ['stdout', 'stderr'] as const) {
      this.#child[stream]?.setEncoding('utf8').on('data', (text: string) => {
        this[stream] += text;
      });
    }
  }

  interrupt(): void {
    this.#child.kill('SIGINT');
  }

  async exitCode(): Promise<unknown> {
    return (await this.#exit)[0];
  }
}

/** Nothing of a lab of emulated machines is left. */
export function expectGone(name: string): void {
  expect(existsSync(join(LABS_DIRECTORY, name))).toBe(false);
  expect(execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' })).not.toContain(`mw-${name}-`);
  const emulators = execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' });
  expect(emulators.split('\n').filter((line) => line.includes(`${LABS_DIRECTORY}/${name}/`))).toEqual([]);
}
