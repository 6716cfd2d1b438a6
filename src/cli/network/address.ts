/** `mesh address`: the IPv4 addresses that virtual machines have outside, through NAT64. */
import { Command } from 'commander';
import { parseIpv4 } from '../../model/address/ipv4.ts';
import { host0Client } from '../../protocol/calls/control-client.ts';
import type { AddressMapView } from '../../protocol/documents/service/address-map-view.ts';
import type { Context } from '../context.ts';
import { printable } from '../print/printable.ts';
import { type Column, table } from '../print/table.ts';

const FOR_HOST0 = '\nThe command is for host0.\n';

const COLUMNS: readonly Column<AddressMapView>[] = [
  { title: 'IPV4', text: ({ ipv4 }) => ipv4 },
  { title: 'VM', text: ({ vm }) => vm, flexible: true },
  { title: 'NETWORK', text: ({ network }) => network },
  { title: 'IPV6', text: ({ ipv6 }) => ipv6 },
];

/** `mesh address` with its commands. */
export function addressCommand(context: Context): Command {
  const address = new Command('address').description('The IPv4 addresses that virtual machines have outside');

  address
    .command('list')
    .alias('ls')
    .description('List the IPv4 addresses that virtual machines have')
    .addHelpText('after', `${FOR_HOST0}\nExample:\n  $ mesh address list`)
    .action(async () => {
      const maps = await host0Client(context.paths).ask('GET /v1/addresses');
      context.answer(maps, () => table(maps, COLUMNS, context.page) || 'No virtual machine has an IPv4 address.\n');
    });

  address
    .command('map')
    .description('Give a virtual machine an IPv4 address')
    .argument('<vm>', 'its name')
    .option('--ipv4 <address>', 'this one; the next free one of the block of its network without it')
    .addHelpText('after', `${FOR_HOST0}\nExample:\n  $ mesh address map web --ipv4 203.0.113.20`)
    .action(async (vm: string, { ipv4 }: { readonly ipv4?: string }) => {
      const body = { vm, ...(ipv4 !== undefined && { ipv4: parseIpv4(ipv4) }) };
      const map = await host0Client(context.paths).ask('POST /v1/addresses', { body });
      context.answer(map, () =>
        printable(`${map.ipv4} leads to ${map.vm} (${map.ipv6} in ${map.network}).`).concat('\n'),
      );
    });

  address
    .command('unmap')
    .description('Take the IPv4 address of a virtual machine back')
    .argument('<vm>', 'its name, or the address')
    .addHelpText('after', `${FOR_HOST0}\nExample:\n  $ mesh address unmap web`)
    .action(async (name: string) => {
      const map = await host0Client(context.paths).ask('DELETE /v1/addresses/{name}', { path: { name } });
      context.answer(map, () => printable(`${map.ipv4} leads to ${map.vm} no more.`).concat('\n'));
    });

  return address;
}
