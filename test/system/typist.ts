/** Types what pages of the documentation show, for a lab of its own: each command works, and prints what is shown of it. */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import { missingLine, type ShownCommand } from '../cli/console-block.ts';
import { until } from './until.ts';

const TOP = new URL('../..', import.meta.url).pathname;
/** A person reads on before the next command; what it shows takes at most a second. */
const ANSWER_DEADLINE_MS = 15_000;

/** @param path below the top of the repository */
export function pageOf(path: string): string {
  return readFileSync(join(TOP, path), 'utf8');
}

export class Typist {
  /** Has what pages say is in /tmp and /media. */
  readonly place = mkdtempSync(join(tmpdir(), 'mw-pages-'));

  /** @param lab pages speak of the only lab of a machine: this is its name */
  constructor(lab: string) {
    const program = `#!/bin/sh
[ "$1" = lab ] || exec ${TOP}bin/mesh "$@"
verb=$2
shift 2
exec ${TOP}bin/mesh lab "$verb" --name ${lab} "$@"
`;
    mkdirSync(join(this.place, 'tmp'));
    writeFileSync(join(this.place, 'mesh'), program, { mode: 0o755 });
  }

  /** @returns what it printed, as soon as it succeeds with all that is shown of it */
  async type(page: string, command: ShownCommand | undefined): Promise<string> {
    if (command === undefined) throw new RangeError(`${page} shows too few commands`);
    const { line, text, answer } = command;
    const env = { ...process.env, PATH: `${this.place}${delimiter}${process.env.PATH}` };
    let last = '';
    try {
      return await until(`${page}:${line}: ${text}`, ANSWER_DEADLINE_MS, async () => {
        const there = text.replaceAll(/(?<= )\/(?:tmp|media)\//g, (path) => this.place + path);
        const shell = spawn('sh', ['-c', there], { cwd: TOP, env });
        shell.stdin.end();
        const ended = new Promise<number | null>((resolve) => shell.on('close', resolve));
        const [stdout, stderr, code] = await Promise.all([textOf(shell.stdout), textOf(shell.stderr), ended]);
        const printed = stdout.replaceAll(this.place, '');
        const missing = missingLine(printed, answer);
        last = `exit code ${code}${missing === undefined ? '' : `, without: ${missing}`}\n${printed}${stderr}`;
        return code === 0 && missing === undefined && printed;
      });
    } catch (cause) {
      throw new Error(last, { cause });
    }
  }

  close(): void {
    rmSync(this.place, { recursive: true });
  }
}
