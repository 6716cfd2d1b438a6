/** `mesh network create|edit|start|stop|apply|delete`: changes of the networks that host0 keeps in its store. */
import { isDeepStrictEqual } from 'node:util';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { MeshError } from '../../model/error.ts';
import type { Network } from '../../model/network/network.ts';
import { hexNumber, isNetworkNumber, type NetworkNumber } from '../../model/network/number.ts';
import { type ControlClient, host0Client } from '../../protocol/calls/control-client.ts';
import type { CatalogueChange, NetworkOrder } from '../../protocol/documents/catalogue.ts';
import type { Context } from '../context.ts';
import { plain } from '../print/color.ts';
import { wholeNumber } from '../print/number-option.ts';
import { printable } from '../print/printable.ts';
import { isXmlFile } from './network-input.ts';
import { networkText } from './network-text.ts';

interface PartOptions {
  readonly type?: string;
  readonly peers?: string;
  readonly vtep?: readonly string[];
  readonly device?: string;
  readonly number?: number;
  readonly prefix?: string;
  readonly ipv6Pool?: string;
  readonly ipv4Pool?: string;
  readonly mtu?: number;
  readonly name?: string;
  readonly description?: string;
  readonly plan?: boolean;
  readonly yaml?: boolean;
}

const KEPT =
  '\nhost0 keeps the network: nodes need no file. A node has the network while a port of it is plugged there.\n';

/** Adds the commands to `mesh network`. */
export function addNetworkChanges(network: Command, context: Context): void {
  withParts(
    network
      .command('create')
      .description('Make a network, which host0 keeps')
      .argument('<name>', 'one word, or a file in XML'),
  )
    .addOption(
      new Option('--number <number>', 'its number, as 4096 or 0x1000; host0 allocates one').argParser(numberOf),
    )
    .addHelpText(
      'after',
      `${KEPT}\nExamples:\n  $ mesh network create blue\n  $ mesh network create red --prefix auto --mtu 1400\n` +
        '  $ mesh network create green --peers multicast --device eth1 --plan\n' +
        '  $ mesh network create white --ipv6-pool customers6 --ipv4-pool customers4\n  $ mesh network create blue.xml',
    )
    .action(async (name: string, options: PartOptions) => {
      const body = isXmlFile(name) ? await orderInXml(name, options) : { ...orderOf(options), name };
      await change(context, options, (host0) => host0.ask('POST /v1/catalogue', { body, query: plannedQuery(options) }));
    });

  withParts(
    network
      .command('edit')
      .description('Change the named parts of a network while it runs, or all parts in an editor')
      .argument('<network>', WANTED),
  )
    .option('--name <name>', 'another name; ports and members of the network stay')
    .addHelpText(
      'after',
      '\nWithout options for parts, the network is opened as YAML in the editor that VISUAL or EDITOR names.\n' +
        '\nExamples:\n  $ mesh network edit blue --mtu 1400 --name navy\n  $ EDITOR=nano mesh network edit blue',
    )
    .action(async (wanted: string, options: PartOptions) => {
      const body = orderOf(options);
      if (Object.keys(body).length === 0) await changeInEditor(context, wanted, options);
      else {
        const edited = { path: { name: wanted }, body, query: plannedQuery(options) };
        await change(context, options, (host0) => host0.ask('PATCH /v1/catalogue/{name}', edited));
      }
    });

  network
    .command('start')
    .description('Start a network that was stopped')
    .argument('<network>', WANTED)
    .addHelpText('after', '\nExample:\n  $ mesh network start blue')
    .action(async (wanted: string) => {
      await change(context, {}, (host0) => host0.ask('POST /v1/catalogue/{name}/start', { path: { name: wanted } }));
    });

  network
    .command('stop')
    .description('Stop a network: nodes remove its devices, and its ports wait until it is started')
    .argument('<network>', WANTED)
    .addHelpText('after', '\nExample:\n  $ mesh network stop blue')
    .action(async (wanted: string) => {
      await change(context, {}, (host0) => host0.ask('POST /v1/catalogue/{name}/stop', { path: { name: wanted } }));
    });

  network
    .command('apply')
    .description('Make or change a network as a document in YAML, JSON or XML says')
    .argument('<file>', 'the document; - is standard input')
    .option('--plan', PLAN_OF_NETWORK)
    .option('--yaml', YAML)
    .addHelpText(
      'after',
      '\nThe document of `mesh network show NAME --yaml` is one. Parts that a document leaves out are as in a new network.\n' +
        'The name of the file ends in .yaml, .json or .xml; of other names, JSON begins with a brace and XML with <.\n' +
        '\nExample:\n  $ mesh network show blue --yaml > blue.yaml\n  $ mesh network apply blue.yaml --plan',
    )
    .action(async (file: string, options: PartOptions) => applyFile(context, file, options));

  network
    .command('delete')
    .alias('rm')
    .description('Delete a network without ports')
    .argument('<network>', WANTED)
    .option('--force', 'unplug its ports first')
    .option('--plan', PLAN_OF_NETWORK)
    .addHelpText(
      'after',
      '\nIts number is free when no node has the network any more.\n\nExample:\n  $ mesh network delete blue',
    )
    .action(async (wanted: string, options: PartOptions & { readonly force?: boolean }) => {
      const query = { ...plannedQuery(options), ...(options.force === true && { force: true }) };
      await change(context, options, (host0) =>
        host0.ask('DELETE /v1/catalogue/{name}', { path: { name: wanted }, query }),
      );
    });
}

