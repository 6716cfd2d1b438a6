/** The manual pages in the language of man(7), made from the command tree: mesh(1), and one page for each noun. */
import type { Command, Option } from 'commander';
import { EXIT_CODES } from '../../model/error.ts';
import { pathsBelow } from '../../protocol/documents/paths.ts';
import { argumentText, choicesText, helpAfter, type Leaf, leavesOf, usageOf } from './command-leaf.ts';

/**
 * All manual pages.
 * @param program the command tree with every noun loaded
 * @returns the roff text of each page by its file name, such as `mesh-network.1`
 */
export function manualPages(program: Command, version: string): Map<string, string> {
  const nouns = program.commands.map((noun) => [`mesh-${noun.name()}.1`, nounPage(noun, version)] as const);
  return new Map([['mesh.1', mainPage(program, version)], ...nouns]);
}

function mainPage(program: Command, version: string): string {
  return page('mesh', version, program.description(), [
    ...section('SYNOPSIS', [`\\fBmesh\\fR [\\fIoptions\\fR] \\fIcommand\\fR`]),
    ...section('OPTIONS', program.options.flatMap(optionItem)),
    ...section(
      'COMMANDS',
      program.commands.flatMap((noun) => item(`\\fBmesh\\-${roff(noun.name())}\\fR(1)`, noun.description())),
    ),
    ...section(
      'EXIT STATUS',
      Object.entries(EXIT_CODES).flatMap(([code, means]) => item(`\\fB${code}\\fR`, means)),
    ),
    ...section('FILES', filesOf()),
  ]);
}

function nounPage(noun: Command, version: string): string {
  const leaves = leavesOf(noun, ['mesh']);
  return page(`mesh-${noun.name()}`, version, noun.description(), [
    ...section(
      'SYNOPSIS',
      leaves.flatMap((leaf) => [`\\fB${roff(usageOf(leaf))}\\fR`, '.br']),
    ),
    ...section('COMMANDS', leaves.flatMap(leafLines)),
    ...section('SEE ALSO', ['\\fBmesh\\fR(1), which has the options that every command takes']),
  ]);
}

function leafLines(leaf: Leaf): string[] {
  const { command } = leaf;
  const { after, examples } = helpAfter(command);
  return [
    `.SS ${roff(usageOf(leaf))}`,
    ...paragraphs(command.description()),
    ...command.registeredArguments.flatMap((argument) =>
      item(`\\fI${roff(argumentText(argument))}\\fR`, argument.description),
    ),
    ...command.options.flatMap(optionItem),
    ...(after === '' ? [] : ['.PP', ...paragraphs(after)]),
    ...(examples === '' ? [] : ['.PP', '.EX', ...examples.split('\n').map(roff), '.EE']),
  ];
}

function filesOf(): string[] {
  const paths = pathsBelow('/');
  return [
    ...item(roff(`${paths.nodeNetworks}/*.conf`), 'the networks of a node'),
    ...item(roff(`${paths.host0Networks}/*.conf`), 'the networks of host0'),
    ...paths.host0Conf.flatMap((file) =>
      item(roff(file), "host0's settings; the first of these files that exists is used"),
    ),
    ...item(roff(paths.machineFile), 'the id of this machine, instead of the one that follows from its hardware'),
    ...item(roff(paths.state), 'state that must survive a reboot'),
    ...item('/etc/default/meshwork', 'settings of the services'),
  ];
}

function page(name: string, version: string, description: string, sections: readonly string[]): string {
  const brief = description.replace(/^Meshwork turns/, 'turns').replace(/\.$/, '');
  return [
    `.TH ${roff(name.toUpperCase())} 1 "" "meshwork ${version}" "Meshwork"`,
    ...section('NAME', [`${roff(name)} \\- ${roff(brief)}`]),
    ...sections,
    '',
  ].join('\n');
}

function section(title: string, lines: readonly string[]): string[] {
  return [`.SH ${title}`, ...lines];
}

function item(term: string, text: string): string[] {
  return ['.TP', term, roff(text)];
}

function optionItem(option: Option): string[] {
  return item(`\\fB${roff(option.flags)}\\fR`, option.description + choicesText(option, (value) => value));
}

function paragraphs(text: string): string[] {
  return text.split('\n').map((line) => (line === '' ? '.PP' : roff(line)));
}

/** Escapes text for roff: backslashes and hyphens everywhere, full stops and apostrophes at the start of a line. */
function roff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll(/^([.'])/gm, '\\&$1');
}
