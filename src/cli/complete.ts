/** `mesh complete SHELL`, and the answers to the scripts that it prints: the command tree, networks and nodes. */
import tab from '@bomb.sh/tab/commander';
import type { Command } from 'commander';
import { agentClient, bestClient, host0Client } from '../protocol/control-client.ts';
import type { NetworkView, NodeView } from '../protocol/views.ts';
import type { Context } from './context.ts';

/** Somebody is waiting at a prompt: names that do not come within this time are left out. */
const PATIENCE_MS = 300;

/** @param words the command line; `complete -- WORD…` is a shell that asks */
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
    command.option('root', 'the directory that all files are below', () => {});
  }
  if (words.includes('--')) complete?.hook('preAction', addNames);

  /** Arguments are completed by what they are called: <network>, <node>, <from>, <to>. */
  async function addNames(): Promise<void> {
    const nodes = await inTime(nodeNames(context));
    const names: Record<string, readonly string[]> = {
      network: await inTime(networkNames(context)),
      node: nodes,
      from: nodes,
      to: nodes,
    };
    for (const command of completion.commands.values()) {
      for (const [name, argument] of command.arguments) {
        argument.handler = (suggest) => {
          for (const value of names[name] ?? []) suggest(value, '');
        };
      }
    }
  }
}

/** Nobody wants an error at a prompt: what cannot be known is not suggested. */
async function inTime(names: Promise<string[]>): Promise<string[]> {
  const none = new Promise<string[]>((resolve) => setTimeout(resolve, PATIENCE_MS, []).unref());
  return Promise.race([names.catch(() => []), none]);
}

async function networkNames({ paths }: Context): Promise<string[]> {
  const views = await (await bestClient(paths)).get<NetworkView[]>('/v1/networks');
  return views.map(({ network }) => network.name);
}

async function nodeNames({ paths }: Context): Promise<string[]> {
  const host0 = host0Client(paths);
  if (await host0.answers()) return (await host0.get<NodeView[]>('/v1/nodes')).map((node) => node.name);
  const views = await agentClient(paths).get<NetworkView[]>('/v1/networks');
  return [...new Set(views.flatMap(({ members }) => members.map((member) => member.name)))];
}
