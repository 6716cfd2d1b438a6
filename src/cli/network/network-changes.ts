/** `mesh network create|edit|start|stop|apply|delete`: changes of the networks that host0 keeps in its store. */
import { readFile } from 'node:fs/promises';
import { text as readAll } from 'node:stream/consumers';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { MeshError } from '../../model/error.ts';
import { hexNumber, isNetworkNumber, type NetworkNumber } from '../../model/network/number.ts';
import { type ControlClient, host0Client } from '../../protocol/calls/control-client.ts';
import type { CatalogueChange, NetworkOrder } from '../../protocol/documents/catalogue.ts';
import type { Context } from '../context.ts';
import { plain } from '../print/color.ts';
import { wholeNumber } from '../print/number-option.ts';
import { networkText } from './network-text.ts';

interface PartOptions {
  readonly type?: string;
  readonly peers?: string;
  readonly vtep?: readonly string[];
  readonly device?: string;
  readonly number?: number;
  readonly prefix?: string;
  readonly mtu?: number;
  readonly name?: string;
  readonly description?: string;
  readonly plan?: boolean;
}

const KEPT =
  '\nhost0 keeps the network: nodes need no file. A node has the network while a port of it is plugged there.\n';

/** Adds the commands to `mesh network`. */
export function addNetworkChanges(network: Command, context: Context): void {
  withParts(network.command('create').description('Make a network, which host0 keeps').argument('<name>', 'one word'))
    .addOption(
      new Option('--number <number>', 'its number, as 4096 or 0x1000; host0 allocates one').argParser(numberOf),
    )
    .addHelpText(
      'after',
      `${KEPT}\nExamples:\n  $ mesh network create blue\n  $ mesh network create red --prefix auto --mtu 1400\n` +
        '  $ mesh network create green --peers multicast --device eth1 --plan',
    )
    .action(async (name: string, options: PartOptions) => {
      const body = { ...orderOf(options), name };
      await change(context, (host0) => host0.ask('POST /v1/catalogue', { body, query: dryRun(options) }));
    });

  withParts(
    network
      .command('edit')
      .description('Change the named parts of a network while it runs')
      .argument('<network>', WANTED),
  )
    .option('--name <name>', 'another name; ports and members of the network stay')
    .addHelpText('after', '\nExample:\n  $ mesh network edit blue --mtu 1400 --name navy')
    .action(async (wanted: string, options: PartOptions) => {
      const body = orderOf(options);
      if (Object.keys(body).length === 0) throw nothingNamed();
      await change(context, (host0) =>
        host0.ask('PATCH /v1/catalogue/{name}', { path: { name: wanted }, body, query: dryRun(options) }),
      );
    });

  network
    .command('start')
    .description('Start a network that was stopped')
    .argument('<network>', WANTED)
    .addHelpText('after', '\nExample:\n  $ mesh network start blue')
    .action(async (wanted: string) => {
      await change(context, (host0) => host0.ask('POST /v1/catalogue/{name}/start', { path: { name: wanted } }));
    });

  network
    .command('stop')
    .description('Stop a network: nodes remove its devices, and its ports wait until it is started')
    .argument('<network>', WANTED)
    .addHelpText('after', '\nExample:\n  $ mesh network stop blue')
    .action(async (wanted: string) => {
      await change(context, (host0) => host0.ask('POST /v1/catalogue/{name}/stop', { path: { name: wanted } }));
    });

  network
    .command('apply')
    .description('Make or change a network as a JSON document says')
    .argument('<file>', 'the document; - is standard input')
    .option('--plan', PLAN)
    .addHelpText(
      'after',
      '\nThe document of `mesh network show NAME --json` is one. Parts that a document leaves out are as in a new network.\n' +
        '\nExample:\n  $ mesh network show blue --json > blue.json\n  $ mesh network apply blue.json --plan',
    )
    .action(async (file: string, options: PartOptions) => {
      const { readNetworkJson } = await import('../../formats/network/network-json.ts');
      const body = readNetworkJson(file, await textOf(file));
      await change(context, (host0) => host0.ask('PUT /v1/catalogue', { body, query: dryRun(options) }));
    });

  network
    .command('delete')
    .alias('rm')
    .description('Delete a network without ports')
    .argument('<network>', WANTED)
    .option('--force', 'unplug its ports first')
    .option('--plan', PLAN)
    .addHelpText(
      'after',
      '\nIts number is free when no node has the network any more.\n\nExample:\n  $ mesh network delete blue',
    )
    .action(async (wanted: string, options: PartOptions & { readonly force?: boolean }) => {
      const query = { ...dryRun(options), force: options.force === true };
      await change(context, (host0) => host0.ask('DELETE /v1/catalogue/{name}', { path: { name: wanted }, query }));
    });
}

