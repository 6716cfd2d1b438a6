/** The reference pages that are made from the source: the command tree, the exit codes and the error codes. */
import type { Argument, Command, Option } from 'commander';
import { ERRORS, EXIT_CODES } from '../../model/error.ts';
import { RENAMED } from '../../model/renamed-errors.ts';
import { argumentText, choicesText, helpAfter, type Leaf, leavesOf, usageOf } from './command-leaf.ts';

/** The comment at the head of each page. */
export const MADE =
  '<!-- Made from the source by src/cli/pages/reference.test.ts: `vitest run src/cli/pages/reference.test.ts -u`. -->';

/** The text of docs/reference/cli.md. @param program the command tree with every noun loaded */
export function cliPage(program: Command): string {
  const global = program.options.filter((option) => option.long !== '--version');
  return [
    `# The mesh command\n\n${MADE}\n\n${program.description()}`,
    `Every command takes these options, and ends with one of the [exit codes](exit-codes.md).\n\n${optionTable(global)}`,
    ...leavesOf(program).map(commandSection),
  ]
    .join('\n\n')
    .concat('\n');
}

/** The text of docs/reference/exit-codes.md, from EXIT_CODES. */
export function exitCodesPage(): string {
  const rows = Object.entries(EXIT_CODES).map(([code, means]) => [code, means] as const);
  const intro = 'Scripts can rely on these. The exit code of each error is in [errors](errors.md).';
  return `# Exit codes\n\n${MADE}\n\n${intro}\n\n${markdownTable(['Code', 'Meaning'], rows)}\n`;
}

/** The text of docs/reference/errors.md, from ERRORS and RENAMED. */
export function errorsPage(): string {
  const rows = Object.entries(ERRORS).map(
    ([code, { means, exit, http }]) => [`\`${code}\``, means, String(exit), String(http)] as const,
  );
  const intro =
    'Every failure has one of these codes. Scripts and bug reports can quote them; a code that is renamed stays in the list below. ' +
    'With `--json` a failing command prints `{"error": {"code": …, "message": …, "remedy": …}}`.';
  const renamed = [...RENAMED].map(([old, now]) => [`\`${old}\``, `\`${now}\``] as const);
  return [
    `# Errors\n\n${MADE}\n\n${intro}`,
    markdownTable(['Code', 'Meaning', 'Exit code', 'HTTP status'], rows),
    '## Renamed codes',
    'Earlier versions used these codes. Each kept its exit code and its HTTP status.',
    markdownTable(['Earlier', 'Now called'], renamed),
  ]
    .join('\n\n')
    .concat('\n');
}

function commandSection(leaf: Leaf): string {
  const { path, command } = leaf;
  const { after, examples } = helpAfter(command);
  return [
    `## ${path.join(' ')}`,
    command.description(),
    `\`\`\`text\n${usageOf(leaf)}\n\`\`\``,
    argumentTable(command.registeredArguments),
    optionTable(command.options),
    after,
    examples === '' ? '' : `\`\`\`console\n${examples}\n\`\`\``,
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

function argumentTable(argumentsOf: readonly Argument[]): string {
  const rows = argumentsOf.map((argument) => [`\`${argumentText(argument)}\``, argument.description] as const);
  return rows.length === 0 ? '' : markdownTable(['Argument', 'Meaning'], rows);
}

function optionTable(options: readonly Option[]): string {
  const rows = options.map(
    (option) => [`\`${option.flags}\``, option.description + choicesText(option, code)] as const,
  );
  return rows.length === 0 ? '' : markdownTable(['Option', 'Meaning'], rows);
}

function code(text: string): string {
  return `\`${text}\``;
}

/** A table in Markdown. */
export function markdownTable(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(titles), line(titles.map(() => '---')), ...rows.map(line)].join('\n');
}
