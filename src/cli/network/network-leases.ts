/** `mesh network leases`: the addresses that DHCP has given to guests. */
import type { Command } from 'commander';
import { host0Client } from '../../protocol/calls/control-client.ts';
import type { NetworkLeases } from '../../protocol/documents/service/guest-lease.ts';
import type { Context } from '../context.ts';
import { durationText } from '../print/duration.ts';
import { printable } from '../print/printable.ts';
import { type Column, table } from '../print/table.ts';

/** Adds `mesh network leases`. */
export function addNetworkLeases(network: Command, context: Context): void {
  network
    .command('leases')
    .alias('dhcp-leases')
    .description('List the addresses that DHCP has given to guests of a network')
    .argument('<network>', 'its name, its number or its bridge')
    .addHelpText('after', '\nThe command is for host0.\n\nExample:\n  $ mesh network leases blue')
    .action(async (name: string) => {
      const leases = await host0Client(context.paths).ask('GET /v1/catalogue/{name}/leases', { path: { name } });
      context.answer(leases, () => leasesText(name, leases, context));
    });
}

function leasesText(name: string, { leases, silent }: NetworkLeases, context: Context): string {
  const rows = table(leases, COLUMNS, context.page) || printable(`No guest of ${name} has a lease.`).concat('\n');
  return rows + silent.map(({ node, why }) => printable(`${node} does not tell: ${why}`).concat('\n')).join('');
}

const COLUMNS: readonly Column<NetworkLeases['leases'][number]>[] = [
  { title: 'ADDRESS', text: ({ address }) => address },
  { title: 'GUEST', text: ({ mac, duid }) => mac ?? duid ?? '–' },
  { title: 'NAME', text: ({ name }) => name ?? '–', flexible: true },
  { title: 'NODE', text: ({ node }) => node },
  { title: 'LASTS', text: ({ expires }) => (expires === undefined ? 'for ever' : durationText(secondsTo(expires))) },
];

function secondsTo(time: string): number {
  return Math.max(0, Math.floor((Date.parse(time) - Date.now()) / 1000));
}
