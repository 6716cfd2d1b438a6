/**
 * IPv4 addresses of virtual machines: each is in the document of the NAT64 of the machine's network. Two machines never have one
 * address, and a change that another has overtaken is refused, since the document is compared when it is written.
 */
import { eui64Address } from '../../model/address/eui64.ts';
import { type Ipv4, ipv4FromNumber, ipv4Length, ipv4ToNumber, parseIpv4 } from '../../model/address/ipv4.ts';
import { MeshError } from '../../model/error.ts';
import type { Network } from '../../model/network/network.ts';
import { type AddressMap, isForGuests, type Nat64Service } from '../../model/network/services/nat64.ts';
import { prefixesOf } from '../../model/network/services/ra.ts';
import type { AddressMapView } from '../../protocol/documents/service/address-map-view.ts';
import { KeyedMutex } from '../membership/keyed-mutex.ts';
import type { PortBook } from '../ports/port-book.ts';
import type { PlacedPort } from '../ports/port-record.ts';
import { holderOf, outerAddresses } from './outer-addresses.ts';
import type { OuterAllocations } from './outer-allocations.ts';
import type { ServiceBook } from './service-book.ts';
import type { ServiceRecord } from './service-record.ts';

/** Where maps are found and kept. */
export interface AddressMapsInput {
  readonly services: Pick<ServiceBook, 'records' | 'find' | 'put'>;
  /** All networks, also those that are stopped. */
  readonly networks: () => readonly Network[];
  readonly ports: Pick<PortBook, 'all'>;
  /** The ids of the ports of a virtual machine, or of the port of this name. @throws MESH_WORKLOAD_UNKNOWN */
  readonly portsOf: (name: string) => readonly string[];
  /** Where changes of addresses outside wait for each other. Absent: no other part changes them. */
  readonly turns?: KeyedMutex<'maps'>;
  /** The addresses in the address book. Absent: there are no pools. */
  readonly outer?: Pick<OuterAllocations, 'isFree' | 'take'>;
}

/** The NAT64 of a network, with its record. */
interface Translated {
  readonly network: Network;
  readonly record: ServiceRecord;
  readonly service: Nat64Service;
}

/** Changes maps, one after the other. */
export class AddressMaps {
  readonly #input: AddressMapsInput;
  readonly #mutex: KeyedMutex<'maps'>;

  constructor(input: AddressMapsInput) {
    this.#input = input;
    this.#mutex = input.turns ?? new KeyedMutex();
  }

  /** All maps, in the order of their addresses. */
  list(): readonly AddressMapView[] {
    const views = this.#translated().flatMap(({ network, service }) => service.maps.map((map) => view(network, map)));
    return views.toSorted((a, b) => (a.ipv4 < b.ipv4 ? -1 : 1));
  }

