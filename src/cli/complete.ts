/** `mesh complete SHELL` prints a completion script. The script calls `mesh complete -- WORD…` for commands, networks and nodes. */
import type { Complete } from '@bomb.sh/tab';
import tab from '@bomb.sh/tab/commander';
import { type Command, CommanderError } from 'commander';
import { bestClient, host0Client } from '../protocol/http/control-client.ts';
import type { Context } from './context.ts';
import { fetchNodes, type ListedNode, nameOf, nodeStateText } from './node/node-list.ts';

/** The user waits at a prompt: names that arrive later than this are left out. */
const PATIENCE_MS = 1000;

/**
 * Adds `mesh complete` to the tree, and suggestions to its arguments and options.
 * @param words the command line; with `complete -- WORD…` the shell asks for suggestions
 */
export function addCompletion(program: Command, context: Context, words: readonly string[]): void {
  const completion = tab(program);
  const complete = program.commands.find((command) => command.name() === 'complete');
  complete?.addHelpText(
    'after',
    '\nThe script for bash needs the package bash-completion.\n' +
      '\nExamples:\n  $ source <(mesh complete bash)\n  $ mesh complete zsh > ~/.zfunc/_mesh\n' +
      '  $ mesh complete fish > ~/.config/fish/completions/mesh.fish',
  );
  for (const command of completion.commands.values()) {
    command.option('json', 'answer with JSON');
    command.option('host0-dir', "host0's directory, if it is not /host0 below the root", () => {});
    command.option('root', 'the directory that all files are below', () => {});
  }
  if (words.includes('--')) complete?.hook('preAction', addNames);
  // The library registers its function without `-o default`: then bash completes no file names, even where it may.
  else if (words.includes('bash')) {
    complete?.hook('postAction', () => context.print('complete -o default -F __mesh_complete mesh\n'));
  }

  /** Suggests values by the name of the argument or option: <network>, <node>, <from>, <to>, <machine>, --node, --card. */
  async function addNames(): Promise<void> {
    const [networks, machines, cards] = await Promise.all([
      inTime(networkNames(context)),
      inTime(fetchNodes(context)),
      inTime(cardNames(context)),
    ]);
    const nodes = machines.filter(({ role }) => role !== 'machine').map(nameOfNode);
    const names: Readonly<Record<string, readonly Name[]>> = {
      network: networks,
      node: nodes,
      from: nodes,
      to: nodes,
      '--node': nodes,
      machine: machines.filter(({ role }) => role !== 'host0').map(nameOfNode),
      '--card': cards,
    };
    for (const command of completion.commands.values()) {
      const options = [...command.options].map(([name, option]) => [`--${name}`, option] as const);
      for (const [word, slot] of [...command.arguments, ...options]) {
        const known = names[word];
        if (FILES.has(word)) slot.handler = askForFiles;
        if (known === undefined) continue;
        slot.handler = (suggest: Complete) => {
          for (const { name, about } of known) suggest(name, about);
        };
      }
    }
  }

  /** Tells the shell (`:0`) to complete file names. The library would always answer that the shell must not. */
  function askForFiles(): never {
    context.print(':0\n');
    throw new CommanderError(0, 'mesh.complete', '');
  }
}

/** Arguments and options that are files or directories of this machine. */
const FILES: ReadonlySet<string> = new Set(['file', '--output', '--svg', '--root', '--host0-dir']);

interface Name {
  readonly name: string;
  /** zsh and fish show this beside the name. */
  readonly about: string;
}

/** The names, or none after an error or after PATIENCE_MS: a prompt is no place for an error. */
async function inTime<T>(names: Promise<readonly T[]>): Promise<readonly T[]> {
  const none = new Promise<readonly T[]>((resolve) => setTimeout(resolve, PATIENCE_MS, []).unref());
  return Promise.race([names.catch(() => []), none]);
}

async function networkNames({ paths }: Context): Promise<readonly Name[]> {
  const views = await (await bestClient(paths)).ask('GET /v1/networks');
  return views.map(({ network }) => ({ name: network.name, about: network.fabric.prefix }));
}

/** The network cards that boot, or have tried to. */
async function cardNames({ paths }: Context): Promise<readonly Name[]> {
  const boots = await host0Client(paths).ask('GET /v1/boots');
  return boots.map(({ mac, device, machine }) => ({ name: mac, about: `${machine ?? 'a machine'} on ${device}` }));
}

function nameOfNode(node: ListedNode): Name {
  return { name: nameOf(node), about: nodeStateText(node) };
}
