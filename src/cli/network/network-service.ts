/** `mesh network service` and `mesh network wait`: what nodes serve in a network, and whether they do. */
import { Command } from 'commander';
import { parseIpv4, parseIpv4Cidr, parseIpv4Interface } from '../../model/address/ipv4.ts';
import { type Ipv6Cidr, ipv6Subnet, parseIpv6, parseIpv6Interface } from '../../model/address/ipv6.ts';
import { MeshError } from '../../model/error.ts';
import { type NetworkService, SERVED_KINDS } from '../../model/network/services/network-service.ts';
import { host0Client } from '../../protocol/calls/control-client.ts';
import type { ServiceNodeView, ServiceView } from '../../protocol/documents/service/service-view.ts';
import type { Context } from '../context.ts';
import { durationText } from '../print/duration.ts';
import { wholeNumber } from '../print/number-option.ts';
import { printable } from '../print/printable.ts';
import { Stages } from '../print/stages.ts';
import { type Column, table } from '../print/table.ts';
import { type AddressServiceOptions, addAddressOptions, addressServiceOf } from './address-service.ts';

interface SetOptions extends AddressServiceOptions {
  readonly node?: readonly string[];
  readonly search?: readonly string[];
  readonly prefix?: string;
  readonly device?: string;
  readonly address?: string;
  readonly gateway?: string;
  readonly block?: string;
}

/** What takes less than a second leaves no line. */
const SOON_MS = 1_000;
/** A router advertises each four seconds at the latest, and starts in less than one. */
const WAIT_SEC = 60;
const FOR_HOST0 = '\nThe command is for host0.\n';

/** `mesh network service` with its commands. */
export function networkServiceCommand(context: Context): Command {
  const service = new Command('service').description(
    'The services of networks: router advertisements, DHCP, DNS and NAT64',
  );

  addAddressOptions(service.command('set'))
    .description('Give a network a service, which nodes with the role `router` run for it')
    .argument('<network>', 'its name, its number or its bridge')
    .argument('<kind>', SERVED_KINDS.join(', '))
    .option('-n, --node <name...>', 'the nodes that serve, in place of those with the role `router`')
    .option('--resolver <address...>', 'ra, dhcp4, dhcp6: the resolvers that guests are told')
    .option('--search <domain...>', 'ra: the domains in which guests look for short names')
    .option('--prefix <prefix>', 'nat64, dns64: a /96 for IPv4 addresses, as fd64:64::/96')
    .option('--device <device>', 'nat64: the device of the routers that leads outside')
    .option('--address <address/length>', 'nat64: the address of the active router outside')
    .option('--gateway <address>', 'nat64: the next router outside')
    .option('--block <subnet>', 'nat64: the IPv4 addresses that virtual machines can get (`mesh address map`)')
    .option('--forwarder <address...>', 'dns64, dns: the resolvers that it asks; dns: also as corp.example=192.0.2.1')
    .addHelpText('after', `${FOR_HOST0}\nExample:\n  $ mesh network service set blue ra && mesh network wait blue`)
    .action(async (name: string, kind: string, options: SetOptions) => {
      const body = serviceOf(kind, options);
      const view = await host0Client(context.paths).ask('PUT /v1/catalogue/{name}/services', { path: { name }, body });
      context.answer(view, () => printable(`${view.network} has the service ${kind}.`).concat('\n'));
    });

  service
    .command('remove')
    .alias('rm')
    .description('Take a service from a network, after its nodes have said goodbye to the guests')
    .argument('<network>', 'its name, its number or its bridge')
    .argument('<kind>', SERVED_KINDS.join(', '))
    .addHelpText('after', `${FOR_HOST0}\nExample:\n  $ mesh network service remove blue ra`)
    .action(async (name: string, given: string) => {
      const path = { name, kind: kindOf(given) };
      const view = await host0Client(context.paths).ask('DELETE /v1/catalogue/{name}/services/{kind}', { path });
      context.answer(view, () => printable(`The service ${given} leaves ${view.network}.`).concat('\n'));
    });

  service
    .command('list')
    .alias('ls')
    .description('List the services of a network with the nodes that serve')
    .argument('<network>', 'its name, its number or its bridge')
    .addHelpText('after', `${FOR_HOST0}\nExample:\n  $ mesh network service list blue`)
    .action(async (name: string) => {
      const views = await host0Client(context.paths).ask('GET /v1/catalogue/{name}/services', { path: { name } });
      context.answer(views, () => servicesText(views, context) || printable(`${name} has no services.`).concat('\n'));
    });

  return service;
}

/** Adds `mesh network wait`. */
export function addNetworkWait(network: Command, context: Context): void {
  network
    .command('wait')
    .description('Wait until all services of a network are ready, and all that were removed are gone')
    .argument('<network>', 'its name, its number or its bridge')
    .option('--timeout <seconds>', `how long, ${WAIT_SEC} by default`, wholeNumber(1, 86_400), WAIT_SEC)
    .addHelpText('after', `${FOR_HOST0}\nExample:\n  $ mesh network wait blue`)
    .action(async (name: string, { timeout }: { readonly timeout: number }) => {
      const views = await follow(context, name, timeout);
      context.answer(views, () => servicesText(views, context) || printable(`${name} has no services.`).concat('\n'));
    });
}

