/** `mesh order network|vm`: new orders. */
import { type Command, Option } from 'commander';
import { readWorkloadFile } from '../../formats/workload/workload-file.ts';
import { MeshError } from '../../model/error.ts';
import { host0Client } from '../../protocol/calls/control-client.ts';
import type { OrderWish } from '../../protocol/documents/order/order.ts';
import type { Context } from '../context.ts';
import { orderAnswerText, orderText } from './order-text.ts';
import { followOrder } from './order-wait.ts';

interface NewOptions {
  readonly owner?: string;
  readonly once?: string;
  readonly plan?: boolean;
  readonly wait?: boolean;
}

const AFTERWARDS =
  '\nThe command is for host0. host0 carries the order out step by step, and undoes it when a step cannot be done.\n';

/** Adds the commands to `mesh order`. */
export function addNewOrders(order: Command, context: Context): void {
  withCommon(order.command('network').description('Order a network of layer 2, in which guests choose their addresses'))
    .requiredOption('--name <name>', 'the name of the network: one word')
    .addOption(new Option('--peers <peers>', 'how its nodes know each other').choices(['assigned', 'multicast']))
    .option('--device <device>', 'with multicast: the device of every node that is on the same physical network')
    .addHelpText('after', `${AFTERWARDS}\nExample:\n  $ mesh order network --owner acme --name blue`)
    .action(async (options: NewOptions & { name: string; peers?: 'assigned' | 'multicast'; device?: string }) => {
      const { name, peers, device } = options;
      const how = { ...(peers !== undefined && { peers }), ...(device !== undefined && { dev: device }) };
      await place(context, options, { kind: 'network', name, ...how });
    });

  withCommon(order.command('vm').description('Order the virtual machine of a workload file'))
    .argument('<file>', 'a workload file')
    .option('-n, --node <node>', 'the name or the machine id of a node')
    .addHelpText('after', `${AFTERWARDS}\nExample:\n  $ mesh order vm --owner acme web1.conf`)
    .action(async (file: string, options: NewOptions & { readonly node?: string }) => {
      const { workload, errors } = await readWorkloadFile(file);
      if (workload === undefined) throw errors[0] ?? new TypeError('a file is read, or has an error');
      const { node } = options;
      await place(context, options, { kind: 'vm', workload, ...(node !== undefined && { node }) });
    });
}

function withCommon(command: Command): Command {
  return command
    .option('--owner <owner>', 'the owner that orders')
    .option(
      '--once <word>',
      'a second order of the owner with this word is the first one: for scripts that may run twice',
    )
    .option('--plan', 'show the steps, and do nothing')
    .option('--no-wait', 'do not wait until it is done');
}

async function place(context: Context, options: NewOptions, wish: OrderWish): Promise<void> {
  const { owner, once, plan = false, wait = true } = options;
  const body = { ...(owner !== undefined && { owner }), ...(once !== undefined && { once }), wish };
  const answer = await host0Client(context.paths).ask('POST /v1/orders', { body, query: { 'dry-run': plan } });
  if (answer.order === undefined || !wait) return context.answer(answer, () => orderAnswerText(answer));
  const order = await followOrder(context, answer.order.id);
  context.answer({ ...answer, order }, () => orderText(order, context));
  if (order.state === 'undone') throw undone(order.error, order.id);
}

/** Why a new order did not come about. */
function undone(reason: Parameters<typeof MeshError.fromJSON>[0] | undefined, id: number): MeshError {
  if (reason !== undefined) return MeshError.fromJSON(reason);
  return new MeshError('MESH_ORDER_CANCELLED', `order ${id} was undone`, { object: String(id) });
}
