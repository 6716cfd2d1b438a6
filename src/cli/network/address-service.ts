/** The options of `mesh network service set` for DHCP and DNS. */
import type { Command } from 'commander';
import { type Ipv4, isIpv4, parseIpv4 } from '../../model/address/ipv4.ts';
import { type Ipv6, parseIpv6 } from '../../model/address/ipv6.ts';
import { type Mac, parseMac } from '../../model/address/mac.ts';
import { MeshError } from '../../model/error.ts';
import type { AddressRange } from '../../model/network/services/address-range.ts';
import { type Dhcp4Service, LEASE_DEFAULT_SEC, type Reservation4 } from '../../model/network/services/dhcp4.ts';
import type { Dhcp6Service, Reservation6 } from '../../model/network/services/dhcp6.ts';
import type { DnsService } from '../../model/network/services/dns.ts';
import type { ServiceNodes } from '../../model/network/services/service-nodes.ts';
import { wholeNumber } from '../print/number-option.ts';

/** What the options give. */
export interface AddressServiceOptions {
  readonly range?: readonly string[];
  readonly reserve?: readonly string[];
  readonly lease?: number;
  readonly router?: readonly string[];
  readonly resolver?: readonly string[];
  readonly domain?: string;
  readonly stateless?: true;
  readonly host?: readonly string[];
  readonly forwarder?: readonly string[];
  readonly localOnly?: boolean;
}

const NOTHING = 'none';
const LEASE_MAX_SEC = 0xffffffff;

/** Adds the options. */
export function addAddressOptions(command: Command): Command {
  return command
    .option(
      '--reserve <mac,address,name...>',
      'dhcp4, dhcp6: guests that always get the same address, the name, or both',
    )
    .option(
      '--lease <seconds>',
      `dhcp4, dhcp6: how long, ${LEASE_DEFAULT_SEC} by default`,
      wholeNumber(120, LEASE_MAX_SEC),
    )
    .option('--router <address...>', `dhcp4: the routers that guests are told, or \`${NOTHING}\``)
    .option('--stateless', 'dhcp6: guests form their addresses, and learn resolvers and the domain here')
    .option('--domain <domain>', 'dhcp4, dhcp6, dns: the domain of the guests')
    .option('--host <name=address...>', 'dns: further names')
    .option('--no-local-only', 'dns: ask the forwarders for unknown names of the domain, too');
}

/** The service that the options describe. @throws MESH_USAGE, MESH_ADDRESS_INVALID */
export function addressServiceOf(
  kind: 'dhcp4' | 'dhcp6' | 'dns',
  nodes: ServiceNodes,
  options: AddressServiceOptions,
): Dhcp4Service | Dhcp6Service | DnsService {
  const { lease: leaseSec = LEASE_DEFAULT_SEC, domain, router, resolver } = options;
  const inDomain = domain === undefined ? {} : { domain };
  if (kind === 'dns') {
    const { host = [], forwarder = [], localOnly = true } = options;
    const names = { hosts: host.map(hostOf), forwarders: forwarder.map(forwarderOf), srv: [], txt: [] };
    return { kind, ...nodes, ...inDomain, ...names, localOnly };
  }
  if (kind === 'dhcp4') {
    return {
      ...{ kind, ...nodes, ...inDomain, leaseSec },
      ...rangesOf(options, parseIpv4),
      hosts: (options.reserve ?? []).map(reservation4),
      ...(router !== undefined && { routers: isNothing(router) ? [] : router.map(parseIpv4) }),
      ...(resolver !== undefined && { resolvers: isNothing(resolver) ? [] : resolver.map(parseIpv4) }),
    };
  }
  return {
    ...{ kind, ...nodes, ...inDomain, leaseSec },
    mode: options.stateless === true ? 'stateless' : 'stateful',
    ...rangesOf(options, parseIpv6),
    hosts: (options.reserve ?? []).map(reservation6),
    ...(resolver !== undefined && { resolvers: isNothing(resolver) ? [] : resolver.map(parseIpv6) }),
  };
}

function isNothing(words: readonly string[]): boolean {
  return words.length === 1 && words[0] === NOTHING;
}

function rangesOf<T extends Ipv4 | Ipv6>(
  { range }: AddressServiceOptions,
  parse: (text: string) => T,
): { readonly ranges?: readonly AddressRange<T>[] } {
  if (range === undefined) return {};
  if (isNothing(range)) return { ranges: [] };
  return {
    ranges: range.map((text) => {
      const [first = '', last = first] = text.split('-');
      return { first: parse(first), last: parse(last) };
    }),
  };
}

function reservation4(text: string): Reservation4 {
  const { mac, addresses, name } = reservationOf(text);
  const [address, second] = addresses;
  if (mac === undefined || second !== undefined || (address !== undefined && !isIpv4(address))) throw wrong(text);
  return { mac, ...(address !== undefined && { address }), ...(name !== undefined && { name }) };
}

function reservation6(text: string): Reservation6 {
  const { mac, id, addresses, name } = reservationOf(text);
  const [address, second] = addresses;
  if (second !== undefined || (address !== undefined && isIpv4(address))) throw wrong(text);
  return {
    ...(mac !== undefined && { mac }),
    ...(id !== undefined && { id }),
    ...(address !== undefined && { address }),
    ...(name !== undefined && { name }),
  };
}

const MAC = /^(?:[0-9a-f]{2}:){5}[0-9a-f]{2}$/;
const DUID = /^id:(.+)$/;

interface ReservationWords {
  readonly mac?: Mac;
  readonly id?: string;
  readonly addresses: readonly (Ipv4 | Ipv6)[];
  readonly name?: string;
}

/** The words of a reservation, by their forms. */
function reservationOf(text: string): ReservationWords {
  const words = text.toLowerCase().split(',');
  const [who = '', ...rest] = words;
  const id = DUID.exec(who)?.[1];
  if (id === undefined && !MAC.test(who)) throw wrong(text);
  const isAddress = (word: string) => isIpv4(word) || word.includes(':');
  const names = rest.filter((word) => !isAddress(word));
  const [name, second] = names;
  if (rest.length === 0 || second !== undefined || name === '') throw wrong(text);
  const addresses = rest.filter(isAddress).map((word) => (isIpv4(word) ? word : parseIpv6(word)));
  return { ...(id === undefined ? { mac: parseMac(who) } : { id }), addresses, ...(name !== undefined && { name }) };
}

function wrong(text: string): MeshError {
  return new MeshError('MESH_USAGE', `${JSON.stringify(text)} is no reservation`, {
    object: text,
    rule: 'A reservation has the Ethernet address of a guest, then an address, a name, or both.',
    remedy: 'Write it as 02:00:00:00:00:07,10.77.0.7,web; for IPv6 a DUID as id:00:01:… can stand first.',
  });
}

function hostOf(text: string): DnsService['hosts'][number] {
  const at = text.indexOf('=');
  if (at < 1) throw notHost(text);
  return { address: addressOf(text.slice(at + 1)), names: text.slice(0, at).split(',') };
}

function forwarderOf(text: string): DnsService['forwarders'][number] {
  const at = text.indexOf('=');
  const address = addressOf(text.slice(at + 1));
  return at < 0 ? { address } : { domain: text.slice(0, at), address };
}

function addressOf(text: string): Ipv4 | Ipv6 {
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text);
}

function notHost(text: string): MeshError {
  return new MeshError('MESH_USAGE', `${JSON.stringify(text)} is no name with an address`, {
    object: text,
    remedy: 'Write it as web=10.77.0.9; several names stand with commas between them.',
  });
}
