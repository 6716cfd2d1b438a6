/**
 * The words of virsh and of the draft that came before it, as hidden commands: `mesh net-start`, `mesh network-create`. Each is one
 * row of a table, over the same routes as `mesh network`.
 */
import { Argument, Command, Option } from 'commander';
import type { Context } from '../context.ts';
import { CHANGE_WORDS } from './change-words.ts';
import { EDIT_WORDS } from './edit-words.ts';
import { EVENT_WORDS } from './event-words.ts';
import type { NetWord, WordOptions } from './net-word.ts';
import { PORT_WORDS } from './port-words.ts';
import { SHOW_WORDS } from './show-words.ts';
import { UPDATE_WORDS } from './update-words.ts';

/** All words. */
export const NET_WORDS: readonly NetWord[] = [
  ...SHOW_WORDS,
  ...CHANGE_WORDS,
  ...UPDATE_WORDS,
  ...EDIT_WORDS,
  ...PORT_WORDS,
  ...EVENT_WORDS,
];

/** What examples show for an argument. One that may be left out is. */
const EXAMPLES: ReadonlyMap<string, string> = new Map([
  ['<network>', 'default'],
  ['<file>', 'default.xml'],
  ['<command>', 'add'],
  ['<section>', 'ip-dhcp-host'],
  ['<xml>', 'host.xml'],
  ['<uri>', 'urn:app'],
  ['<port>', '5d744f21-ba4a-4d6e-bdb2-30a35ff3207d'],
]);

/** The commands, one for each spelling. */
export function netCommands(context: Context): readonly Command[] {
  return NET_WORDS.flatMap((row) => row.words.map((word) => commandOf(word, row, context)));
}

function commandOf(word: string, { description, args, options = [], does }: NetWord, context: Context): Command {
  const command = new Command(word).description(description);
  for (const [argument, about] of args) {
    const optional = new Argument(argument, about);
    // It may be named by its option.
    optional.required = false;
    command.addArgument(optional);
    if (!optional.variadic) command.addOption(new Option(`--${optional.name()} <value>`, about).hideHelp());
  }
  for (const [flags, about] of options) command.addOption(new Option(flags, about));
  command.usage(['[options]', ...args.map(([argument]) => argument)].join(' '));
  const shown = args.map(([argument]) => EXAMPLES.get(argument) ?? '').filter((value) => value !== '');
  command.addHelpText('after', `\nExample:\n  $ ${['mesh', word, ...shown].join(' ')}`);
  return command.action(async () => {
    const chosen = command.opts<WordOptions>();
    await does(context, argumentsOf(command, args, chosen), chosen);
  });
}

/**
 * The arguments in their order. As in virsh, each may be named by an option instead, `--network default`; those without a name are the
 * others, from the first one on.
 */
function argumentsOf(command: Command, args: NetWord['args'], options: WordOptions): readonly (string | undefined)[] {
  const plain = [...command.args];
  const values = command.registeredArguments.map((argument) => {
    const named = argument.variadic ? undefined : options[argument.name()];
    return typeof named === 'string' ? named : plain.shift();
  });
  for (const [index, [argument]] of args.entries()) {
    if (argument.startsWith('<') && values[index] === undefined) {
      const name = command.registeredArguments[index]?.name();
      command.error(`error: missing required argument '${name}'`, { code: 'commander.missingArgument' });
    }
  }
  // What is left has no place: commander has counted, and did not know what the options name.
  if (plain.length > 0 && command.registeredArguments.at(-1)?.variadic !== true) {
    command.error(`error: too many arguments for '${command.name()}'`, { code: 'commander.excessArguments' });
  }
  return [...values, ...plain];
}
