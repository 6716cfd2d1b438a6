/** The manual pages in the language of man(7), made from the command tree: mesh(1), and one page for each noun. */
import { join } from 'node:path';
import type { Command, Option } from 'commander';
import { EXIT_CODES } from '../../model/error.ts';
import { pathsBelow } from '../../protocol/documents/paths.ts';
import { argumentText, choicesText, helpAfter, type Leaf, leavesOf, usageOf } from './command-leaf.ts';
import { docsPointer, formatManual } from './format-manual.ts';
import { manExample, manItem, manPage, manSection, roff } from './roff.ts';

/**
 * All manual pages.
 * @param program the command tree with every noun loaded
 * @param formats the pages of docs/reference/formats, by their names without `.md`
 * @returns the roff text of each page by its file name, such as `mesh-network.1`
 */
export function manualPages(
  program: Command,
  version: string,
  formats: ReadonlyMap<string, string>,
): Map<string, string> {
  const names = [...formats.keys()];
  const nouns = program.commands.map((noun) => [`mesh-${noun.name()}.1`, nounPage(noun, version)] as const);
  const files = [...formats].map(([name, text]) => [`${name}.5`, formatManual(name, text, version, names)] as const);
  return new Map([['mesh.1', mainPage(program, version, names)], ...nouns, ...files]);
}

function mainPage(program: Command, version: string, formats: readonly string[]): string {
  const { examples } = helpAfter(program);
  return manPage({ name: 'mesh', section: 1, version, brief: program.description() }, [
    ...manSection('SYNOPSIS', ['\\fBmesh\\fR [\\fIoptions\\fR] \\fIcommand\\fR']),
    ...manSection('OPTIONS', program.options.flatMap(optionLines)),
    ...manSection(
      'COMMANDS',
      program.commands.flatMap((noun) => manItem(`\\fBmesh\\-${roff(noun.name())}\\fR(1)`, noun.description())),
    ),
    ...manSection(
      'EXIT STATUS',
      Object.entries(EXIT_CODES).flatMap(([code, means]) => manItem(`\\fB${code}\\fR`, means)),
    ),
    ...manSection('FILES', Object.values(FILES).flatMap(fileLines)),
    ...manSection('EXAMPLES', manExample(examples)),
    ...manSection('SEE ALSO', [formats.map((name) => `\\fB${roff(name)}\\fR(5)`).join(', '), ...docsPointer()]),
  ]);
}

function nounPage(noun: Command, version: string): string {
  const leaves = leavesOf(noun, ['mesh']);
  const examples = leaves.map(({ command }) => helpAfter(command).examples).filter((text) => text !== '');
  return manPage({ name: `mesh-${noun.name()}`, section: 1, version, brief: noun.description() }, [
    ...manSection(
      'SYNOPSIS',
      leaves.flatMap((leaf) => [`\\fB${roff(usageOf(leaf))}\\fR`, '.br']),
    ),
    ...manSection('COMMANDS', leaves.flatMap(leafLines)),
    ...manSection('FILES', (FILES_OF[noun.name()] ?? SOCKETS).map((file) => FILES[file]).flatMap(fileLines)),
    ...manSection('EXAMPLES', manExample(examples.join('\n'))),
    ...manSection('SEE ALSO', [
      ['\\fBmesh\\fR(1), which has the options that every command takes', ...(FORMATS_OF[noun.name()] ?? [])].join(
        ', ',
      ),
      ...docsPointer(),
    ]),
  ]);
}

function leafLines(leaf: Leaf): string[] {
  const { command } = leaf;
  const { after } = helpAfter(command);
  return [
    `.SS ${roff(usageOf(leaf))}`,
    ...paragraphs(command.description()),
    ...command.registeredArguments.flatMap((argument) =>
      manItem(`\\fI${roff(argumentText(argument))}\\fR`, argument.description),
    ),
    ...command.options.flatMap(optionLines),
    ...(after === '' ? [] : ['.PP', ...paragraphs(after)]),
  ];
}

interface NamedFile {
  readonly path: string;
  readonly what: string;
}

const PATHS = pathsBelow('/');

const FILES = {
  nodeNetworks: { path: `${PATHS.nodeNetworks}/*.conf`, what: 'the networks of a node' },
  host0Networks: { path: `${PATHS.host0Networks}/*.conf`, what: 'the networks of host0' },
  host0Conf: {
    path: PATHS.host0Conf.join(', '),
    what: "host0's settings; the first of these files that exists is used",
  },
  machines: { path: `${PATHS.host0}/machines, ${PATHS.host0}/groups`, what: 'what machines get when they boot' },
  machineFile: { path: PATHS.machineFile, what: 'the id of this machine, in place of that of its hardware' },
  state: { path: PATHS.state, what: 'state that must survive a reboot' },
  ports: { path: join(PATHS.state, 'ports.json'), what: 'which interfaces are plugged into which networks' },
  keys: { path: join(PATHS.state, 'keys'), what: 'on host0: the keys of host0 and of the machines that it boots' },
  host0Socket: { path: PATHS.controlSock, what: "the control socket of host0's daemon" },
  agentSocket: { path: PATHS.agentSock, what: 'the control socket of the agent' },
  logs: { path: PATHS.logs, what: 'logs of processes that no service manager started' },
  services: { path: '/etc/default/meshwork', what: 'settings of the services' },
  labs: { path: '/run/meshwork-lab', what: 'the labs, a directory each' },
} as const satisfies Record<string, NamedFile>;

type FileName = keyof typeof FILES;

/** For commands that only ask the processes here. */
const SOCKETS: readonly FileName[] = ['agentSocket', 'host0Socket'];

const FILES_OF: Readonly<Record<string, readonly FileName[]>> = {
  network: ['nodeNetworks', 'host0Networks', ...SOCKETS],
  node: ['machines', 'keys', 'host0Socket'],
  port: ['ports', 'agentSocket'],
  system: ['host0Conf', 'machines', 'host0Networks', 'state', 'logs', 'services', ...SOCKETS],
  agent: ['machineFile', 'nodeNetworks', 'state', 'services', 'agentSocket'],
  genid: ['machineFile'],
  lab: ['labs'],
  complete: [],
};

const FORMATS_OF: Readonly<Record<string, readonly string[]>> = {
  network: ['\\fBmesh\\-network.conf\\fR(5)'],
  node: ['\\fBmesh\\-machines\\fR(5)', '\\fBmesh\\-manifest\\fR(5)'],
  system: ['\\fBmesh\\-host0.conf\\fR(5)', '\\fBmesh\\-machines\\fR(5)', '\\fBmesh\\-manifest\\fR(5)'],
};

function fileLines({ path, what }: NamedFile): string[] {
  return manItem(roff(path), what);
}

function optionLines(option: Option): string[] {
  return manItem(`\\fB${roff(option.flags)}\\fR`, option.description + choicesText(option, (value) => value));
}

function paragraphs(text: string): string[] {
  return text.split('\n').map((line) => (line === '' ? '.PP' : roff(line)));
}
