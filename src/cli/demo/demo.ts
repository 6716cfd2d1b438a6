/** `mesh demo`: a set of customers with networks and virtual machines, to try in a lab. */
import { Command } from 'commander';
import { AddressPoolShape } from '../../model/ipam/address-pool.ts';
import type { Workload } from '../../model/workload/workload.ts';
import { host0Client } from '../../protocol/calls/control-client.ts';
import { isSettled, type OrderView, type OrderWish } from '../../protocol/documents/order/order.ts';
import type { Context } from '../context.ts';
import { printable } from '../print/printable.ts';

/** The owners of the demo. */
const OWNERS = ['demo-red', 'demo-green', 'demo-blue'] as const;
const DESCRIPTION = 'made by mesh demo load';
/** The orders of the demo have this word: others of the same owners are not touched. */
const ONCE = 'demo';
/** What the hooks of `owner-created` order goes with the owner: the example hook has this word. */
const BY_HOOK = 'owner-created';
const POOL = 'demo';
const POOL_CIDR = 'fd42:de30::/32';
const ROUTER = 'router';
const MEMORY_BYTES = 256 * 1024 ** 2;
/** Longer than an order takes that does not wait for anything. */
const PATIENCE_MS = 60_000;

/** `mesh demo` with its commands. They are for host0. */
export function demoCommand(context: Context): Command {
  const demo = new Command('demo');

  demo
    .command('load')
    .description('Make three owners with a network each; run again, it adds what is missing')
    .option('--image <image>', 'also start a virtual machine each, from this disk image: isos/FILE of host0, or a URL')
    .addHelpText(
      'after',
      '\nThe command is for host0. Where a node has the role router, the networks get a /64 of the pool demo, which is made, too.\n' +
        '\nExample:\n  $ mesh demo load',
    )
    .action(async ({ image }: { readonly image?: string }) => {
      const networks = await load(context, image);
      const vms = image === undefined ? '' : ` and ${networks} virtual machines`;
      const text = `${OWNERS.length} owners with ${networks} networks${vms} are made: ${OWNERS.join(', ')}.`;
      context.answer({ owners: OWNERS, networks }, () => printable(text).concat('\n'));
    });

  demo
    .command('unload')
    .description('Remove exactly what the demo has made')
    .addHelpText('after', '\nThe command is for host0.\n\nExample:\n  $ mesh demo unload')
    .action(async () => {
      const { gone, kept } = await unload(context);
      const left = kept.length === 0 ? '' : ` These stay, since they have orders of yours: ${kept.join(', ')}.`;
      const text = `${gone.length} owners with all that the demo ordered are gone.${left}`;
      context.answer({ gone, kept }, () => printable(text).concat('\n'));
    });

  return demo;
}

async function load(context: Context, image: string | undefined): Promise<number> {
  const host0 = host0Client(context.paths);
  const isRouted = (await host0.ask('GET /v1/roles')).some(({ roles }) => roles.includes(ROUTER));
  if (isRouted) await makePool(context);
  const known = new Set((await host0.ask('GET /v1/owners')).map(({ name }) => name));
  for (const name of OWNERS) {
    if (!known.has(name)) await host0.ask('POST /v1/owners', { body: { name, description: DESCRIPTION } });
    const network = `${name}-lan`;
    const wish: OrderWish = isRouted
      ? { kind: 'ipv6-network', name: network, pool: POOL }
      : { kind: 'network', name: network };
    await place(context, name, 'network', wish);
    if (image !== undefined) await place(context, name, 'vm', { kind: 'vm', workload: guestOf(name, network, image) });
  }
  return OWNERS.length;
}

async function makePool(context: Context): Promise<void> {
  const host0 = host0Client(context.paths);
  const pools = await host0.ask('GET /v1/ipam/pools');
  if (pools.some(({ pool }) => pool.name === POOL)) return;
  const definition = { name: POOL, kind: 'ipv6-prefix', cidr: POOL_CIDR, length: 64, restSec: 0, warnPercent: 80 };
  await host0.ask('POST /v1/ipam/pools', { body: AddressPoolShape.read(definition) });
}

/** Orders, and waits until it is done. */
async function place(context: Context, owner: string, what: string, wish: OrderWish): Promise<void> {
  const body = { owner, once: `${ONCE} ${what}`, wish };
  const { order } = await host0Client(context.paths).ask('POST /v1/orders', { body });
  if (order !== undefined) await settled(context, order.id);
}

async function settled(context: Context, id: number): Promise<OrderView | undefined> {
  const request = { path: { id }, signal: AbortSignal.timeout(PATIENCE_MS) };
  for await (const order of host0Client(context.paths).events('GET /v1/orders/{id}/follow', request))
    if (isSettled(order)) return order;
  return undefined;
}

async function unload(context: Context): Promise<{ readonly gone: string[]; readonly kept: string[] }> {
  const host0 = host0Client(context.paths);
  const known = new Set(
    (await host0.ask('GET /v1/owners'))
      .filter(({ description }) => description === DESCRIPTION)
      .map(({ name }) => name),
  );
  const [gone, kept]: [string[], string[]] = [[], []];
  for (const owner of OWNERS.filter((name) => known.has(name))) {
    const orders = await host0.ask('GET /v1/orders', { query: { owner } });
    const isOurs = ({ once = '' }: OrderView) => once === BY_HOOK || once.startsWith(`${ONCE} `);
    const others = orders.filter((order) => !isOurs(order) && order.state !== 'undone');
    // The last order first: a virtual machine goes before its network.
    for (const { id } of orders.filter(isOurs).toReversed()) {
      await host0.ask('POST /v1/orders/{id}/cancel', { path: { id } });
      await settled(context, id);
      await host0.ask('DELETE /v1/orders/{id}', { path: { id } });
    }
    if (others.length > 0) kept.push(owner);
    else {
      await host0.ask('DELETE /v1/owners/{name}', { path: { name: owner } });
      gone.push(owner);
    }
  }
  const pools = await host0.ask('GET /v1/ipam/pools');
  const isUnused = pools.some(
    ({ pool, allocated }) => pool.name === POOL && pool.cidr === POOL_CIDR && allocated === 0,
  );
  if (isUnused) await host0.ask('DELETE /v1/ipam/pools/{name}', { path: { name: POOL }, query: { force: true } });
  return { gone, kept };
}

function guestOf(owner: string, network: string, source: string): Workload {
  const name = `${owner}-vm`;
  return {
    name,
    // Always the same, so that the demo can be loaded again.
    uuid: name,
    memoryBytes: MEMORY_BYTES,
    cpu: { threads: 1, mode: 'host' },
    volumes: [{ id: 'root', type: 'qcow2', path: `${name}.qcow2`, source }],
    networks: [{ id: 'net0', network, addresses: [], model: 'virtio' }],
    console: { serial: true, vnc: false },
    firmware: 'bios',
    restart: 'on-failure',
    place: { kind: 'any' },
  };
}
