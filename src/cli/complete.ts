/** `mesh complete SHELL` prints a completion script. The script calls `mesh complete -- WORD…` for commands and names. */
import type { Complete } from '@bomb.sh/tab';
import tab from '@bomb.sh/tab/commander';
import { type Command, CommanderError } from 'commander';
import { MeshError } from '../model/error.ts';
import { SOURCES, type Suggestion } from './completion-names.ts';
import type { Context } from './context.ts';

/** The user waits at a prompt: names that arrive later than this are left out. */
const PATIENCE_MS = 1000;

const SHELLS = ['bash', 'zsh', 'fish'];

/** What a shell is told in the last line: complete no file names (4), and keep the order of the suggestions (32). */
const NAMES_IN_ORDER = 4 + 32;

/**
 * Adds `mesh complete` to the tree, and suggestions to its arguments and options.
 * @param words the command line; with `complete -- WORD…` the shell asks for suggestions
 * @param description what `mesh complete` does
 */
export function addCompletion(program: Command, context: Context, words: readonly string[], description: string): void {
  const completion = tab(program);
  const complete = program.commands.find((command) => command.name() === 'complete');
  const [shell] = complete?.registeredArguments ?? [];
  if (shell !== undefined) shell.description = `one of ${SHELLS.join(', ')}`;
  const suggested = completion.commands.get('complete');
  if (suggested !== undefined) suggested.description = description;
  suggested?.argument('shell', (suggest: Complete) => {
    for (const name of SHELLS) suggest(name, '');
  });
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
  // The library lets shells sort, and node10 would come before node2; zsh even reverses names with the same description.
  // The library has one `completion` for all trees of a process: the property is configurable, so that the next tree may set it again.
  Object.defineProperty(completion, 'directive', { configurable: true, get: () => NAMES_IN_ORDER, set: () => {} });
  if (words.includes('--')) complete?.hook('preAction', addNames);
  else complete?.hook('preAction', (_, { args }) => refuseOtherShells(args));
  // The library registers its function without `-o default`: then bash completes no file names, even where it may.
  if (words.includes('bash') && !words.includes('--')) {
    complete?.hook('postAction', () => context.print('complete -o default -F __mesh_complete mesh\n'));
  }

  /** Gives the arguments and options of the typed command their suggestions, by SOURCES. */
  async function addNames(): Promise<void> {
    const typed = words.slice(words.indexOf('--') + 1);
    const work: Promise<void>[] = [];
    for (const command of [completion, ...completion.commands.values()]) {
      const path = command === completion ? [] : command.value.split(' ');
      if (!path.every((word) => typed.includes(word))) continue;
      const options = [...command.options].map(([name, option]) => [`--${name}`, option] as const);
      for (const [word, slot] of [...command.arguments, ...options]) {
        if (FILES.has(word)) slot.handler = askForFiles;
        const source = SOURCES[[...path, word].join(' ')] ?? SOURCES[`${path[0]} ${word}`] ?? SOURCES[word];
        if (source === undefined) continue;
        const asked = inTime(source(context, typed)).then((known) => {
          slot.handler = (suggest: Complete) => {
            for (const { name, about } of known) suggest(name, about);
          };
        });
        work.push(asked);
      }
    }
    await Promise.all(work);
  }

  /** Tells the shell (`:0`) to complete file names. The library would always answer that the shell must not. */
  function askForFiles(): never {
    context.print(':0\n');
    throw new CommanderError(0, 'mesh.complete', '');
  }
}

/** Arguments and options that are files or directories of this machine. */
const FILES: ReadonlySet<string> = new Set(['file', '--output', '--svg', '--root', '--host0-dir']);

/** The library has scripts for other shells, which nobody has tried here. @throws MESH_USAGE */
function refuseOtherShells([shell]: readonly string[]): void {
  if (shell !== undefined && SHELLS.includes(shell)) return;
  const message = shell === undefined ? 'no shell is named' : `there is no completion script for ${shell}`;
  throw new MeshError('MESH_USAGE', message, { remedy: `Name one of ${SHELLS.join(', ')}.` });
}

/** The suggestions, or none after an error or after PATIENCE_MS: a prompt is no place for an error. */
async function inTime(suggestions: Promise<readonly Suggestion[]>): Promise<readonly Suggestion[]> {
  const none = new Promise<readonly Suggestion[]>((resolve) => setTimeout(resolve, PATIENCE_MS, []).unref());
  return Promise.race([suggestions.catch(() => []), none]);
}
