/** Reads the ```console blocks of documentation: commands after `$ `, what they print, and the `mesh` commands in them. */

/** A command of a ```console block. */
export interface ShownCommand {
  /** Counts from 1. */
  readonly line: number;
  readonly text: string;
  /** The lines below the command; empty where the page does not show what it prints. */
  readonly answer: readonly string[];
}

/** The commands of all ```console blocks, in the order of the page. */
export function shownCommands(markdown: string): ShownCommand[] {
  const commands: (ShownCommand & { readonly answer: string[] })[] = [];
  let inside = false;
  for (const [index, text] of markdown.split('\n').entries()) {
    if (text.startsWith('```')) inside = text === '```console';
    else if (!inside) continue;
    else if (text.startsWith('$ ')) commands.push({ line: index + 1, text: text.slice(2), answer: [] });
    else commands.at(-1)?.answer.push(text);
  }
  return commands;
}

/**
 * The first line of `answer` that is not in `printed`. The lines must be in order; other lines may be between them. Numbers,
 * times, ids, addresses and the width of columns may differ, since they depend on the machine. A line of dots is ignored; where a
 * line ends in dots, what follows is.
 */
export function missingLine(printed: string, answer: readonly string[]): string | undefined {
  const shapes = printed.split('\n').map(shapeOf);
  let at = 0;
  return answer.find((line) => {
    if (/^(?:…|\.\.\.|)$/.test(line)) return false;
    const [shape, isOpen] = [shapeOf(line.replace(/ …$/, '')), line.endsWith(' …')];
    at = shapes.findIndex((one, i) => i >= at && (isOpen ? one.startsWith(shape) : one === shape)) + 1;
    return at === 0;
  });
}

function shapeOf(line: string): string {
  return line
    .replace(/^[A-Z][a-z]{2} +\d+ (?=\d\d:)/, 'date ')
    .replaceAll(/[\da-f]*(?::[\da-f]*){2,}/g, 'address')
    .replaceAll(/\b(?:[\da-f]{8}|[\da-f]{12})\b/g, 'id')
    .replaceAll(/\d+(?:\.\d+)*(?: (?:ms|s|min|h|d)\b)?/g, '#')
    .replaceAll(/ +/g, ' ')
    .trim();
}

/** The words of every `mesh` command in a line of shell. A command after `--` of another `mesh` command counts too. */
export function meshCommands(shell: string): string[][] {
  return simpleCommands(shell).flatMap((words) => {
    const start = words.findIndex((word) => word === 'mesh' || word === 'bin/mesh');
    if (start < 0) return [];
    const own = words.slice(start + 1);
    const inner = own.indexOf('--');
    return inner < 0 ? [own] : [own, ...meshCommands(own.slice(inner + 1).join(' '))];
  });
}

/** Cuts a line of shell at `;`, `|`, `&`, redirections and parentheses. Each part is the list of its words without quotes. */
function simpleCommands(shell: string): string[][] {
  const tokens = shell.match(/(?:'[^']*'|"[^"]*"|[^\s;|&<>()'"])+|[;|&<>()]/g) ?? [];
  const commands: string[][] = [[]];
  for (const token of tokens) {
    if (/^[;|&<>()]$/.test(token)) commands.push([]);
    else commands.at(-1)?.push(token.replaceAll(/['"]/g, ''));
  }
  return commands;
}
