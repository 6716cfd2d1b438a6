/** `mesh ipam pool`: ranges of addresses from which blocks of one size are given. */
import { Command, Option } from 'commander';
import { parseIpv4, parseIpv4Interface } from '../../model/address/ipv4.ts';
import { MeshError } from '../../model/error.ts';
import { Misfit, placeOf } from '../../model/form.ts';
import {
  type AddressPool,
  AddressPoolShape,
  POOL_KINDS,
  type PoolKind,
  REST_SEC,
  WARN_PERCENT,
} from '../../model/ipam/address-pool.ts';
import { host0Client } from '../../protocol/calls/control-client.ts';
import type { AddressPoolView } from '../../protocol/documents/ipam/ipam-view.ts';
import type { Context } from '../context.ts';
import { durationText } from '../print/duration.ts';
import { wholeNumber } from '../print/number-option.ts';
import { printable } from '../print/printable.ts';
import { type Column, table } from '../print/table.ts';

const FOR_HOST0 = '\nThe command is for host0.\n';
/** A year. */
const REST_MAX_SEC = 31_536_000;
/** What most sites give a customer. */
const SUBNET_LENGTH = 24;
const LENGTHS: Readonly<Record<PoolKind, number>> = {
  'ipv6-prefix': 64,
  'ipv4-subnet': SUBNET_LENGTH,
  'ipv4-address': 32,
};

/** Adds `mesh ipam pool` with its commands. */
export function addPoolCommands(ipam: Command, context: Context): void {
  const pool = new Command('pool').description('Ranges of addresses, from which host0 gives blocks of one size');
  ipam.addCommand(pool);

  pool
    .command('create')
    .description('Make an address pool')
    .argument('<name>', 'one word')
    .argument('<cidr>', 'all its addresses, as fd42:2345::/32 or 10.20.0.0/16')
    .addOption(
      new Option('--kind <kind>', 'what the pool gives; ipv6-prefix or ipv4-subnet unless it is named').choices(
        POOL_KINDS,
      ),
    )
    .addOption(
      new Option(
        '--length <bits>',
        `the prefix length of an IPv4 subnet that it gives; ${SUBNET_LENGTH} unless it is named`,
      ).argParser(wholeNumber(1, 64)),
    )
    .option('--reserve <cidr...>', 'subnets that are given to nobody unless they are named')
    .addOption(
      new Option('--rest <seconds>', 'how long a block rests after its release')
        .argParser(wholeNumber(0, REST_MAX_SEC))
        .default(REST_SEC),
    )
    .addOption(
      new Option('--warn <percent>', 'how much may be taken before host0 warns')
        .argParser(wholeNumber(1, 100))
        .default(WARN_PERCENT),
    )
    .option('--allocator <name>', 'an executable in the folder hooks/allocators of host0 that chooses the blocks')
    .option('--main', 'the network main gets a block now, with the services that guests need')
    .option('--nat-device <device>', 'with --main, for IPv4: the device of the routers that leads outside (NAT44)')
    .option('--nat-address <address/length>', 'with --nat-device: the address of the active router outside')
    .option('--nat-gateway <address>', 'with --nat-device: the next router outside')
    .addHelpText(
      'after',
      `${FOR_HOST0}\nExamples:\n  $ mesh ipam pool create customers6 fd42:2345::/32\n` +
        '  $ mesh ipam pool create customers4 10.20.0.0/16 --length 24 --reserve 10.20.0.0/20\n' +
        '  $ mesh ipam pool create outside4 203.0.113.0/24 --kind ipv4-address\n' +
        '  $ mesh ipam pool create office6 2001:db8::/40 --allocator netbox\n' +
        '  $ mesh ipam pool create home6 fd42::/48 --main',
    )
    .action(async (name: string, cidr: string, options: PoolOptions) => {
      const body = poolOf(name, cidr, options);
      const view = await host0Client(context.paths).ask('POST /v1/ipam/pools', { body });
      context.answer(view, () => `${printable(`${name} is created: ${givesText(view.pool)}.`)}\n`);
    });

  pool
    .command('list')
    .alias('ls')
    .description('List the address pools, each with how much of it is taken')
    .addHelpText('after', `${FOR_HOST0}\nExample:\n  $ mesh ipam pool list`)
    .action(async () => {
      const list = await host0Client(context.paths).ask('GET /v1/ipam/pools');
      context.answer(list, () => table(list, COLUMNS, context.page) || 'There is no address pool.\n');
    });

  pool
    .command('delete')
    .alias('rm')
    .description('Delete an address pool from which nothing is given')
    .argument('<name>', 'the pool')
    .option('--force', 'forget which blocks still rest')
    .addHelpText('after', `${FOR_HOST0}\nExample:\n  $ mesh ipam pool delete customers4`)
    .action(async (name: string, { force = false }: { readonly force?: boolean }) => {
      const deleted = await host0Client(context.paths).ask('DELETE /v1/ipam/pools/{name}', {
        path: { name },
        query: { force },
      });
      context.answer(deleted, () => `${printable(`${name} is deleted.`)}\n`);
    });
}

