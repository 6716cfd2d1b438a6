/** `mesh ipam`: address pools, and who has which block of them. The commands are for host0. */
import { Command, Option } from 'commander';
import { POOL_KINDS, type PoolKind } from '../../model/ipam/address-pool.ts';
import { host0Client } from '../../protocol/calls/control-client.ts';
import type { AllocationView } from '../../protocol/documents/ipam/ipam-view.ts';
import type { Context } from '../context.ts';
import { durationText } from '../print/duration.ts';
import { printable } from '../print/printable.ts';
import { type Column, table } from '../print/table.ts';
import { addPoolCommands } from './pool.ts';

const FOR_HOST0 = '\nThe command is for host0.\n';

/** `mesh ipam` with its commands. */
export function ipamCommand(context: Context): Command {
  const ipam = new Command('ipam');
  addPoolCommands(ipam, context);

  ipam
    .command('allocate')
    .description('Give a block of an address pool to a network, or to a holder of another kind')
    .option('--pool <pool>', 'the address pool')
    .addOption(new Option('--kind <kind>', 'any pool of this kind').choices(POOL_KINDS))
    .option('--value <value>', 'the wanted block, as 10.20.7.0/24; without it, the next free one')
    .option('--network <network>', 'the network that gets the block as a subnet: its name, its number or its bridge')
    .option('--for <word>', 'a word that says who gets the block, if no network does')
    .option('--id <id>', 'an id of yours: asked again with it, host0 gives the same block')
    .addHelpText(
      'after',
      `${FOR_HOST0}\nExamples:\n  $ mesh ipam allocate --pool customers6 --network blue\n` +
        '  $ mesh ipam allocate --pool outside4 --for printer\n  $ mesh ipam allocate --value 10.20.7.0/24 --network blue',
    )
    .action(async ({ for: word, ...wanted }: AllocateOptions) => {
      const holder = word === undefined ? {} : { holder: { kind: 'operator' as const, id: word } };
      const view = await host0Client(context.paths).ask('POST /v1/ipam/allocations', {
        body: { ...wanted, ...holder },
      });
      context.answer(view, () => `${printable(`${view.value} is allocated to ${holderOf(view)} (${view.id}).`)}\n`);
    });

  ipam
    .command('release')
    .description('Take a block back; it rests before it is given again. A network loses the subnet')
    .argument('<allocation>', 'its id or its value')
    .addHelpText('after', `${FOR_HOST0}\nExample:\n  $ mesh ipam release 10.20.7.0/24`)
    .action(async (wanted: string) => {
      const view = await host0Client(context.paths).ask('DELETE /v1/ipam/allocations/{wanted}', { path: { wanted } });
      context.answer(view, () => `${printable(releasedText(view))}\n`);
    });

  ipam
    .command('list')
    .alias('ls')
    .description('List what is allocated, and what rests after its release')
    .option('--pool <pool>', 'only what is of this address pool')
    .addHelpText('after', `${FOR_HOST0}\nExamples:\n  $ mesh ipam list\n  $ mesh ipam list --pool customers6 --json`)
    .action(async (query: { readonly pool?: string }) => {
      const list = await host0Client(context.paths).ask('GET /v1/ipam/allocations', { query });
      context.answer(list, () => table(list, COLUMNS, context.page) || 'Nothing is allocated.\n');
    });

  ipam
    .command('check')
    .description('Compare the allocations with the networks; exit code 1 when something does not fit')
    .addHelpText('after', `${FOR_HOST0}\nExample:\n  $ mesh ipam check`)
    .action(async () => {
      const findings = await host0Client(context.paths).ask('GET /v1/ipam/check');
      if (findings.length > 0) context.exitCode = 1;
      const lines = findings.map(({ message, remedy }) => `${printable(message)}\n  remedy: ${printable(remedy)}\n`);
      context.answer(findings, () => lines.join('') || 'All allocations fit what uses them.\n');
    });

  return ipam;
}

interface AllocateOptions {
  readonly pool?: string;
  readonly kind?: PoolKind;
  readonly value?: string;
  readonly network?: string;
  readonly for?: string;
  readonly id?: string;
}

const COLUMNS: readonly Column<AllocationView>[] = [
  { title: 'VALUE', text: ({ value = '–' }) => value },
  { title: 'POOL', text: ({ pool }) => pool, flexible: true },
  { title: 'STATE', text: stateText, tone: ({ state }) => (state === 'allocated' ? 'good' : 'warning') },
  { title: 'HOLDER', text: holderOf, flexible: true },
  { title: 'ID', text: ({ id }) => id },
];

function stateText({ state, restsSec }: AllocationView): string {
  return restsSec === undefined ? state : `${state}, ${durationText(restsSec)} left`;
}

function holderOf({ holder: { kind, id }, network }: AllocationView): string {
  return network === undefined ? `${kind} ${id}` : `network ${network}`;
}

function releasedText({ value = '', restsSec = 0 }: AllocationView): string {
  return restsSec === 0 ? `${value} is released.` : `${value} is released, and rests for ${durationText(restsSec)}.`;
}
