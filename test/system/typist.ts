/** Runs the commands that pages of the documentation show, in a lab, and compares their output with the page. */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import { commandDirectory } from '../../src/image/node/program-files.ts';
import { Lab } from '../../src/lab/cluster/lab.ts';
import { type CommandOutcome, exitCode } from '../../src/lab/hosts/host-shell.ts';
import { missingLine, type ShownCommand } from '../cli/console-block.ts';
import { meshOn } from './mesh-command.ts';
import { until } from './until.ts';

const TOP = new URL('../..', import.meta.url).pathname;
/** A command is repeated for this long until its output is as shown: a reader pauses between commands, and the state needs up to a second. */
const ANSWER_DEADLINE_MS = 15_000;
/** A command without a word that a shell would change. Those that start processes, read the kernel or open SSH need the host's namespace. */
const PLAIN_MESH =
  /^mesh ((?!system|lab|agent|genid|node (?:ctl|reboot|logview|adopt|preview)|workload console|capture)[\w:./=,@+-]+(?: [\w:./=,@+-]+)*)$/;
/** A command on a host of the lab, as the tutorial types it. */
const LAB_EXEC = /^mesh lab exec (\w+) -- ((?!sh ).+)$/;

/** The text of a page. @param path relative to the top of the repository */
export function pageOf(path: string): string {
  return readFileSync(join(TOP, path), 'utf8');
}

/** Runs commands in a shell, with a `mesh` in PATH that knows the lab's name. */
export class Typist {
  /** A directory in place of /tmp and /media in the commands. */
  readonly place = mkdtempSync(join(tmpdir(), 'mw-pages-'));
  readonly #lab: string;
  #hasExecuted = false;

  /** @param lab the name of the lab to use; pages name none, since they assume only one lab */
  constructor(lab: string) {
    this.#lab = lab;
    const program = `#!/bin/sh
[ "$1" = lab ] || exec ${commandDirectory}/mesh "$@"
verb=$2
shift 2
exec ${commandDirectory}/mesh lab "$verb" --name ${lab} "$@"
`;
    mkdirSync(join(this.place, 'tmp'));
    writeFileSync(join(this.place, 'mesh'), program, { mode: 0o755 });
  }

  /**
   * Repeats a command until it succeeds and prints all lines that the page shows. @returns its output @throws Error with the last output
   * @param host the host of the lab on which it is typed; without it, on this machine
   */
  async type(page: string, command: ShownCommand | undefined, host?: string): Promise<string> {
    if (command === undefined) throw new RangeError(`${page} shows too few commands`);
    const { line, text, answer } = command;
    let last = '';
    try {
      return await until(`${page}:${line}: ${text}`, ANSWER_DEADLINE_MS, async () => {
        const there = text.replaceAll(/(?<= )\/(?:tmp|media)\//g, (path) => this.place + path);
        const { code, stdout, stderr } = await this.#run(there, host);
        const printed = stdout.replaceAll(this.place, '');
        const missing = missingLine(printed, answer);
        last = `exit code ${code}${missing === undefined ? '' : `, without: ${missing}`}\n${printed}${stderr}`;
        return code === 0 && missing === undefined && printed;
      });
    } catch (cause) {
      throw new Error(last, { cause });
    }
  }

  #run(text: string, host: string | undefined): Promise<CommandOutcome> {
    if (host !== undefined) return this.#runOn(host, text);
    const [, node = '', there = ''] = LAB_EXEC.exec(text) ?? [];
    // One proves `mesh lab exec`.
    if (there === '' || !this.#hasExecuted) {
      this.#hasExecuted ||= there !== '';
      return this.#runHere(text);
    }
    return this.#runOn(node, there);
  }

  async #runHere(text: string): Promise<CommandOutcome> {
    const env = { ...process.env, PATH: `${this.place}${delimiter}${process.env.PATH}` };
    const shell = spawn('sh', ['-c', text], { cwd: TOP, env });
    shell.stdin.end();
    const [stdout, stderr, code] = await Promise.all([textOf(shell.stdout), textOf(shell.stderr), exitCode(shell)]);
    return { code, stdout, stderr };
  }

  /** As `mesh lab exec` does it, which the tutorial proves: here without a process for that command itself. */
  #runOn(host: string, text: string): Promise<CommandOutcome> {
    const lab = Lab.open(this.#lab);
    const node = lab.host(host);
    const [, words] = PLAIN_MESH.exec(text) ?? [];
    if (words !== undefined && node.emulated === undefined) return meshOn(node, ...words.split(' '));
    return lab.exec(node, ['sh', '-c', text]);
  }

  close(): void {
    rmSync(this.place, { recursive: true });
  }
}
