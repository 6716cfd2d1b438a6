/** The commands that documentation shows: lines after `$ ` in ```console blocks, and the `mesh` commands in them. */

export interface ShownCommand {
  /** Counts from 1. */
  readonly line: number;
  readonly text: string;
}

export function shownCommands(markdown: string): ShownCommand[] {
  let inside = false;
  return markdown.split('\n').flatMap((text, index) => {
    if (text.startsWith('```')) inside = text === '```console';
    return inside && text.startsWith('$ ') ? [{ line: index + 1, text: text.slice(2) }] : [];
  });
}

/** The words of every `mesh` command in a line of shell, also of those that another one runs after `--`. */
export function meshCommands(shell: string): string[][] {
  return simpleCommands(shell).flatMap((words) => {
    const start = words.findIndex((word) => word === 'mesh' || word === 'bin/mesh');
    if (start < 0) return [];
    const own = words.slice(start + 1);
    const inner = own.indexOf('--');
    return inner < 0 ? [own] : [own, ...meshCommands(own.slice(inner + 1).join(' '))];
  });
}

/** A line of shell cut at `;`, `|`, `&`, redirections and parentheses, each part as its words without quotes. */
function simpleCommands(shell: string): string[][] {
  const tokens = shell.match(/(?:'[^']*'|"[^"]*"|[^\s;|&<>()'"])+|[;|&<>()]/g) ?? [];
  const commands: string[][] = [[]];
  for (const token of tokens) {
    if (/^[;|&<>()]$/.test(token)) commands.push([]);
    else commands.at(-1)?.push(token.replaceAll(/['"]/g, ''));
  }
  return commands;
}
