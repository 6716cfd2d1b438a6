/** `mesh workload console` and `mesh workload log`: what a guest writes to its serial console, and a keyboard for it. */
import { hostname, userInfo } from 'node:os';
import { Command, Option } from 'commander';
import { MeshError } from '../../model/error.ts';
import { type ControlClient, host0Client } from '../../protocol/calls/control-client.ts';
import { CONSOLE_TAIL_BYTES, type NodeConsole } from '../../protocol/documents/workload/console.ts';
import type { Context } from '../context.ts';
import { durationText } from '../print/duration.ts';
import { Interrupt } from '../print/interrupt.ts';
import { Lines } from '../print/lines.ts';
import { wholeNumber } from '../print/number-option.ts';
import { printable } from '../print/printable.ts';
import { consoleSession } from './console-session.ts';

interface ConsoleOptions {
  readonly workload: string;
  readonly node?: string;
  readonly readOnly?: boolean;
}

interface LogOptions extends ConsoleOptions {
  readonly follow?: boolean;
  readonly lines: number;
}

/** So much of the last output is shown first: about a screen. */
const SCREEN_BYTES = 2_000;
/** Ends colours, shows the cursor, and begins a new line. */
const RESET = '\x1b[0m\x1b[?25h\r\n';
/** CSI and OSC sequences, and other escapes: a log is no terminal. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: escapes begin with a control character
const ESCAPES = /\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-~])/g;

/** The command that types, too. */
export function workloadConsoleCommand(context: Context): Command {
  return withNames(new Command('console'))
    .description('Look at the serial console of a virtual machine, and type into it; Ctrl-] leaves')
    .option('--read-only', 'only look')
    .addHelpText(
      'after',
      '\nThe command is for host0, and for a machine that has its control socket. Ctrl-] leaves, and nothing else does: all other keys go to the guest. Several may look and type at once; ' +
        'each sees the same output, and the command says who is there.\n\nExample:\n  $ mesh workload console -w web',
    )
    .action((options: ConsoleOptions) => runConsole(context, options));
}

/** The command that prints what the guest has written. */
export function workloadLogCommand(context: Context): Command {
  return withNames(new Command('log'))
    .description('Print the last lines of the serial console of a virtual machine, also after it has ended')
    .option('-f, --follow', 'go on with new lines, until Ctrl-C')
    .addOption(new Option('-l, --lines <n>', 'show this many of the last lines').default(50).argParser(wholeNumber(0)))
    .addHelpText(
      'after',
      `\nThe command is for host0, and for a machine that has its control socket. The node keeps the last ${CONSOLE_TAIL_BYTES / 1024} KiB. Colours and other control sequences are left out.\n\n` +
        'Example:\n  $ mesh workload log -w web --follow',
    )
    .action((options: LogOptions) => runLog(context, options));
}

function withNames(command: Command): Command {
  return command
    .requiredOption('-w, --workload <name>', 'the name of the workload')
    .option('-n, --node <node>', 'the node on which it runs; without it, all nodes are asked');
}

async function runConsole(context: Context, { workload, node, readOnly = false }: ConsoleOptions): Promise<void> {
  const client = host0Client(context.paths);
  const found = await findConsole(client, workload, node);
  const path = { node: found.node, workload };
  using interrupt = new Interrupt();
  const query = { tail: SCREEN_BYTES, follow: true, writes: !readOnly, who: ownName() };
  const output = await client.bytes('GET /v1/consoles/{node}/{workload}', { path, query, signal: interrupt.signal });
  context.stderr.write(`${printable(welcome(found, readOnly))}\n`);
  const { stdin } = process;
  const isTerminal = stdin.isTTY === true;
  try {
    if (isTerminal) stdin.setRawMode(true);
    const end = await consoleSession({
      client,
      path,
      output,
      terminal: { write: (chunk) => context.print(chunk) },
      keyboard: readOnly && !isTerminal ? undefined : stdin,
      hasEscape: isTerminal,
      types: !readOnly,
      signal: interrupt.signal,
    });
    if (isTerminal) context.stderr.write(RESET);
    if (end === 'interrupted') context.exitCode = interrupt.exitCode;
    if (end === 'closed') context.stderr.write(`${printable(`The console of ${workload} is gone.`)}\n`);
  } finally {
    if (isTerminal) stdin.setRawMode(false);
    stdin.pause();
  }
}