/** What the argument of a network may be. */
export const WANTED = 'its name, its number or its bridge';
/** What the option `--plan` does. */
export const PLAN_OF_NETWORK = 'show what would be done; changes nothing';
/** What the option `--yaml` does. */
export const YAML = 'print the whole network as YAML, as `mesh network apply` reads it';

function withParts(command: Command): Command {
  return command
    .addOption(new Option('--type <type>', 'what carries it').choices(['vxlan', 'bridge', 'foreign-bridge']))
    .addOption(
      new Option(
        '--peers <peers>',
        'how its nodes find each other: host0 tells them, a multicast group, or a list',
      ).choices(['assigned', 'multicast', 'explicit']),
    )
    .option(
      '--vtep <address...>',
      'where all its VTEPs are, for explicit peers: ADDRESS, or ADDRESS:PORT for another UDP port',
    )
    .option(
      '--device <device>',
      'the underlay device of its VXLAN, which multicast needs; of a foreign-bridge, the bridge of another program',
    )
    .option('--prefix <prefix>', 'a /64 for addresses of its nodes; auto: host0 allocates one; none')
    .option('--ipv6-pool <pool>', 'an address pool that gives the network a /64 for its guests')
    .option('--ipv4-pool <pool>', 'an address pool that gives the network an IPv4 subnet for its guests')
    .addOption(new Option('--mtu <bytes>', 'its largest packet').argParser(wholeNumber(1_280, 65_535)))
    .option('--description <text>', 'a line for people')
    .option('--plan', PLAN_OF_NETWORK)
    .option('--yaml', YAML);
}

function orderOf(options: PartOptions): NetworkOrder {
  const { type, peers, vtep, device, number, prefix, ipv6Pool, ipv4Pool, mtu, name, description } = options;
  const vteps = vtep?.map(vtepOf);
  const carrier = {
    ...(type !== undefined && { kind: type }),
    ...(device !== undefined && { [type === 'foreign-bridge' ? 'name' : 'dev']: device }),
    // Linux learns no ports: to a VTEP at another port than the network's, everything goes like a broadcast.
    ...(vteps?.some(({ port }) => port !== undefined) && { learning: false }),
  };
  const addressPools = [
    ...(ipv6Pool === undefined ? [] : [{ pool: ipv6Pool, kind: 'ipv6-prefix' }]),
    ...(ipv4Pool === undefined ? [] : [{ pool: ipv4Pool, kind: 'ipv4-subnet' }]),
  ];
  return {
    ...(name !== undefined && { name }),
    ...(number !== undefined && { number }),
    ...(Object.keys(carrier).length > 0 && { type: carrier }),
    ...((peers !== undefined || vtep !== undefined) && {
      peers: { kind: peers ?? 'explicit', ...(vteps !== undefined && { vteps }) },
    }),
    ...(prefix !== undefined && { prefix }),
    ...(addressPools.length > 0 && { addressPools }),
    ...(mtu !== undefined && { mtuBytes: mtu }),
    ...(description !== undefined && { description }),
  };
}

/** `10.11.0.2`, `10.11.0.2:8472`, `fd42::2` or `[fd42::2]:8472`. host0 judges the parts. */
function vtepOf(text: string): { readonly address: string; readonly port?: number } {
  const { inBrackets, bare, port } =
    /^(?:\[(?<inBrackets>.+)\]|(?<bare>[^:]+)):(?<port>\d{1,5})$/.exec(text)?.groups ?? {};
  const address = inBrackets ?? bare ?? text;
  return port === undefined ? { address } : { address, port: Number(port) };
}

/** @throws InvalidArgumentError */
function numberOf(text: string): NetworkNumber {
  const number = /^(0x[0-9a-f]+|\d+)$/i.test(text) ? Number(text) : Number.NaN;
  if (isNetworkNumber(number)) return number;
  throw new InvalidArgumentError('It must be a number from 1 to 0xffffff, decimal or hexadecimal.');
}

async function applyFile(context: Context, file: string, options: PartOptions): Promise<void> {
  const { readNetwork } = await import('./network-input.ts');
  const body = await readNetwork(file);
  await change(context, options, (host0) => host0.ask('PUT /v1/catalogue', { body, query: plannedQuery(options) }));
}