  /**
   * Gives a virtual machine an address, the wanted one or the next free one. Asked again, it has the one that it has.
   * @throws MESH_WORKLOAD_UNKNOWN, MESH_ADDRESS_UNMAPPABLE, MESH_ADDRESS_MAPPED, MESH_IPAM_TAKEN, MESH_STORE_CONFLICT
   */
  map(vm: string, wanted: Ipv4 | undefined): Promise<AddressMapView> {
    return this.#mutex.take('maps', async () => {
      const { name, translated, ipv6 } = this.#place(vm);
      const { network, record, service } = translated;
      const before = service.maps.find((map) => map.vm === name);
      if (before !== undefined && before.ipv6 === ipv6 && (wanted === undefined || wanted === before.ipv4))
        return view(network, before);
      const map = { vm: name, ipv4: this.#free(translated, name, wanted), ipv6 };
      await this.#input.outer?.take({ address: map.ipv4, network: network.number, vm: name });
      const maps = [...service.maps.filter((other) => other !== before), map];
      await this.#input.services.put({ ...record, service: { ...service, maps } });
      return view(network, map);
    });
  }

  /** Takes the address of a virtual machine back. @param wanted the machine, or the address @throws MESH_OBJECT_UNKNOWN */
  unmap(wanted: string): Promise<AddressMapView> {
    return this.#mutex.take('maps', async () => {
      const isWanted = ({ vm, ipv4 }: AddressMap) => vm === wanted || ipv4 === wanted;
      for (const { network, record, service } of this.#translated()) {
        const map = service.maps.find(isWanted);
        if (map === undefined) continue;
        const maps = service.maps.filter((other) => other !== map);
        await this.#input.services.put({ ...record, service: { ...service, maps } });
        return view(network, map);
      }
      throw new MeshError('MESH_OBJECT_UNKNOWN', `${wanted} has no IPv4 address`, {
        object: wanted,
        remedy: 'See `mesh address list`.',
      });
    });
  }

  /**
   * Takes addresses back whose virtual machine is gone, or has no port in the network any more. The address would lead into nothing,
   * or to another guest that has the Ethernet address later.
   * @returns the maps that are gone
   * @throws MESH_STORE_*
   */
  dropLost(): Promise<readonly AddressMapView[]> {
    return this.#mutex.take('maps', async () => {
      const dropped: AddressMapView[] = [];
      for (const { network, record, service } of this.#translated()) {
        const lost = service.maps.filter(({ vm }) => !this.#portsOf(vm).some((port) => port.network === network.id));
        if (lost.length === 0) continue;
        const maps = service.maps.filter((map) => !lost.includes(map));
        await this.#input.services.put({ ...record, service: { ...service, maps } });
        dropped.push(...lost.map((map) => view(network, map)));
      }
      return dropped;
    });
  }

  /** The ports of a machine, also those that its record does not name yet. None for a machine that is gone. */
  #portsOf(name: string): readonly PlacedPort[] {
    const own = new Set(this.#idsOf(name));
    return this.#input.ports.all.filter(({ id, vm }) => own.has(id) || vm === name);
  }

  #idsOf(name: string): readonly string[] {
    try {
      return this.#input.portsOf(name);
    } catch (thrown) {
      if (MeshError.from(thrown).code === 'MESH_WORKLOAD_UNKNOWN') return [];
      throw thrown;
    }
  }

  #translated(): Translated[] {
    const networks = new Map(this.#input.networks().map((network) => [network.number, network]));
    return this.#input.services.records.flatMap((record) => {
      const { service, removing } = record;
      const network = networks.get(record.network);
      if (service.kind !== 'nat64' || removing === true || network === undefined) return [];
      return [{ network, record, service }];
    });
  }

  /** The network in which the machine can have an address, and the machine's address there. */
  #place(vm: string): { readonly name: string; readonly translated: Translated; readonly ipv6: AddressMap['ipv6'] } {
    const name = vm;
    const own = new Set(this.#input.portsOf(vm));
    const ports = this.#input.ports.all.filter(({ id }) => own.has(id));
    if (ports.length === 0)
      throw unmappable(
        name,
        `${name} has no port yet`,
        'Start it once: `mesh workload start NAME`. Its Ethernet address is known then.',
      );
    const translated = this.#translated();
    for (const { network: id, mac } of ports) {
      const found = translated.find(({ network }) => network.id === id);
      const [prefix] = found === undefined ? [] : prefixesOf(found.network);
      if (found !== undefined && prefix !== undefined)
        return { name, translated: found, ipv6: eui64Address(prefix, mac) };
    }
    const networks = this.#input.networks().filter(({ id }) => ports.some((port) => port.network === id));
    const names = networks.map((network) => network.name).join(', ');
    const pure = networks.every((network) => prefixesOf(network).length === 0);
    throw pure
      ? unmappable(
          name,
          `${name} is in networks without addresses: ${names}`,
          'Give the network a /64 in its subnets, and the service ra: guests give themselves addresses then.',
        )
      : unmappable(
          name,
          `no network of ${name} has NAT64: ${names}`,
          'Give it: `mesh network service set NETWORK nat64 …`.',
        );
  }

  /** @throws MESH_ADDRESS_MAPPED, MESH_ADDRESS_UNMAPPABLE */
  #free({ network, service }: Translated, name: string, wanted: Ipv4 | undefined): Ipv4 {
    const others = outerAddresses(this.#input.services.records).filter(
      (outer) => outer.network !== network.number || outer.vm !== name,
    );
    const taken = new Map<string, (typeof others)[number]>(others.map((outer) => [outer.address, outer]));
    if (wanted !== undefined) {
      if (!isForGuests(service, wanted))
        throw unmappable(
          name,
          `${wanted} is not for the guests of ${network.name}`,
          `Choose one of ${service.block}, or leave --ipv4 out.`,
        );
      const holder = taken.get(wanted);
      if (holder === undefined) return wanted;
      const words = `${wanted} is taken by ${holderOf(holder, this.#input.networks())}`;
      throw new MeshError('MESH_ADDRESS_MAPPED', words, {
        object: wanted,
        remedy: 'Leave --ipv4 out, or take the address back first: `mesh address unmap`.',
      });
    }
    const { first, last } = usable(service);
    for (let number = first; number <= last; number++) {
      const ipv4 = ipv4FromNumber(number);
      const isFree = this.#input.outer?.isFree({ address: ipv4, network: network.number, vm: name }) ?? true;
      if (!taken.has(ipv4) && isForGuests(service, ipv4) && isFree) return ipv4;
    }
    throw new MeshError('MESH_ADDRESS_MAPPED', `all addresses of ${service.block} are taken, or rest after a release`, {
      object: service.block,
      remedy: `Give ${network.name} a larger block, or take addresses back: \`mesh address list\`.`,
    });
  }
}

/** A block that is a whole subnet has two addresses that no host has. */
function usable({ block, length }: Nat64Service): { readonly first: number; readonly last: number } {
  const [base = ''] = block.split('/');
  const first = ipv4ToNumber(parseIpv4(base));
  const last = first + 2 ** (32 - ipv4Length(block)) - 1;
  const isWhole = ipv4Length(block) <= length && last - first > 2;
  return isWhole ? { first: first + 1, last: last - 1 } : { first, last };
}

function view({ name }: Network, { vm, ipv4, ipv6 }: AddressMap): AddressMapView {
  return { vm, network: name, ipv4, ipv6 };
}

function unmappable(object: string, message: string, remedy: string): MeshError {
  return new MeshError('MESH_ADDRESS_UNMAPPABLE', message, {
    object,
    rule: 'An IPv4 address leads to a virtual machine in a network with NAT64, at the IPv6 address that follows from its Ethernet address.',
    remedy,
  });
}
