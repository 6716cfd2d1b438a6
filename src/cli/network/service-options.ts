/** The options of `mesh network service set`, and the service that they describe. */
import type { Command } from 'commander';
import { parseIpv4, parseIpv4Cidr, parseIpv4Interface } from '../../model/address/ipv4.ts';
import { type Ipv6Cidr, ipv6Subnet, parseIpv6, parseIpv6Interface } from '../../model/address/ipv6.ts';
import { MeshError } from '../../model/error.ts';
import type { Nat44Service } from '../../model/network/services/nat44.ts';
import type { Nat64Service } from '../../model/network/services/nat64.ts';
import { type NetworkService, SERVED_KINDS } from '../../model/network/services/network-service.ts';
import type { RouteService } from '../../model/network/services/route.ts';
import { type AddressServiceOptions, addAddressOptions, addressServiceOf } from './address-service.ts';

/** What the command is given. */
export interface ServiceOptions extends AddressServiceOptions {
  readonly node?: readonly string[];
  readonly search?: readonly string[];
  readonly prefix?: string;
  readonly device?: string;
  readonly address?: readonly string[];
  readonly gateway?: readonly string[];
  readonly ports?: string;
  readonly block?: string;
}

/** What each kind cannot do without. */
const NEEDED =
  'NAT44 and routing need --device and --address; NAT64 needs --prefix, --device, --address and --block; DNS64 needs --prefix.';

const ONE_RANGE = 'The addresses that guests share are one row.';

/** Adds the options. */
export function addServiceOptions(command: Command): void {
  addAddressOptions(command)
    .option('-n, --node <name...>', 'the nodes that serve, in place of those with the role `router`')
    .option('--resolver <address...>', 'ra, dhcp4, dhcp6: the resolvers that guests are told')
    .option('--search <domain...>', 'ra: the domains in which guests look for short names')
    .option('--device <device>', 'nat44, route, nat64: the device of the routers that leads outside')
    .option(
      '--address <address/length>',
      'nat44, route, nat64: the address of the active router outside; for route once for each family',
      collected,
    )
    .option(
      '--gateway <address>',
      'nat44, route, nat64: the next router outside; for route once for each family',
      collected,
    )
    .option(
      '--range <first-last...>',
      'dhcp4, dhcp6: the addresses that are given, or `none`; nat44: those that guests share, in place of --address',
    )
    .option('--ports <first-last>', 'nat44: the ports of TCP and UDP that guests share')
    .option('--prefix <prefix>', 'nat64, dns64: a /96 for IPv4 addresses, as fd64:64::/96')
    .option('--block <subnet>', 'nat64: the IPv4 addresses that virtual machines can get (`mesh address map`)')
    .option('--forwarder <address...>', 'dns64, dns: the resolvers that it asks; dns: also as corp.example=192.0.2.1');
}

/** The service that the options describe. @throws MESH_USAGE, MESH_ADDRESS_INVALID */
export function serviceOf(given: string, options: ServiceOptions): NetworkService {
  const kind = serviceKindOf(given);
  const nodes = options.node === undefined ? {} : { nodes: options.node };
  switch (kind) {
    case 'dhcp4':
    case 'dhcp6':
    case 'dns':
      return addressServiceOf(kind, nodes, options);
    case 'nat44':
      return { ...nodes, ...nat44Of(options) };
    case 'route':
      return { ...nodes, ...routeOf(options) };
    case 'nat64':
      return { ...nodes, ...nat64Of(options) };
    case 'dns64': {
      const forwarders = (options.forwarder ?? []).map(ipOf);
      return { kind, ...nodes, prefix: prefixOf(needed('prefix', options.prefix)), forwarders };
    }
    case 'ra': {
      const { resolver, search } = options;
      return {
        kind,
        ...nodes,
        ...(resolver !== undefined && { resolvers: resolver.map(parseIpv6) }),
        ...(search !== undefined && { searchDomains: search }),
      };
    }
  }
}

/** @throws MESH_USAGE */
export function serviceKindOf(given: string): NetworkService['kind'] {
  const kind = SERVED_KINDS.find((known) => known === given);
  if (kind !== undefined) return kind;
  throw new MeshError('MESH_USAGE', `there is no service ${JSON.stringify(given)}`, {
    object: given,
    rule: `One of ${SERVED_KINDS.join(', ')}.`,
  });
}

function nat44Of(options: ServiceOptions): Nat44Service {
  const { range = [], ports } = options;
  const [first, second] = range;
  if (second !== undefined) throw new MeshError('MESH_USAGE', 'there is more than one --range', { rule: ONE_RANGE });
  const row = first === undefined ? undefined : pairOf('range', first);
  const portRow = ports === undefined ? undefined : pairOf('ports', ports);
  return {
    kind: 'nat44',
    ...ipv4Uplink(options),
    ...(row && { range: { first: parseIpv4(row[0]), last: parseIpv4(row[1]) } }),
    ...(portRow && { ports: { first: Number(portRow[0]), last: Number(portRow[1]) } }),
  };
}

function nat64Of(options: ServiceOptions): Nat64Service {
  return {
    kind: 'nat64',
    ...ipv4Uplink(options),
    maps: [],
    prefix: prefixOf(needed('prefix', options.prefix)),
    block: parseIpv4Cidr(needed('block', options.block)),
  };
}

function routeOf({ device, address, gateway = [] }: ServiceOptions): RouteService {
  const gateways = gateway.map(ipOf);
  const uplinks = needed('address', address).map((text) => {
    const uplink = text.includes(':') ? parseIpv6Interface(text) : parseIpv4Interface(text);
    const next = gateways.find((other) => other.includes(':') === text.includes(':'));
    return { ...uplink, ...(next !== undefined && { gateway: next }) };
  });
  const lost = gateways.find((next) => uplinks.every((uplink) => uplink.gateway !== next));
  if (lost !== undefined)
    throw new MeshError('MESH_USAGE', `the gateway ${lost} has no address beside it`, {
      object: lost,
      rule: 'Each --gateway stands beside an --address of its family.',
    });
  return { kind: 'route', device: needed('device', device), uplinks };
}

/** @throws MESH_USAGE for two of one option */
function ipv4Uplink({ device, address = [], gateway = [] }: ServiceOptions) {
  if (address.length > 1 || gateway.length > 1)
    throw new MeshError('MESH_USAGE', 'there is more than one --address or --gateway', {
      rule: 'Only route takes an address and a gateway for each family.',
    });
  const [next] = gateway;
  return {
    device: needed('device', device),
    ...parseIpv4Interface(needed('address', address[0])),
    ...(next !== undefined && { gateway: parseIpv4(next) }),
  };
}

/** @throws MESH_USAGE */
function needed<T>(name: string, value: T | undefined): T {
  if (value !== undefined) return value;
  throw new MeshError('MESH_USAGE', `--${name} is missing`, { rule: NEEDED });
}

/** @throws MESH_USAGE */
function pairOf(name: string, text: string): readonly [string, string] {
  const [first = '', last = first, ...more] = text.split('-');
  if (first !== '' && last !== '' && more.length === 0) return [first, last];
  throw new MeshError('MESH_USAGE', `--${name} ${JSON.stringify(text)} is no row`, {
    object: text,
    rule: 'The first and the last one with a hyphen between: 10.11.0.201-10.11.0.203, 1024-65535.',
  });
}

function prefixOf(text: string): Ipv6Cidr {
  const { address, length } = parseIpv6Interface(text);
  return ipv6Subnet(address, length);
}

function ipOf(text: string) {
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text);
}

function collected(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}
