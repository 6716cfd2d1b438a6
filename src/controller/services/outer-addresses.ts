/**
 * The addresses outside that are given away, to machines and to routers, by all documents of services: a network that is stopped
 * takes its addresses up again, and one that loses its service has them until its routers have said goodbye. Pure.
 */
import { type Ipv4, ipv4FromNumber, ipv4ToNumber } from '../../model/address/ipv4.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import { MeshError } from '../../model/error.ts';
import type { Network } from '../../model/network/network.ts';
import type { NetworkNumber } from '../../model/network/number.ts';
import { isForGuests } from '../../model/network/services/nat64.ts';
import type { NetworkService } from '../../model/network/services/network-service.ts';
import type { ServiceRecord } from './service-record.ts';

/** An address outside with its holder. */
export interface OuterAddress {
  readonly address: Ipv4 | Ipv6;
  readonly network: NetworkNumber;
  /** The virtual machine to which the address leads. Absent: it is the address of the active router. */
  readonly vm?: string;
}

/** More machines than a message names. */
const NAMED_MAX = 3;

/** All addresses outside that are given away. */
export function outerAddresses(records: readonly ServiceRecord[]): readonly OuterAddress[] {
  return records.flatMap(({ network, service }): OuterAddress[] => {
    const maps = service.kind === 'nat64' ? service.maps : [];
    return [
      ...routerAddresses(service).map((address) => ({ address, network })),
      ...maps.map(({ ipv4, vm }) => ({ address: ipv4, network, vm })),
    ];
  });
}

/** The addresses outside that the active router has for a service. */
export function routerAddresses(service: NetworkService): readonly (Ipv4 | Ipv6)[] {
  switch (service.kind) {
    case 'nat64':
      return [service.address];
    case 'nat44': {
      const { address, range = { first: address, last: address } } = service;
      const [first, last] = [ipv4ToNumber(range.first), ipv4ToNumber(range.last)];
      const row = Array.from({ length: last - first + 1 }, (_, index) => ipv4FromNumber(first + index));
      return [...new Set([address, ...row])];
    }
    case 'route':
      return service.uplinks.map(({ address }) => address);
    default:
      return [];
  }
}

/** The holder of an address, for people. */
export function holderOf({ network: number, vm }: OuterAddress, networks: readonly Network[]): string {
  if (vm !== undefined) return vm;
  const name = networks.find((network) => network.number === number)?.name;
  return `the router of ${name ?? `network 0x${number.toString(16)}`}`;
}

/**
 * Refuses a service whose router would take an address that is given away, or whose machines would lose theirs.
 * @param service a NAT64 with the maps that it keeps
 * @throws MESH_ADDRESS_MAPPED, MESH_USAGE
 */
export function mustLeaveAddresses(
  { name, number }: Network,
  service: NetworkService,
  records: readonly ServiceRecord[],
  networks: readonly Network[],
): void {
  const isItsOwn = ({ network, vm }: OuterAddress) => network === number && vm === undefined;
  const wanted = new Set(routerAddresses(service));
  const held = outerAddresses(records).find((outer) => wanted.has(outer.address) && !isItsOwn(outer));
  if (held !== undefined) {
    const remedy =
      held.vm === undefined
        ? 'Choose another address.'
        : `Choose another address, or: \`mesh address unmap ${held.vm}\`.`;
    throw new MeshError('MESH_ADDRESS_MAPPED', `${held.address} is taken by ${holderOf(held, networks)}`, {
      object: held.address,
      rule: 'An IPv4 address outside has one holder: a machine, or the active router of a network.',
      remedy,
    });
  }
  if (service.kind !== 'nat64') return;
  const lost = service.maps.filter(({ ipv4 }) => !isForGuests(service, ipv4));
  if (lost.length === 0) return;
  const named = lost.slice(0, NAMED_MAX).map(({ vm, ipv4 }) => `${vm} (${ipv4})`);
  const more = lost.length > NAMED_MAX ? ` and ${lost.length - NAMED_MAX} others` : '';
  throw new MeshError(
    'MESH_USAGE',
    `machines of ${name} have addresses that would not be for guests: ${named.join(', ')}${more}`,
    {
      object: service.block,
      rule: 'The block holds the addresses of all machines that have one, without the --address and the --gateway.',
      remedy: 'Choose a block that holds them, or take the addresses back first: `mesh address unmap`.',
    },
  );
}
