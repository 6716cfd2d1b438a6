/** `mesh node ctl`: runs a command on one node, on several at once, or on all. */
import { Command } from 'commander';
import { errorText } from '../../formats/error-text.ts';
import { type ErrorDocument, MeshError } from '../../model/error.ts';
import type { MachineId } from '../../model/machine.ts';
import { visible } from '../../protocol/documents/terminal-text.ts';
import type { Context } from '../context.ts';
import { paintFor, wantsColor } from '../print/color.ts';
import { Lines } from '../print/lines.ts';
import { printable } from '../print/printable.ts';
import { chosenNodes } from './node-choice.ts';
import { type CommandedNode, RemoteShell } from './remote-shell.ts';

export function nodeCtlCommand(context: Context): Command {
  return new Command('ctl')
    .description('Run a command on nodes that host0 has booted, over the mesh')
    .argument('<command...>', 'a command for the shell of the node; quote what the shell here must not expand')
    .option('-n, --node <node>', 'its name or its machine id; may be repeated', collect, [])
    .option('--all', 'every node that is online')
    .addHelpText(
      'after',
      '\nWith one node the output is printed unchanged, and the exit code is that of the command. With several nodes each ' +
        'line begins with the name of its node, and the exit code is the first that is not 0. The command gets no input.\n' +
        '\nExamples:\n  $ mesh node ctl -n node1 "uptime"\n  $ mesh node ctl -n node1 -n 2b1c0d3e "mesh status --json"\n' +
        '  $ mesh node ctl --all "uname -r" --json',
    )
    .action((words: string[], options: Options) => ctl(context, words.join(' '), options));
}

interface Options {
  readonly node: readonly string[];
  readonly all?: boolean;
}

function collect(word: string, before: readonly string[]): readonly string[] {
  return [...before, word];
}

/** The document that `--json` prints for each node. */
interface NodeOutcome {
  readonly node: string;
  readonly machine: MachineId;
  /** Absent when the command could not be run, or when its end is not known. */
  readonly exitCode?: number;
  readonly stdout: string;
  readonly stderr: string;
  /** The output was longer than KEPT_BYTES: only its beginning is here. */
  readonly cut?: boolean;
  readonly error?: ErrorDocument;
}

/** Nodes at a time: each needs an ssh process on host0 and a login on the node. */
const AT_ONCE = 16;
/** Of each node, with --json. */
const KEPT_BYTES = 16 * 1024 * 1024;

async function ctl(context: Context, command: string, { node: words, all }: Options): Promise<void> {
  const nodes = await chosenNodes(context, words, all);
  await using shell = await RemoteShell.open(context);
  const [only] = nodes;
  if (context.json) {
    const outcomes = await onEach(nodes, (node) => outcomeOf(shell, node, command));
    context.exitCode = firstFailure(outcomes.map(codeOf));
    context.answer(outcomes, () => '');
  } else if (only !== undefined && nodes.length === 1) {
    context.exitCode = await shell.run(only, command);
  } else {
    const width = Math.max(...nodes.map(({ name }) => name.length));
    context.exitCode = firstFailure(await onEach(nodes, (node) => runBeside(context, shell, node, command, width)));
  }
}

/** Runs on AT_ONCE nodes at a time; the answers are in the order of `nodes`. */
async function onEach<T>(nodes: readonly CommandedNode[], run: (node: CommandedNode) => Promise<T>): Promise<T[]> {
  const answers: T[] = [];
  const waiting = nodes.entries();
  const worker = async () => {
    for (const [index, node] of waiting) answers[index] = await run(node);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return answers;
}

async function outcomeOf(shell: RemoteShell, node: CommandedNode, command: string): Promise<NodeOutcome> {
  const kept = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  let bytes = 0;
  const onOutput = (stream: 'stdout' | 'stderr', chunk: Buffer): void => {
    if (bytes < KEPT_BYTES) kept[stream].push(chunk.subarray(0, KEPT_BYTES - bytes));
    bytes += chunk.length;
  };
  const [end] = await Promise.allSettled([shell.run(node, command, { onOutput })]);
  return {
    node: node.name,
    machine: node.machine,
    ...(end.status === 'fulfilled' && { exitCode: end.value }),
    stdout: Buffer.concat(kept.stdout).toString('utf8'),
    stderr: Buffer.concat(kept.stderr).toString('utf8'),
    ...(bytes > KEPT_BYTES && { cut: true }),
    ...(end.status === 'rejected' && { error: MeshError.from(end.reason).toJSON() }),
  };
}

function codeOf({ exitCode, error }: NodeOutcome): number {
  return exitCode ?? (error === undefined ? 1 : MeshError.fromJSON(error).exitCode);
}

async function runBeside(
  context: Context,
  shell: RemoteShell,
  node: CommandedNode,
  command: string,
  width: number,
): Promise<number> {
  const { stderr, paint } = context;
  const name = printable(node.name).padEnd(width);
  const complain = (line: string) => stderr.write(`${paintFor(stderr)('heading', name)}  ${line}\n`);
  const lines = {
    stdout: new Lines((line) => context.print(`${paint('heading', name)}  ${visible(line)}\n`)),
    stderr: new Lines((line) => complain(visible(line))),
  };
  try {
    return await shell.run(node, command, { onOutput: (stream, chunk) => lines[stream].push(chunk) });
  } catch (thrown) {
    const error = MeshError.from(thrown);
    errorText(error, { color: wantsColor(stderr) })
      .split('\n')
      .forEach(complain);
    return error.exitCode;
  } finally {
    lines.stdout.end();
    lines.stderr.end();
  }
}

function firstFailure(codes: readonly number[]): number {
  return codes.find((code) => code !== 0) ?? 0;
}
