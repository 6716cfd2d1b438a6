/** NAT64 and DNS64 of a network on one router: what its namespace has for them, and the servers in it. */
import { type Ipv4, type Ipv4Cidr, ipv4Length, ipv4Overlap, ipv4Subnet } from '../../model/address/ipv4.ts';
import { type Ipv6Cidr, ipv6WithSuffix } from '../../model/address/ipv6.ts';
import type { MachineWord } from '../../model/machine.ts';
import { derivedMac } from '../../model/network/address-derivation.ts';
import type { Network } from '../../model/network/network.ts';
import { serviceAddresses } from '../../model/network/services/service-addresses.ts';
import type { AssignedDns64, AssignedNat64 } from '../../protocol/documents/service/assigned-nat64.ts';
import type { AssignedService } from '../../protocol/documents/service/assigned-service.ts';
import { type Translation, taygaConf } from '../../services/tayga/tayga-conf.ts';
import { taygaProcess } from '../../services/tayga/tayga-process.ts';
import { unboundConf } from '../../services/unbound/unbound-conf.ts';
import { unboundProcess } from '../../services/unbound/unbound-process.ts';
import type { NodeService } from '../desired/parts/service.ts';
import type { OuterPlace } from '../items/space/outer-place.ts';
import type { ServiceSpace } from '../items/space/service-space.ts';

/** What a space has for these services. */
export type SpaceExtras = Pick<ServiceSpace, 'routes' | 'outer'> & Pick<ServiceSpace, 'addresses'>;

/** Where a server of a space is, and what it reads. */
export interface ServerPlace {
  readonly name: string;
  readonly netns: string;
  readonly configFile: string;
  /** The directory for its own files of this boot. The space makes it. */
  readonly directory: string;
  readonly needs: NonNullable<NodeService['needs']>;
}

/** The addresses of the translator itself, and of guests without an address of their own. They are seen in its namespace alone. */
const TRANSLATOR_IPV4 = '192.0.0.2' as Ipv4;
const POOL = '100.126.0.0/16' as Ipv4Cidr;
/** In the first /64 of the network, beside DNS64's `::6464`. */
const TRANSLATOR_SUFFIX = '0000000000006400';
const ADDRESS_LENGTH = 64;

/** What the space of a network has: on the active router the way outside, on others the way to that router. */
export function spaceExtras(
  network: Network,
  services: readonly AssignedService[],
  machine: MachineWord,
  vxlanPorts: readonly number[],
): SpaceExtras {
  const routes: NonNullable<ServiceSpace['routes']>[number][] = [];
  const addresses: ServiceSpace['addresses'][number][] = [];
  let outer: OuterPlace | undefined;
  for (const service of services) {
    if (service.kind === 'dns64' && service.active === machine && service.address !== undefined)
      addresses.push({ address: service.address, length: ADDRESS_LENGTH });
    if (service.kind !== 'nat64') continue;
    routes.push(...service.guests.map((destination) => ({ destination })));
    if (service.active === machine) outer = outerPlace(network, service, machine, vxlanPorts);
    else if (service.active !== undefined)
      routes.push({ destination: service.prefix, gateway: serviceAddresses(network, service.active).linkLocal });
  }
  return { addresses, routes, ...(outer !== undefined && { outer }) };
}

/** The server of the service here; undefined where another router has it. */
export function nat64Server(
  network: Network,
  service: AssignedNat64 | AssignedDns64,
  machine: MachineWord,
  place: ServerPlace,
): NodeService | undefined {
  if (service.active !== machine) return undefined;
  const { needs, configFile } = place;
  const file = (content: string) => [{ path: configFile, content, mode: 0o644, read: 'start' as const }];
  const common = { network: network.id, needs };
  const process = { ...place, network: network.name };
  if (service.kind === 'dns64') {
    if (service.address === undefined) return undefined;
    const content = unboundConf({ ...service, address: service.address });
    return { ...common, process: unboundProcess(process), files: file(content) };
  }
  const translation = translationOf(service);
  if (translation === undefined) return undefined;
  // tayga keeps its dynamic maps in the directory.
  return { ...common, process: taygaProcess(process), files: file(taygaConf(translation, place.directory)) };
}

function outerPlace(
  network: Network,
  service: AssignedNat64,
  machine: MachineWord,
  vxlanPorts: readonly number[],
): OuterPlace | undefined {
  const translation = translationOf(service);
  if (translation === undefined) return undefined;
  const { device, address, length, gateway, block } = service;
  // On another device, the way out is made again: its Ethernet address tells the two apart.
  const mac = derivedMac('outer', String(network.number), machine, device);
  const way = { device, mac, address, length, ...(gateway !== undefined && { gateway }) };
  // In a block that is the subnet itself, neighbours ask for each address, and none answers for a free one.
  return { ...way, blocks: isOnLink(service) ? [] : [block], vxlanPorts, translation };
}

function isOnLink({ block, address, length }: AssignedNat64): boolean {
  return ipv4Length(block) >= length && ipv4Overlap(block, ipv4Subnet(address, length));
}

function translationOf({ guests, prefix, maps }: AssignedNat64): Translation | undefined {
  const [first]: readonly (Ipv6Cidr | undefined)[] = guests;
  if (first === undefined) return undefined;
  return { prefix, ipv4: TRANSLATOR_IPV4, ipv6: ipv6WithSuffix(first, TRANSLATOR_SUFFIX), maps, pool: POOL };
}