/** A file says all of a network: options that name parts do not stand beside a file. @throws MESH_USAGE, XmlNetworkError */
async function orderInXml(file: string, options: PartOptions): Promise<NetworkOrder> {
  const [part] = Object.keys(orderOf(options));
  if (part !== undefined) {
    throw new MeshError('MESH_USAGE', `the option for ${part} stands beside a file`, {
      object: file,
      remedy: 'Write the part into the file, and leave the option out',
    });
  }
  const { readNetwork } = await import('./network-input.ts');
  return await readNetwork(file);
}

function nothingNamed(): MeshError {
  return new MeshError('MESH_USAGE', 'nothing is to be changed', {
    operation: 'edit network',
    remedy: 'Name the parts to change, as `--mtu 1400`, or an editor, as `EDITOR=nano`',
  });
}

/** @throws MESH_USAGE, MESH_STORE_CONFLICT, and what host0 refuses */
async function changeInEditor(context: Context, wanted: string, options: PartOptions): Promise<void> {
  const { editNetwork, editorNamed } = await import('./network-editor.ts');
  const isTerminal = process.stdin.isTTY === true && context.page.width !== undefined;
  const editor = editorNamed(process.env, isTerminal);
  if (editor === undefined) throw nothingNamed();
  if (options.yaml) mustBeOneForm(context);
  const host0 = host0Client(context.paths);
  // An empty change is refused where any other would be.
  const unchanged = { path: { name: wanted }, body: {}, query: { 'dry-run': true } };
  const { network } = await host0.ask('PATCH /v1/catalogue/{name}', unchanged);
  const isChanged = await editNetwork(editor, network, {
    isTerminal,
    color: context.paint !== plain,
    print: (text) => context.stderr.write(text),
    take: async (body) => {
      const now = await host0.ask('GET /v1/catalogue/{name}', { path: { name: network.id } });
      if (!isDeepStrictEqual(now.network, network)) throw changedMeanwhile(network.name);
      await change(context, options, () => host0.ask('PUT /v1/catalogue', { body, query: plannedQuery(options) }));
    },
  });
  if (!isChanged) context.print(`${printable(network.name)} is as it was: the text has not been changed.\n`);
}

function changedMeanwhile(name: string): MeshError {
  return new MeshError('MESH_STORE_CONFLICT', `network ${name} was changed while you edited the text`, {
    object: name,
    remedy: `Compare the text with the network as it is now: \`mesh network show ${name} --yaml\``,
  });
}

/** The query of a change that is only planned. */
export function plannedQuery({ plan = false }: Pick<PartOptions, 'plan'>): { readonly 'dry-run'?: true } {
  return plan ? { 'dry-run': true } : {};
}

/** Asks host0 for a change, and prints what it did or would do. */
export async function change(
  context: Context,
  { yaml = false }: PartOptions,
  ask: (host0: ControlClient<'host0'>) => Promise<CatalogueChange>,
): Promise<void> {
  if (yaml) mustBeOneForm(context);
  const done = await ask(host0Client(context.paths));
  const { errorText } = await import('../../formats/error-text.ts');
  const color = context.paint !== plain;
  const warnings = done.warnings.map(
    (warning) => `\n${errorText(MeshError.fromJSON(warning), { color, severity: 'warning' })}\n`,
  );
  if (yaml) {
    for (const warning of warnings) context.stderr.write(warning);
    await answerInYaml(context, done.network);
  } else context.answer(done, () => changeText(done, context) + warnings.join(''));
}

/** Prints a network as YAML. @throws MESH_USAGE */
export async function answerInYaml(context: Context, network: Network): Promise<void> {
  mustBeOneForm(context);
  const { networkYaml } = await import('../../formats/network/network-yaml.ts');
  context.print(networkYaml(network));
}

/** Prints a network as libvirt's XML. @throws MESH_USAGE */
export async function answerInXml(context: Context, network: Network): Promise<void> {
  mustBeOneForm(context);
  const { printNetworkXml } = await import('../../formats/xml/network-print.ts');
  context.print(printNetworkXml(network));
}

function mustBeOneForm({ json }: Context): void {
  if (!json) return;
  throw new MeshError('MESH_USAGE', 'an answer is in one form', {
    remedy: 'Leave one of --json, --yaml and --xml out',
  });
}

function changeText(done: CatalogueChange, context: Context): string {
  const { change: kind, network, differences, dryRun } = done;
  const { name, number } = network;
  if (kind === 'unchanged') return `${name} is as wanted: nothing ${dryRun ? 'would change' : 'has changed'}.\n`;
  const subject = `${name} (number 0x${hexNumber(number)})`;
  const verb = dryRun ? `would be ${kind}` : `is ${kind}`;
  if (kind === 'created') return `${subject} ${verb}.\n\n${networkText({ network }, context)}`;
  return [
    `${subject} ${verb}${differences.length > 0 ? ':' : '.'}`,
    ...differences.map((line) => `  ${line}`),
    '',
  ].join('\n');
}
