/** The leaves of the command tree, and how the reference pages and the manual describe them. */
import type { Argument, Command, Option } from 'commander';

/** A command without subcommands, and the words that lead to it: `mesh`, `network`, `show`. */
export interface Leaf {
  readonly path: readonly string[];
  readonly command: Command;
}

/** The commands at and below `command` that have no subcommands, in the order of the tree. Those that help does not show are left out. */
export function leavesOf(command: Command, path: readonly string[] = []): Leaf[] {
  const here = [...path, command.name()];
  return command.commands.length === 0
    ? [{ path: here, command }]
    : command
        .createHelp()
        .visibleCommands(command)
        .filter((child) => child.name() !== 'help')
        .flatMap((child) => leavesOf(child, here));
}

/** The synopsis, such as `mesh ping [options] <network> <node>`. */
export function usageOf({ path, command }: Leaf): string {
  return [
    path.join(' '),
    ...(command.options.length > 0 ? ['[options]'] : []),
    ...command.registeredArguments.map(argumentText),
  ].join(' ');
}

/** `<name>`, or `[name]` if it is optional; `<name...>` if it takes several values. */
export function argumentText(argument: Argument): string {
  const name = argument.name() + (argument.variadic ? '...' : '');
  return argument.required ? `<${name}>` : `[${name}]`;
}

/**
 * The choices, the default and the environment variable of an option, beginning with `; `. Empty if there is none of them.
 * @param quote how the page marks a value
 */
export function choicesText(option: Option, quote: (value: string) => string): string {
  const { argChoices, defaultValue, defaultValueDescription, envVar } = option;
  const notes = [
    argChoices === undefined ? '' : `one of ${argChoices.map(quote).join(', ')}`,
    String(defaultValue ?? '') === '' ? '' : `${defaultValueDescription ?? quote(String(defaultValue))} if not given`,
    envVar === undefined ? '' : `also ${quote(envVar)} in the environment`,
  ].filter((note) => note !== '');
  return notes.length === 0 ? '' : `; ${notes.join('; ')}`;
}

/** The text below the options in a command's help (`after`), and its examples without indentation. */
export function helpAfter(command: Command): { after: string; examples: string } {
  let text = '';
  command
    .configureOutput({
      writeOut: (part) => {
        text += part;
      },
    })
    .outputHelp();
  const own = text.slice(text.indexOf('Global Options:')).split('\n\n').slice(1).join('\n\n');
  const [after = '', examples = ''] = own.split(/^Examples?:\n/m);
  return { after: after.trim(), examples: examples.trimEnd().replaceAll(/^ {2}/gm, '') };
}
