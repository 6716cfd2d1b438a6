/** `mesh order`: what owners want, as objects that host0 carries out. */
import { Command } from 'commander';
import { host0Client } from '../../protocol/calls/control-client.ts';
import type { Context } from '../context.ts';
import { wholeNumber } from '../print/number-option.ts';
import { addNewOrders } from './order-new.ts';
import { ordersTable, orderText } from './order-text.ts';
import { followOrder } from './order-wait.ts';

/** `mesh order` with its commands. They are for host0. */
export function orderCommand(context: Context): Command {
  const order = new Command('order');
  const host0 = () => host0Client(context.paths);
  addNewOrders(order, context);

  order
    .command('list')
    .alias('ls')
    .description('List the orders, the oldest first')
    .option('--owner <owner>', 'only those of this owner')
    .option('--all', 'also those that were undone')
    .addHelpText('after', '\nThe command is for host0.\n\nExample:\n  $ mesh order list --owner acme')
    .action(async ({ owner, all = false }: { readonly owner?: string; readonly all?: boolean }) => {
      const known = await host0().ask('GET /v1/orders', { query: { ...(owner !== undefined && { owner }) } });
      const orders = known.filter(({ state }) => all || state !== 'undone');
      context.answer(orders, () => ordersTable(orders, context));
    });

  order
    .command('show')
    .description('Show one order: its steps, what they made, and what hooks said')
    .argument('<order>', 'the number of an order', wholeNumber(1))
    .addHelpText('after', '\nThe command is for host0.\n\nExample:\n  $ mesh order show 7')
    .action(async (id: number) => {
      const view = await host0().ask('GET /v1/orders/{id}', { path: { id } });
      context.answer(view, () => orderText(view, context));
    });

  order
    .command('follow')
    .description('Show how an order goes, until it is done or undone; exit code 1 when it was undone')
    .argument('<order>', 'the number of an order', wholeNumber(1))
    .addHelpText('after', '\nThe command is for host0.\n\nExample:\n  $ mesh order follow 7')
    .action(async (id: number) => {
      const view = await followOrder(context, id);
      context.answer(view, () => orderText(view, context));
      if (view.state === 'undone') context.exitCode = 1;
    });

  order
    .command('cancel')
    .description('Undo an order: what it has made is given back, also when it was done')
    .argument('<order>', 'the number of an order', wholeNumber(1))
    .option('--no-wait', 'do not wait until it is undone')
    .addHelpText(
      'after',
      '\nThe command is for host0. A network with ports in it stays until they are unplugged.\n\nExample:\n  $ mesh order cancel 7',
    )
    .action(async (id: number, { wait = true }: { readonly wait?: boolean }) => {
      const view = await host0().ask('POST /v1/orders/{id}/cancel', { path: { id } });
      const last = wait ? await followOrder(context, id) : view;
      context.answer(last, () => orderText(last, context));
    });

  return order;
}
