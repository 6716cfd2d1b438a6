/** What people type to get help or the version, in the forms of other programs, in the one form that commander knows. */
import type { Command } from 'commander';

const HELP = ['--help', '-h'];
const VERSION = ['--version', '-V', '-v'];

/** The options of `mesh` that take a value in the next word. */
const WITH_VALUE = ['--root', '--host0-dir'];

/** The words that are neither an option of `mesh` nor the value of one, each with its place in the command line. */
export function operandsOf(words: readonly string[]): { word: string; index: number }[] {
  return words.flatMap((word, index) =>
    word.startsWith('-') || WITH_VALUE.includes(words[index - 1] ?? '') ? [] : [{ word, index }],
  );
}

/** `mesh --version`, `mesh -v` and `mesh version`; not `mesh node ctl … -v`. */
export function asksForVersion(words: readonly string[]): boolean {
  const [first] = operandsOf(words);
  if (first?.word === 'version') return true;
  return words.slice(0, first?.index).some((word) => VERSION.includes(word));
}

/**
 * `mesh help network show` and `mesh network help show` as `mesh network show --help`. A noun or verb that does not exist
 * loses the wish for help: commander would print the help of everything above it, and would not say that there is none.
 */
export function helpRequest(program: Command, words: readonly string[]): readonly string[] {
  const end = words.indexOf('--');
  const own = end < 0 ? words : words.slice(0, end);
  let command = program;
  const asked = own.some((word) => HELP.includes(word));
  for (const { word, index } of operandsOf(own)) {
    if (command.commands.length === 0) break;
    if (word === 'help') return helpRequest(program, [...words.toSpliced(index, 1), '--help']);
    const next = command.commands.find((child) => child.name() === word || child.aliases().includes(word));
    if (next === undefined) return asked ? words.filter((each) => !HELP.includes(each)) : words;
    command = next;
  }
  return words;
}
