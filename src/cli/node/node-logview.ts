/** `mesh node logview`: reads the logs of a node over the mesh. */
import { Command, Option } from 'commander';
import { shellWords } from '../../image/shell-words.ts';
import type { Context } from '../context.ts';
import { Lines } from '../print/lines.ts';
import { wholeNumber } from '../print/number-option.ts';
import { logJson, logLine } from '../system/log-file.ts';
import { chosenNodes } from './node-choice.ts';
import { RemoteShell } from './remote-shell.ts';

export function nodeLogviewCommand(context: Context): Command {
  return new Command('logview')
    .description('Show a log of a node: of its agent, of its boot, or of its SSH server')
    .argument('<node>', 'its name or its machine id')
    .option('-f, --follow', 'go on with new lines, until Ctrl-C')
    .addOption(new Option('-n, --lines <n>', 'show this many of the last lines').default(50).argParser(wholeNumber(0)))
    .addOption(new Option('--log <name>', 'which log').choices(Object.keys(LOGS)).default('agent'))
    .addHelpText(
      'after',
      '\nThe logs of a node are in its memory, and are lost when it reboots. With --json the lines are printed as they are in the log.\n' +
        '\nExamples:\n  $ mesh node logview node1 --follow\n  $ mesh node logview node1 --log boot',
    )
    .action((machine: string, options: Options) => logview(context, machine, options));
}

/** The files that the scripts of the node's image write (image/node/scripts). */
const LOGS = {
  agent: '/var/log/meshwork/agent.log',
  boot: '/var/log/meshwork/boot.log',
  ssh: '/var/log/meshwork/ssh.log',
} as const;

interface Options {
  readonly follow?: boolean;
  readonly lines: number;
  readonly log: keyof typeof LOGS;
}

async function logview(context: Context, machine: string, { follow, lines, log }: Options): Promise<void> {
  const [node] = await chosenNodes(context, [machine]);
  if (node === undefined) return;
  await using shell = await RemoteShell.open(context);
  const { json, paint } = context;
  const shown = new Lines((line) => context.print(json ? logJson(line) : logLine(line, paint)));
  const complaints = new Lines((line) => context.stderr.write(logLine(line, paint)));
  context.exitCode = await shell.run(
    node,
    follow ? following(LOGS[log], lines) : shellWords(['tail', '-n', String(lines), LOGS[log]]),
    {
      onOutput: (stream, chunk) => (stream === 'stdout' ? shown : complaints).push(chunk),
      holdsInput: follow === true,
    },
  );
  shown.end();
  complaints.end();
}

/** A `tail -F` that ends with the connection. `tail` alone would notice the lost connection only at the next line. */
function following(file: string, lines: number): string {
  const tail = shellWords(['tail', '-n', String(lines), '-F', file]);
  return `${tail} & tail=$!; cat >/dev/null; kill $tail`;
}