async function runLog(context: Context, { workload, node, follow = false, lines }: LogOptions): Promise<void> {
  const client = host0Client(context.paths);
  const found = await findConsole(client, workload, node);
  using interrupt = new Interrupt();
  const path = { node: found.node, workload };
  const query = (isFollowing: boolean, tail: number) => ({ follow: isFollowing, tail, writes: false, who: ownName() });
  const shown = new Lines((line) => context.emit({ line: plain(line) }, () => `${plain(line)}\n`));
  const output = await client.bytes('GET /v1/consoles/{node}/{workload}', {
    path,
    query: query(follow, Math.min(found.keptBytes, CONSOLE_TAIL_BYTES)),
    signal: interrupt.signal,
  });
  // What is kept comes first: of that, only the last lines are shown. A node that sends more than a node keeps is not listened to.
  let leftBytes = follow ? Math.min(found.keptBytes, CONSOLE_TAIL_BYTES) : CONSOLE_TAIL_BYTES;
  let kept: Buffer[] = [];
  const showKept = (): void => {
    for (const line of lastLines(Buffer.concat(kept), lines)) shown.push(line);
    kept = [];
  };
  if (leftBytes === 0) showKept();
  try {
    for await (const chunk of output as AsyncIterable<Buffer>) {
      if (leftBytes <= 0) {
        shown.push(chunk);
        continue;
      }
      kept.push(chunk);
      leftBytes -= chunk.length;
      if (leftBytes <= 0 && !follow) break;
      if (leftBytes <= 0) showKept();
    }
  } catch (thrown) {
    if (!interrupt.signal.aborted) throw MeshError.from(thrown);
    context.exitCode = interrupt.exitCode;
  }
  showKept();
  shown.end();
}

/** The console of a workload. @throws MESH_CONSOLE_NONE */
async function findConsole(
  client: ControlClient<'host0'>,
  workload: string,
  node: string | undefined,
): Promise<NodeConsole> {
  const consoles = await client.ask('GET /v1/consoles', { query: node === undefined ? {} : { node } });
  const all = consoles.filter((console) => console.workload === workload);
  // One that was moved away may still be named on its old node.
  const found = all.find(({ isOpen }) => isOpen) ?? all[0];
  if (found !== undefined) return found;
  throw new MeshError('MESH_CONSOLE_NONE', `no node that answers has a console of the workload ${workload}`, {
    object: workload,
    remedy: 'See `mesh workload list` and `mesh node list`: its node may have no channel to host0.',
  });
}

function welcome({ workload, node, isOpen, viewers }: NodeConsole, readOnly: boolean): string {
  const others = viewers.map(
    ({ who, ageSec, writes }) => `${who} (${writes ? '' : 'only looks, '}${durationText(ageSec)})`,
  );
  const there = others.length === 0 ? 'Nobody else is here.' : `Also here: ${others.join(', ')}.`;
  const state = isOpen ? '' : ' Its emulator does not run now.';
  return `Console of ${workload} on ${node}${readOnly ? ', only to look' : ''}. Ctrl-] leaves. ${there}${state}`;
}

/** `root@host0`, or who has become root. */
function ownName(): string {
  return `${process.env.SUDO_USER ?? userInfo().username}@${hostname()}`.slice(0, 64);
}

function plain(line: string): string {
  return printable(line.replace(ESCAPES, '').replace(/\r+$/, ''));
}

/** The last lines of a text, with their line breaks. */
function lastLines(text: Buffer, count: number): readonly Buffer[] {
  let begin = text.length;
  // A text that ends with a line break has no line behind it.
  let left = text.at(-1) === 0x0a ? count + 1 : count;
  while (begin > 0 && left > 0) {
    if (text[begin - 1] === 0x0a && --left === 0) break;
    begin--;
  }
  return count === 0 ? [] : [text.subarray(begin)];
}
