/** `mesh port create`, `move` and `delete`: ports that host0 places on nodes. */
import type { Command } from 'commander';
import { type Ipv4, parseIpv4 } from '../../model/address/ipv4.ts';
import { type Ipv6, parseIpv6 } from '../../model/address/ipv6.ts';
import { parseMac } from '../../model/address/mac.ts';
import { host0Client } from '../../protocol/calls/control-client.ts';
import type { PlacedPortView } from '../../protocol/documents/views.ts';
import type { Context } from '../context.ts';
import { printable } from '../print/printable.ts';
import { type Column, table } from '../print/table.ts';

interface PlaceOptions {
  readonly node: string;
  readonly device?: string;
}

interface CreateOptions extends PlaceOptions {
  readonly name?: string;
  readonly mac?: string;
  readonly address?: readonly string[];
  readonly for?: string;
  readonly trusted?: true;
}

/** Adds the commands to `mesh port`. */
export function addPlacedPortCommands(port: Command, context: Context): void {
  port
    .command('create')
    .description(
      'Place a port on a node: the node gets the network, and a tap for a guest or an interface that is there',
    )
    .argument('<network>', 'the name of a network')
    .requiredOption('--node <node>', 'the node on which the interface is')
    .option(
      '--device <interface>',
      "an interface of the node; without it, the node makes a tap of the port's id, such as v1f",
    )
    .option('--name <name>', 'a name for the port, which commands take in place of the id')
    .option('--mac <mac>', "the Ethernet address of the guest; without it, one made of the port's id")
    .option('--address <address>', 'an IP address of the guest; give the option again for another one', collect)
    .option('--for <vm>', 'the virtual machine that the port is for')
    .option('--trusted', 'the guest is a router: it may send from any address, advertise itself and serve DHCP')
    .addHelpText(
      'after',
      '\nThe guest of a tap can send with its own Ethernet address and IP addresses alone: those that you give, and the\n' +
        'link-local one of its Ethernet address.\n\n' +
        'The command is for host0. On a node, `mesh port plug` plugs in an interface of that node.\n\n' +
        'Examples:\n  $ mesh port create blue --node node1 --name web --address 10.0.0.5 --address fd00::5\n' +
        '  $ mesh port create blue --node node1 --device tap0',
    )
    .action(async (network: string, { mac, address, name, for: vm, trusted, ...place }: CreateOptions) => {
      const body = {
        network,
        ...placeOf(place),
        ...(mac !== undefined && { mac: parseMac(mac) }),
        ...(address !== undefined && { addresses: address.map(parseIp) }),
        ...(name !== undefined && { name }),
        ...(vm !== undefined && { vm }),
        ...(trusted && { trusted }),
      };
      const view = await host0Client(context.paths).ask('POST /v1/ports', { body });
      context.answer(view, () => `${placedText(view)}${waitText(view)}`);
    });

  port
    .command('show')
    .description('Show a port that host0 has placed: where it is, how it is, and what its guest was refused')
    .argument('<id>', 'the id or the name of the port')
    .addHelpText('after', '\nThe command is for host0.\n\nExample:\n  $ mesh port show web')
    .action(async (id: string) => {
      const view = await host0Client(context.paths).ask('GET /v1/ports/{id}', { path: { id } });
      context.answer(view, () => shownPort(view));
    });

  port
    .command('move')
    .description('Move a port to another node, which has it before the old one forgets it')
    .argument('<id>', 'the id of the port')
    .requiredOption('--node <node>', 'the node to which the port goes')
    .option('--device <interface>', 'the interface there; without it, one of the same name')
    .addHelpText('after', '\nThe command is for host0.\n\nExample:\n  $ mesh port move 1f --node node2')
    .action(async (id: string, place: PlaceOptions) => {
      const body = placeOf(place);
      const view = await host0Client(context.paths).ask('POST /v1/ports/{id}/move', { path: { id }, body });
      context.answer(view, () => `${placedText(view)}${waitText(view)}`);
    });

  port
    .command('delete')
    .description('Delete a port: its node takes the interface off the network')
    .argument('<id>', 'the id of the port')
    .addHelpText('after', '\nThe command is for host0.\n\nExample:\n  $ mesh port delete 1f')
    .action(async (id: string) => {
      const view = await host0Client(context.paths).ask('DELETE /v1/ports/{id}', { path: { id } });
      context.answer(view, () =>
        printable(`Port ${id} is gone: ${view.interface} on ${view.node} leaves ${view.networkName}.`).concat('\n'),
      );
    });
}

/** `mesh port list --all` */
export async function listPlacedPorts(context: Context): Promise<void> {
  const list = await host0Client(context.paths).ask('GET /v1/ports');
  context.answer(list, () => {
    if (list.length === 0) return 'host0 has placed no port.\n';
    const waiting = list.map(waitText).join('');
    return table(list, COLUMNS, context.page) + (waiting === '' ? '' : `\n${waiting}`);
  });
}

const COLUMNS: readonly Column<PlacedPortView>[] = [
  { title: 'PORT', text: ({ id }) => id },
  { title: 'NAME', text: ({ name }) => name ?? '–' },
  { title: 'NETWORK', text: ({ networkName }) => networkName, flexible: true },
  { title: 'NODE', text: ({ node }) => node, flexible: true },
  { title: 'INTERFACE', text: (view) => view.interface },
  { title: 'MAC', text: ({ mac }) => mac },
  { title: 'STATE', text: ({ state }) => state, tone: ({ state }) => (state === 'wanted' ? 'warning' : 'good') },
];

function placeOf({ node, device }: PlaceOptions) {
  return { node, ...(device !== undefined && { interface: device }) };
}

function collect(address: string, before: readonly string[] = []): readonly string[] {
  return [...before, address];
}

function parseIp(text: string): Ipv4 | Ipv6 {
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text);
}

/** A line for each thing that is known of the port. */
export function shownPort(view: PlacedPortView): string {
  const { id, name, networkName, node, mac, addresses = [], vm, trusted, state, why, refused = [] } = view;
  const lines: (readonly [what: string, text: string])[] = [
    ['port', name === undefined ? id : `${name} (${id})`],
    ['network', networkName],
    ['node', node],
    ['interface', view.interface],
    ['mac', mac],
    ...addresses.map((address) => ['address', address] as const),
    ...(vm === undefined ? [] : [['for', vm] as const]),
    ...(trusted ? [['trusted', 'the guest is a router'] as const] : []),
    ['state', why === undefined ? state : `${state}: ${why}`],
    ...refused.map(({ kind, frames }) => ['refused', `${frames} ${kind}`] as const),
  ];
  return lines.map(([what, text]) => `${`${what}:`.padEnd(11)}${printable(text)}\n`).join('');
}

function placedText({ id, networkName, node, interface: link, mac }: PlacedPortView): string {
  return `${printable(`Port ${id} (${mac}) is ${link} on ${node}, in ${networkName}.`)}\n`;
}

function waitText({ id, state, why }: PlacedPortView): string {
  return why === undefined || state !== 'wanted' ? '' : `${printable(`Port ${id} waits: ${why}`)}.\n`;
}