const WANTED = 'its name, its number or its bridge';
const PLAN = 'show what would be done; changes nothing';

function withParts(command: Command): Command {
  return command
    .addOption(new Option('--type <type>', 'what carries it').choices(['vxlan', 'bridge']))
    .addOption(
      new Option(
        '--peers <peers>',
        'how its nodes find each other: host0 tells them, a multicast group, or a list',
      ).choices(['assigned', 'multicast', 'explicit']),
    )
    .option('--vtep <address...>', 'the underlay addresses of all its VTEPs, for explicit peers')
    .option('--device <device>', 'the underlay device of its VXLAN, which multicast needs')
    .option('--prefix <prefix>', 'a /64 for addresses of its nodes; auto: host0 allocates one; none')
    .addOption(new Option('--mtu <bytes>', 'its largest packet').argParser(wholeNumber(1_280, 65_535)))
    .option('--description <text>', 'a line for people')
    .option('--plan', PLAN);
}

function orderOf({ type, peers, vtep, device, number, prefix, mtu, name, description }: PartOptions): NetworkOrder {
  return {
    ...(name !== undefined && { name }),
    ...(number !== undefined && { number }),
    ...((type !== undefined || device !== undefined) && {
      type: { ...(type !== undefined && { kind: type }), ...(device !== undefined && { dev: device }) },
    }),
    ...((peers !== undefined || vtep !== undefined) && {
      peers: { kind: peers ?? 'explicit', ...(vtep !== undefined && { vteps: vtep.map((address) => ({ address })) }) },
    }),
    ...(prefix !== undefined && { prefix }),
    ...(mtu !== undefined && { mtuBytes: mtu }),
    ...(description !== undefined && { description }),
  };
}

/** @throws InvalidArgumentError */
function numberOf(text: string): NetworkNumber {
  const number = /^(0x[0-9a-f]+|\d+)$/i.test(text) ? Number(text) : Number.NaN;
  if (isNetworkNumber(number)) return number;
  throw new InvalidArgumentError('It must be a number from 1 to 0xffffff, decimal or hexadecimal.');
}

function nothingNamed(): MeshError {
  return new MeshError('MESH_USAGE', 'nothing is to be changed', {
    operation: 'edit network',
    remedy: 'Name the parts to change, such as `--mtu 1400`: `mesh network edit --help`',
  });
}

/** @throws MESH_OBJECT_UNKNOWN */
async function textOf(file: string): Promise<string> {
  if (file === '-') return readAll(process.stdin);
  return readFile(file, 'utf8').catch((cause: unknown) => {
    throw new MeshError('MESH_OBJECT_UNKNOWN', `${file} cannot be read`, { object: file, cause });
  });
}

function dryRun({ plan = false }: PartOptions): { readonly 'dry-run': boolean } {
  return { 'dry-run': plan };
}

/** Asks host0 for a change, and prints what it did or would do. */
async function change(
  context: Context,
  ask: (host0: ControlClient<'host0'>) => Promise<CatalogueChange>,
): Promise<void> {
  const done = await ask(host0Client(context.paths));
  const { errorText } = await import('../../formats/error-text.ts');
  const color = context.paint !== plain;
  const warnings = done.warnings.map(
    (warning) => `\n${errorText(MeshError.fromJSON(warning), { color, severity: 'warning' })}\n`,
  );
  context.answer(done, () => changeText(done, context) + warnings.join(''));
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
