/** The commands that hooks add to `mesh lab`: those that come with labs, and those of XCLUSTER_HOOK, which replace them. */
import type { Command } from 'commander';
import {
  type HookCommand,
  type LabHook,
  lookedForHook,
  runHookCommand,
  runningHookCommands,
  shippedHook,
} from '../../lab/hooks/shell-hook.ts';
import type { Context } from '../context.ts';
import { Interrupt } from '../print/interrupt.ts';
import { printable } from '../print/printable.ts';
import { type LabName, labNameOption } from './vm-words.ts';

/**
 * Adds the commands. A command of the user's hook takes the place of any other of its name, except where that very command calls it. The
 * commands of a hook that cannot be read throw MESH_LAB_HOOK; all others work without the hook, so that a lab can always be taken down.
 */
export function addHooks(lab: Command, context: Context): void {
  const { hook, trouble, names } = lookedForHook();
  const running = runningHookCommands();
  const builtIn = lab.commands.filter((command) => names.has(command.name()));
  for (const command of builtIn) {
    const name = command.name();
    // commander keeps its commands in an array that it gives out for reading.
    if (running.has(name)) command.alias(`built-in-${name}`);
    else command.name(`built-in-${name}`);
  }
  const shipped = shippedHook();
  const isReplaced = (name: string) => names.has(name) && !running.has(name);
  for (const command of shipped.commands) if (!isReplaced(command.name)) add(lab, context, shipped, command);
  if (hook !== undefined) {
    for (const command of hook.commands) if (isReplaced(command.name)) add(lab, context, hook, command);
  }
  if (trouble === undefined) return;
  const refuse = () => {
    throw trouble;
  };
  for (const name of names) {
    if (isReplaced(name))
      lab.command(name, { hidden: true }).argument('[words...]').allowUnknownOption().action(refuse);
  }
  // The name may be one of the hook's.
  lab.on('command:*', refuse);
  lab.hook('preAction', () => {
    context.stderr.write(`The hook of XCLUSTER_HOOK is left out: ${printable(trouble.message)}.\n`);
  });
}

function add(lab: Command, context: Context, hook: LabHook, { name, about, usage }: HookCommand): void {
  lab
    .command(name)
    .argument('[words...]', 'its words; long options become shell variables')
    .addOption(labNameOption())
    .description(about)
    .addHelpText('after', `\nExample:\n  $ mesh lab ${usage}`)
    .allowUnknownOption()
    .action(async (words: readonly string[], { name: labName }: LabName) => {
      using _ = new Interrupt();
      context.exitCode = await runHookCommand(hook, name, words, labName);
    });
}
