/** The commands that hooks add to `mesh lab`: those that come with labs, and those of XCLUSTER_HOOK, which replace them. */
import type { Command } from 'commander';
import { type HookCommand, type LabHook, namedHook, runHookCommand, shippedHook } from '../../lab/hooks/shell-hook.ts';
import type { Context } from '../context.ts';
import { Interrupt } from '../print/interrupt.ts';
import { type LabName, labNameOption } from './vm-words.ts';

/** Adds the commands. A command of the user's hook takes the place of any other of its name. @throws MESH_LAB_HOOK */
export function addHooks(lab: Command, context: Context): void {
  const own = namedHook();
  const names = new Set(own?.commands.map(({ name }) => name));
  const replaced = lab.commands.filter((command) => names.has(command.name()));
  // commander keeps its commands in an array that it gives out for reading.
  for (const command of replaced) command.name(`built-in-${command.name()}`);
  const shipped = shippedHook();
  for (const command of shipped.commands) if (!names.has(command.name)) add(lab, context, shipped, command);
  if (own !== undefined) for (const command of own.commands) add(lab, context, own, command);
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
