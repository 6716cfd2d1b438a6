/** The commands that do something, as the reference pages and the manual describe them. */
import type { Argument, Command, Option } from 'commander';

export interface Leaf {
  readonly path: readonly string[];
  readonly command: Command;
}

/** In the order of the tree. */
export function leavesOf(command: Command, path: readonly string[] = []): Leaf[] {
  const here = [...path, command.name()];
  return command.commands.length === 0
    ? [{ path: here, command }]
    : command.commands.flatMap((child) => leavesOf(child, here));
}

export function usageOf({ path, command }: Leaf): string {
  return [
    path.join(' '),
    ...(command.options.length > 0 ? ['[options]'] : []),
    ...command.registeredArguments.map(argumentText),
  ].join(' ');
}

export function argumentText(argument: Argument): string {
  const name = argument.name() + (argument.variadic ? '...' : '');
  return argument.required ? `<${name}>` : `[${name}]`;
}

/** What an option may be, and what it is if not given. @param quote how the page shows a value */
export function choicesText({ argChoices, defaultValue, envVar }: Option, quote: (value: string) => string): string {
  const notes = [
    argChoices === undefined ? '' : `one of ${argChoices.map(quote).join(', ')}`,
    defaultValue === undefined ? '' : `${quote(String(defaultValue))} if not given`,
    envVar === undefined ? '' : `also ${quote(envVar)} in the environment`,
  ].filter((note) => note !== '');
  return notes.length === 0 ? '' : `; ${notes.join('; ')}`;
}

/** What a command's help says below its options, and the examples in it. */
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
