/**
 * The command tree. Only the noun on the command line is loaded, since each noun imports libraries that the others do not
 * need. The budgets are 80 ms for `mesh --version` and 120 ms for `mesh network list`.
 */
import { Command, CommanderError, Option } from 'commander';
import { MeshError } from '../model/error.ts';
import { versionText, versionView } from '../model/version.ts';
import { terminalJson } from '../protocol/documents/terminal-text.ts';
import { Context, type GlobalOptions, type Host } from './context.ts';
import { asksForVersion, helpRequest, operandsOf } from './help-request.ts';
import { ownWords, withSeparator } from './own-words.ts';

interface Noun {
  readonly name: string;
  readonly group: string;
  readonly description: string;
  readonly load: (context: Context) => Promise<Command>;
}

const HERE = 'This machine:';
const CLUSTER = 'Networks and nodes:';
const PROCESSES = 'Processes:';
const TOOLS = 'Tools:';

const NOUNS: readonly Noun[] = [
  {
    name: 'status',
    group: HERE,
    description: 'Show the state of this machine on one screen, with a remedy for each finding',
    load: async (context) => (await import('./here/status.ts')).statusCommand(context),
  },
  {
    name: 'plan',
    group: HERE,
    description: 'Show what the agent is about to do to the kernel',
    load: async (context) => (await import('./here/plan.ts')).planCommand(context),
  },
  {
    name: 'drift',
    group: HERE,
    description: 'Read the kernel again, and show where it is not as it should be',
    load: async (context) => (await import('./here/plan.ts')).driftCommand(context),
  },
  {
    name: 'explain',
    group: HERE,
    description: 'Say why a device, an address or a member is there, and what belongs to it',
    load: async (context) => (await import('./here/explain.ts')).explainCommand(context),
  },
  {
    name: 'ping',
    group: HERE,
    description: 'Ping a member of a network: path, loss, round-trip time, and the MTU proved end to end',
    load: async (context) => (await import('./here/ping.ts')).pingCommand(context),
  },
  {
    name: 'trace',
    group: HERE,
    description: 'Follow the path of a packet through every kernel on it, and show where one is not as it should be',
    load: async (context) => (await import('./here/trace.ts')).traceCommand(context),
  },
  {
    name: 'capture',
    group: HERE,
    description: 'Capture packets of a network, inside and outside of the tunnel, on several nodes at once',
    load: async (context) => (await import('./here/capture.ts')).captureCommand(context),
  },
  {
    name: 'doctor',
    group: HERE,
    description: 'Look for what is wrong with this machine, and fix what is safe to fix',
    load: async (context) => (await import('./here/doctor.ts')).doctorCommand(context),
  },
  {
    name: 'events',
    group: HERE,
    description: 'Show what has happened: members that came and went, repairs, refusals',
    load: async (context) => (await import('./here/events.ts')).eventsCommand(context),
  },
  {
    name: 'metrics',
    group: HERE,
    description: 'Show what the processes of this machine count: passes, repairs, members, answers',
    load: async (context) => (await import('./here/metrics.ts')).metricsCommand(context),
  },
  {
    name: 'network',
    group: CLUSTER,
    description: 'List, show and check networks',
    load: async (context) => (await import('./network/network.ts')).networkCommand(context),
  },
  {
    name: 'node',
    group: CLUSTER,
    description: 'List, show, name, boot and command nodes',
    load: async (context) => (await import('./node/node.ts')).nodeCommand(context),
  },
  {
    name: 'address',
    group: CLUSTER,
    description: 'Give virtual machines IPv4 addresses, through NAT64',
    load: async (context) => (await import('./network/address.ts')).addressCommand(context),
  },
  {
    name: 'port',
    group: CLUSTER,
    description: 'Plug interfaces into networks',
    load: async (context) => (await import('./network/port.ts')).portCommand(context),
  },
  {
    name: 'workload',
    group: CLUSTER,
    description: 'Run virtual machines on the nodes',
    load: async (context) => (await import('./workload/workload.ts')).workloadCommand(context),
  },
  {
    name: 'ipam',
    group: CLUSTER,
    description: 'Give addresses from pools to networks, virtual machines and orders',
    load: async (context) => (await import('./ipam/ipam.ts')).ipamCommand(context),
  },
  {
    name: 'owner',
    group: CLUSTER,
    description: 'Make, list and delete the customers of the cluster',
    load: async (context) => (await import('./owner/owner.ts')).ownerCommand(context),
  },
  {
    name: 'order',
    group: CLUSTER,
    description: 'Order networks and virtual machines for owners; follow and cancel orders',
    load: async (context) => (await import('./order/order.ts')).orderCommand(context),
  },
  {
    name: 'host0',
    group: PROCESSES,
    description: 'Let several machines be host0, one at a time',
    load: async (context) => (await import('./host0/host0.ts')).host0Command(context),
  },
  {
    name: 'system',
    group: PROCESSES,
    description: 'Start, stop and watch the processes here; prepare what machines boot',
    load: async (context) => (await import('./system/system.ts')).systemCommand(context),
  },
  {
    name: 'agent',
    group: PROCESSES,
    description: 'Run the agent in the foreground',
    load: async (context) => (await import('./system/agent.ts')).agentCommand(context),
  },
  {
    name: 'lab',
    group: TOOLS,
    description: 'Try Meshwork on this machine: a whole cluster of namespaces or emulated machines',
    load: async (context) => (await import('./lab/lab.ts')).labCommand(context),
  },
  {
    name: 'demo',
    group: TOOLS,
    description: 'Make a set of owners with networks to look around in, and remove it again',
    load: async (context) => (await import('./demo/demo.ts')).demoCommand(context),
  },
  {
    name: 'genid',
    group: TOOLS,
    description: 'Print an identifier as Meshwork derives it, or the id of this machine',
    load: async (context) => (await import('./here/genid.ts')).genidCommand(context),
  },
];