/** The services of a network with their nodes; empty where there are none. */
export function servicesText(views: readonly ServiceView[], context: Context): string {
  const rows = views.flatMap((view) => {
    const nodes: readonly (ServiceNodeView | undefined)[] = view.nodes.length === 0 ? [undefined] : view.nodes;
    return nodes.map((node) => ({ view, node }));
  });
  return table(rows, COLUMNS, context.page);
}

interface Row {
  readonly view: ServiceView;
  readonly node: ServiceNodeView | undefined;
}

const COLUMNS: readonly Column<Row>[] = [
  { title: 'SERVICE', text: ({ view }) => view.service.kind },
  { title: 'NODE', text: ({ node }) => node?.node ?? '–' },
  {
    title: 'STATE',
    text: ({ view, node }) => (node === undefined ? (view.why ?? view.state) : stateText(node)),
    flexible: true,
  },
  { title: 'PREFIXES', text: ({ view }) => prefixesText(view), flexible: true },
];

function stateText({ isReached, state }: ServiceNodeView): string {
  if (!isReached) return 'away';
  if (state.state === 'ready') return 'ready';
  if (state.state === 'failed') return `failed: ${state.message}`;
  return `pending for ${durationText(state.ageSec)}: ${state.why}`;
}

function prefixesText({ prefixes = [], withdrawn = [] }: ServiceView): string {
  return [...prefixes, ...withdrawn.map((prefix) => `${prefix} (withdrawn)`)].join(', ') || '–';
}

async function follow(context: Context, name: string, timeoutSec: number): Promise<readonly ServiceView[]> {
  using stages = new Stages(context.stderr, SOON_MS);
  const request = { path: { name }, signal: AbortSignal.timeout(timeoutSec * 1000) };
  let waiting: ServiceView | undefined;
  try {
    for await (const views of host0Client(context.paths).events('GET /v1/catalogue/{name}/services/follow', request)) {
      waiting = views.find(({ state, removing }) => state !== 'ready' || removing === true);
      if (waiting === undefined) {
        stages.end();
        return views;
      }
      stages.show(printable(`waiting for ${waiting.service.kind} of ${name}: ${waiting.why ?? 'it says goodbye'}`));
    }
  } catch (error) {
    if (!request.signal.aborted) throw error;
  }
  throw new MeshError('MESH_NET_NOT_SERVED', `${name} is not served after ${timeoutSec} s`, {
    object: name,
    ...(waiting?.why !== undefined && { cause: waiting.why }),
    remedy: `${waiting?.why === undefined ? '' : `${waiting.why}. `}See \`mesh network service list ${name}\`.`,
  });
}

function serviceOf(given: string, options: SetOptions): NetworkService {
  const kind = kindOf(given);
  const { node, resolver, search } = options;
  const nodes = node === undefined ? {} : { nodes: node };
  if (kind === 'dhcp4' || kind === 'dhcp6' || kind === 'dns') return addressServiceOf(kind, nodes, options);
  if (kind === 'dns64') {
    const forwarders = (options.forwarder ?? []).map((text) =>
      text.includes(':') ? parseIpv6(text) : parseIpv4(text),
    );
    return { kind, ...nodes, prefix: prefixOf(needed(options, 'prefix')), forwarders };
  }
  if (kind === 'nat64') {
    const { address, length } = parseIpv4Interface(needed(options, 'address'));
    return {
      ...{ kind, ...nodes, address, length, maps: [] },
      prefix: prefixOf(needed(options, 'prefix')),
      device: needed(options, 'device'),
      ...(options.gateway !== undefined && { gateway: parseIpv4(options.gateway) }),
      block: parseIpv4Cidr(needed(options, 'block')),
    };
  }
  return {
    kind,
    ...nodes,
    ...(resolver !== undefined && { resolvers: resolver.map(parseIpv6) }),
    ...(search !== undefined && { searchDomains: search }),
  };
}

/** @throws MESH_USAGE */
function needed(options: SetOptions, name: 'prefix' | 'device' | 'address' | 'block'): string {
  const value = options[name];
  if (value !== undefined) return value;
  throw new MeshError('MESH_USAGE', `--${name} is missing`, {
    rule: 'NAT64 needs --prefix, --device, --address and --block; DNS64 needs --prefix.',
  });
}

function prefixOf(text: string): Ipv6Cidr {
  const { address, length } = parseIpv6Interface(text);
  return ipv6Subnet(address, length);
}

/** @throws MESH_USAGE */
function kindOf(given: string): NetworkService['kind'] {
  const kind = SERVED_KINDS.find((known) => known === given);
  if (kind !== undefined) return kind;
  throw new MeshError('MESH_USAGE', `there is no service ${JSON.stringify(given)}`, {
    object: given,
    rule: `One of ${SERVED_KINDS.join(', ')}.`,
  });
}
