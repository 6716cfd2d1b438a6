/** `mesh order ipv6-network|network|vm`: new orders. */
import { type Command, Option } from 'commander';
import { readWorkloadFile } from '../../formats/workload/workload-file.ts';
import { MeshError } from '../../model/error.ts';
import { host0Client } from '../../protocol/calls/control-client.ts';
import type { NetworkWish, OrderWish } from '../../protocol/documents/order/order.ts';
import type { Context } from '../context.ts';
import { orderAnswerText, orderText } from './order-text.ts';
import { followOrder } from './order-wait.ts';

interface NewOptions {
  readonly owner?: string;
  readonly once?: string;
  readonly plan?: boolean;
  readonly wait?: boolean;
}

interface NetworkOptions extends NewOptions {
  readonly name: string;
  readonly peers?: 'assigned' | 'multicast';
  readonly device?: string;
}

const AFTERWARDS =
  '\nThe command is for host0. host0 carries the order out step by step, and undoes it when a step cannot be done.\n';

/** Adds the commands to `mesh order`. */
export function addNewOrders(order: Command, context: Context): void {
  withNetwork(order.command('ipv6-network').description('Order a network with an IPv6 /64, which the routers announce'))
    .option('--pool <pool>', 'the address pool that gives the /64; any pool without it')
    .addHelpText(
      'after',
      `${AFTERWARDS}It needs an address pool (\`mesh ipam pool create\`), and waits until every router announces the /64.\n` +
        '\nExample:\n  $ mesh order ipv6-network --owner acme --name blue',
    )
    .action(async (options: NetworkOptions & { readonly pool?: string }) => {
      const { pool } = options;
      const wish = { kind: 'ipv6-network' as const, ...networkOf(options), ...(pool !== undefined && { pool }) };
      await place(context, options, wish);
    });

  withNetwork(
    order.command('network').description('Order a network of layer 2, in which guests choose their addresses'),
  )
    .addHelpText('after', `${AFTERWARDS}\nExample:\n  $ mesh order network --owner acme --name blue`)
    .action(async (options: NetworkOptions) => {
      await place(context, options, { kind: 'network', ...networkOf(options) });
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

function withNetwork(command: Command): Command {
  return withCommon(command)
    .requiredOption('--name <name>', 'the name of the network: one word')
    .addOption(new Option('--peers <peers>', 'how its nodes know each other').choices(['assigned', 'multicast']))
    .option('--device <device>', 'with multicast: the device of every node that is on the same physical network');
}

function networkOf({ name, peers, device }: NetworkOptions): NetworkWish {
  return { name, ...(peers !== undefined && { peers }), ...(device !== undefined && { dev: device }) };
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
