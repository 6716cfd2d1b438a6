/** `mesh port create`, `move` and `delete`: ports that host0 places on nodes. */
import type { Command } from 'commander';
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

/** Adds the commands to `mesh port`. */
export function addPlacedPortCommands(port: Command, context: Context): void {
  port
    .command('create')
    .description('Place a port on a node: the node gets the network, and plugs the interface in as soon as it exists')
    .argument('<network>', 'the name of a network')
    .requiredOption('--node <node>', 'the node on which the interface is')
    .option('--device <interface>', "the interface on the node; without it, a tap of the port's id, such as v1f")
    .option('--mac <mac>', "the Ethernet address of the guest; without it, one made of the port's id")
    .addHelpText(
      'after',
      '\nThe command is for host0. On a node, `mesh port plug` does the same for an interface of that node.\n\n' +
        'Example:\n  $ mesh port create blue --node node1 --device tap0',
    )
    .action(async (network: string, { mac, ...place }: PlaceOptions & { readonly mac?: string }) => {
      const body = { network, ...placeOf(place), ...(mac !== undefined && { mac: parseMac(mac) }) };
      const view = await host0Client(context.paths).ask('POST /v1/ports', { body });
      context.answer(view, () => `${placedText(view)}${waitText(view)}`);
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
  { title: 'NETWORK', text: ({ networkName }) => networkName, flexible: true },
  { title: 'NODE', text: ({ node }) => node, flexible: true },
  { title: 'INTERFACE', text: (view) => view.interface },
  { title: 'MAC', text: ({ mac }) => mac },
  { title: 'STATE', text: ({ state }) => state, tone: ({ state }) => (state === 'plugged' ? 'good' : 'warning') },
];

function placeOf({ node, device }: PlaceOptions) {
  return { node, ...(device !== undefined && { interface: device }) };
}

function placedText({ id, networkName, node, interface: link, mac }: PlacedPortView): string {
  return `${printable(`Port ${id} (${mac}) is ${link} on ${node}, in ${networkName}.`)}\n`;
}

function waitText({ id, why }: PlacedPortView): string {
  return why === undefined ? '' : `${printable(`Port ${id} waits: ${why}`)}.\n`;
}