/** The words of virsh, and of the draft that came before it: `net-start`, `network-start`. They are not in the short help. */
const NET_WORD = /^net(?:work)?-/;

const COMPLETE = 'complete';
const COMPLETE_DESCRIPTION = 'Print the completion script of a shell: bash, zsh or fish';

/** The command tree, and the context that its actions share. */
export interface MeshProgram {
  readonly command: Command;
  readonly context: Context;
}

/**
 * Builds the command tree for one command line.
 * @param words the command line without `node` and the script; the noun in it is loaded, `complete` loads all nouns
 */
export async function createProgram(host: Host, words: readonly string[]): Promise<MeshProgram> {
  const program = new Command('mesh')
    .description('Meshwork turns a box of bare machines into a private cloud network.')
    .version(versionText(), '-V, --version', 'print the version')
    .addOption(new Option('--root <dir>', 'the directory that all files are below').env('MESH_ROOT').default('/'))
    .addOption(
      new Option('--host0-dir <dir>', "host0's directory, if it is not /host0 below the root").env('MESH_HOST0_DIR'),
    )
    .option('--json', 'answer with JSON')
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => host.stdout.write(wrapped(text, host.stdout.columns ?? 80)),
      writeErr: (text) => host.stderr.write(text),
      getOutHelpWidth: () => host.stdout.columns ?? 80,
      getErrHelpWidth: () => host.stderr.columns ?? 80,
      // Errors are thrown, and src/main/cli.ts alone prints them.
      outputError: () => {},
    })
    .exitOverride()
    .addHelpText(
      'after',
      '\nExamples:\n  $ mesh lab up\n  $ mesh status\n  $ mesh network list --json\n  $ mesh ping manage node3',
    );
  const context = new Context(host, () => program.opts<GlobalOptions>());

  const wanted = wantedNoun(words);
  for (const noun of NOUNS) {
    const loaded = wanted === noun.name || wanted === COMPLETE;
    const command = loaded ? await noun.load(context) : new Command(noun.name);
    program.addCommand(command.description(noun.description).helpGroup(noun.group));
  }
  if (wanted === COMPLETE || NET_WORD.test(wanted ?? '')) {
    const { netCommands } = await import('./net/net-commands.ts');
    for (const command of netCommands(context)) program.addCommand(command, { hidden: true });
  }
  inheritSettings(program);
  if (wanted === COMPLETE) {
    const { addCompletion } = await import('./complete.ts');
    addCompletion(program, context, words, COMPLETE_DESCRIPTION);
  } else {
    program.command(COMPLETE);
  }
  const complete = program.commands.find((command) => command.name() === COMPLETE);
  complete?.description(COMPLETE_DESCRIPTION).helpGroup(TOOLS);
  return { command: program, context };
}

/**
 * Parses the command line and runs its command.
 * @returns the exit code
 * @throws MESH_USAGE for a wrong command line, and what the command throws
 */
export async function runProgram({ command, context }: MeshProgram, words: readonly string[]): Promise<number> {
  if (asksForVersion(words)) {
    const text = ownWords(words).includes('--json') ? terminalJson(versionView(), 2) : versionText();
    context.print(`${text}\n`);
    return 0;
  }
  try {
    await command.parseAsync(withSeparator(helpRequest(command, words)), { from: 'user' });
    return context.exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return endOfParsing(error, nearestCommand(command, words));
    throw error;
  }
}

/** commander throws after --help and --version too, with exit code 0. Its other errors mean a wrong command line. */
function endOfParsing(error: CommanderError, command: string): number {
  if (error.exitCode === 0) return 0;
  // commander has printed the help of the noun, because the verb is missing.
  if (error.code === 'commander.help') return 2;
  const [message = '', suggestion] = error.message.replace(/^error: /, '').split('\n');
  const guess = /^\(Did you mean (.+)\?\)$/.exec(suggestion ?? '')?.[1];
  throw new MeshError('MESH_USAGE', message, {
    remedy: guess === undefined ? `See \`${command} --help\`.` : `Did you mean ${guess}?`,
  });
}

/** The longest command that the words name, such as `mesh network show`. */
function nearestCommand(program: Command, words: readonly string[]): string {
  let [command, path] = [program, program.name()];
  for (const word of words) {
    const next = command.commands.find((child) => child.name() === word);
    if (next === undefined) continue;
    command = next;
    path += ` ${word}`;
  }
  return path;
}

/** The noun: the first word that is neither an option nor an option's value, or the word after `help`. */
function wantedNoun(words: readonly string[]): string | undefined {
  const [first, second] = operandsOf(words);
  return first?.word === 'help' ? second?.word : first?.word;
}

/**
 * Copies settings such as exitOverride from parents to children: commander does so for `command()`, but not for `addCommand()`.
 * Only `mesh` itself keeps the subcommand `help`.
 */
function inheritSettings(parent: Command): void {
  for (const child of parent.commands) {
    child.copyInheritedSettings(parent).helpCommand(false);
    inheritSettings(child);
  }
}

/** Folds help to `width`, since commander does not fold texts of addHelpText. Examples stay whole, so that they can be copied. */
function wrapped(text: string, width: number): string {
  return text
    .split('\n')
    .flatMap((line) =>
      line.startsWith(' ') ? [line] : (line.match(new RegExp(`.{1,${width}}(?: |$)|\\S+`, 'g')) ?? [line]),
    )
    .map((line) => line.trimEnd())
    .join('\n');
}