interface PoolOptions {
  readonly kind?: PoolKind;
  readonly length?: number;
  readonly reserve?: readonly string[];
  readonly rest: number;
  readonly warn: number;
  readonly allocator?: string;
  readonly main?: boolean;
  readonly natDevice?: string;
  readonly natAddress?: string;
  readonly natGateway?: string;
}

/** @throws MESH_USAGE, MESH_ADDRESS_INVALID */
function mainOf({ main = false, natDevice, natAddress, natGateway }: PoolOptions): Pick<AddressPool, 'main'> {
  const hasNat = natDevice !== undefined || natAddress !== undefined || natGateway !== undefined;
  if (!hasNat) return main ? { main: {} } : {};
  if (!main || natDevice === undefined || natAddress === undefined)
    throw new MeshError('MESH_USAGE', 'NAT44 for main is not complete', {
      rule: 'It needs --main, --nat-device and --nat-address; --nat-gateway leads further than the subnet outside.',
    });
  const gateway = natGateway === undefined ? {} : { gateway: parseIpv4(natGateway) };
  return { main: { nat44: { device: natDevice, ...parseIpv4Interface(natAddress), ...gateway } } };
}

/** @throws MESH_IPAM_POOL_INVALID */
function poolOf(name: string, cidr: string, options: PoolOptions): AddressPool {
  const { kind, length, reserve, rest, warn, allocator } = options;
  const wanted = kind ?? (cidr.includes(':') ? 'ipv6-prefix' : 'ipv4-subnet');
  const whole = {
    name,
    kind: wanted,
    cidr,
    length: length ?? LENGTHS[wanted],
    reserved: reserve ?? [],
    restSec: rest,
    warnPercent: warn,
    ...(allocator !== undefined && { allocator }),
    ...mainOf(options),
  };
  try {
    return AddressPoolShape.read(whole);
  } catch (error) {
    if (!(error instanceof Misfit)) throw error;
    throw new MeshError('MESH_IPAM_POOL_INVALID', `${placeOf(error.path)} of the pool ${name} does not fit`, {
      operation: 'make an address pool',
      object: name,
      ...error.words,
    });
  }
}

function givesText({ kind, cidr, length, restSec, allocator }: AddressPool): string {
  const blocks = kind === 'ipv4-address' ? 'single addresses' : `/${length}s`;
  const chosen = allocator === undefined ? '' : `, which ${allocator} chooses`;
  const rest =
    restSec === 0 ? 'they do not rest after a release' : `they rest ${durationText(restSec)} after a release`;
  return `it gives ${blocks} of ${cidr}${chosen}; ${rest}`;
}

const COLUMNS: readonly Column<AddressPoolView>[] = [
  { title: 'NAME', text: ({ pool }) => pool.name, flexible: true },
  { title: 'GIVES', text: ({ pool }) => (pool.kind === 'ipv4-address' ? 'addresses' : `/${pool.length}s`) },
  { title: 'OF', text: ({ pool }) => pool.cidr },
  {
    title: 'USED',
    align: 'right',
    text: ({ usedPercent }) => `${usedPercent} %`,
    tone: ({ usedPercent, pool }) => (usedPercent >= pool.warnPercent ? 'warning' : undefined),
  },
  { title: 'ALLOCATED', align: 'right', text: ({ allocated }) => String(allocated) },
  { title: 'RESTING', align: 'right', text: ({ resting }) => String(resting) },
  { title: 'RESERVED', align: 'right', text: ({ reserved }) => String(reserved) },
  { title: 'BLOCKS', align: 'right', text: ({ blocks }) => String(blocks) },
  { title: 'ALLOCATOR', text: ({ pool }) => pool.allocator ?? 'host0', flexible: true },
];
