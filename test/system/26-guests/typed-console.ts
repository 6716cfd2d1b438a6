/** A command on a terminal of its own, as a person types it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { delimiter } from 'node:path';
import { until } from '../until.ts';

/** A terminal with one command. Disposing of it ends the command. */
export class TypedConsole implements Disposable {
  readonly #child;
  readonly #ended: Promise<unknown[]>;
  #shown = '';

  /** @param directory the working directory, where the shell also looks for programs first */
  constructor(command: string, directory: string) {
    const env = { ...process.env, PATH: `${directory}${delimiter}${process.env.PATH}` };
    this.#child = spawn('script', ['-qfec', command, '/dev/null'], { cwd: directory, env });
    this.#ended = once(this.#child, 'close');
    this.#child.stdout.on('data', (chunk: Buffer) => {
      this.#shown += chunk.toString('latin1');
    });
  }

  type(keys: string): void {
    this.#child.stdin.write(keys);
  }

  async shows(text: string, deadlineMs: number): Promise<void> {
    await until(`the terminal shows: ${text}`, deadlineMs, () => this.#shown.includes(text)).catch((cause) => {
      throw new Error(`${cause}: ${this.#shown}`, { cause });
    });
  }

  /** @returns the exit code */
  async end(): Promise<unknown> {
    const [code] = await this.#ended;
    return code;
  }

  [Symbol.dispose](): void {
    this.#child.kill('SIGKILL');
  }
}
