/** What the space of a network has for the services that exist once: the gateways, the way outside, or the way to the active router. */
import { type Ip, isIpv6 } from '../../kernel/ip.ts';
import type { MachineWord } from '../../model/machine.ts';
import type { Network } from '../../model/network/network.ts';
import { serviceAddresses } from '../../model/network/services/service-addresses.ts';
import type { DnsmasqService } from '../../protocol/documents/service/assigned-dhcp.ts';
import type { AssignedService } from '../../protocol/documents/service/assigned-service.ts';
import type { ServiceSpace } from '../items/space/service-space.ts';
import { isDnsmasqService } from './dnsmasq-server.ts';
import { type LeadingOut, wayOut } from './way-out.ts';

/** What a space has for these services. */
export type SpaceExtras = Pick<ServiceSpace, 'routes' | 'outer' | 'addresses'>;

type SpaceRoute = NonNullable<ServiceSpace['routes']>[number];

const RESOLVER_LENGTH = 64;

/** What the space of a network has: on the active router the way outside, on others the way to that router. */
export function spaceExtras(
  network: Network,
  services: readonly AssignedService[],
  machine: MachineWord,
  vxlanPorts: readonly number[],
): SpaceExtras {
  const routes: SpaceRoute[] = [];
  const addresses: ServiceSpace['addresses'][number][] = [];
  const leading: LeadingOut[] = [];
  for (const service of services) {
    if (service.kind === 'other' || service.kind === 'ra' || isDnsmasqService(service)) continue;
    const isActive = service.active === machine;
    if (service.kind === 'dns64') {
      if (isActive && service.address !== undefined)
        addresses.push({ address: service.address, length: RESOLVER_LENGTH });
      continue;
    }
    routes.push(...guestRoutes(service), ...(isActive ? [] : routesToActive(network, service)));
    if (!isActive) continue;
    leading.push(service);
    if (service.kind !== 'nat64') addresses.push(...service.gateways);
  }
  const outer = wayOut(network, leading, machine, vxlanPorts);
  // In order, so that the same addresses are the same rules.
  const servers = [...new Set(services.filter(isDnsmasqService).flatMap(serversOf))].sort();
  return {
    addresses: distinctBy(addresses, 'address'),
    routes: distinctBy(routes, 'destination'),
    ...(outer && { outer: servers.length === 0 ? outer : { ...outer, servers } }),
  };
}

function serversOf({ servers }: DnsmasqService): readonly Ip[] {
  return servers.map(({ address }) => address);
}

/** The gateways have the routes to IPv4 guests with their subnets. No router has an address of an IPv6 subnet. */
function guestRoutes({ guests }: LeadingOut): SpaceRoute[] {
  return guests.filter((guest) => guest.includes(':')).map((destination) => ({ destination }));
}

/** Each router advertises itself: what guests send a reserve, goes to the active one. IPv4 guests know the active one alone. */
function routesToActive(network: Network, service: LeadingOut): SpaceRoute[] {
  if (service.active === undefined || service.kind === 'nat44') return [];
  const gateway = serviceAddresses(network, service.active).linkLocal;
  if (service.kind === 'nat64') return [{ destination: service.prefix, gateway }];
  const isRouted = service.uplinks.some(({ address }) => isIpv6(address));
  return isRouted ? [{ destination: '::/0', gateway }] : [];
}

function distinctBy<K extends string, T extends Readonly<Record<K, string>>>(list: readonly T[], key: K): T[] {
  return [...new Map(list.map((one) => [one[key], one])).values()];
}
