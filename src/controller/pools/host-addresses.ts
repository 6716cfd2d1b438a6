/**
 * The host addresses of networks: which node has which addresses on the bridge of a network. A `given` address belongs to the home
 * node, which is host0. `per-node` addresses are allocated, one in each subnet for each node that holds the network; host0 has the one that the
 * subnet names, if it names one.
 */
import { ipFromBigint, ipRange, ipToBigint } from '../../model/address/ip-range.ts';
import { isIpv4 } from '../../model/address/ipv4.ts';
import { parseIpv6 } from '../../model/address/ipv6.ts';
import { MeshError } from '../../model/error.ts';
import type { MachineWord } from '../../model/machine.ts';
import type { HostInterface } from '../../model/network/host-address.ts';
import type { Network } from '../../model/network/network.ts';
import type { NetworkId } from '../../model/network/number.ts';
import type { Subnet } from '../../model/network/subnet.ts';
import { Signal, type Subscribable } from '../../model/signal.ts';
import { type Finding, findingOf } from '../../protocol/documents/finding.ts';
import * as form from '../../protocol/shapes/form.ts';
import type { Store } from '../../store/store.ts';
import { Pool, type PoolMove, poolRecords, takeAndGive } from './pool.ts';

const POOL = 'host-addresses';
/** More addresses than are given between two backups. */
const LEAP = 0x100;
/** Addresses of a subnet that are looked at: a /112 of IPv6. There are fewer nodes. */
const SEARCH_MAX = 0x10000n;

/** One address of one node. */
interface HostGrant {
  readonly network: string;
  /** The subnet, as the network has it. */
  readonly cidr: string;
  readonly machine: string;
  readonly address: string;
}

const HostGrantShape: form.Shape<HostGrant> = form.object({
  network: form.string({ max: 64 }),
  cidr: form.string({ max: 64 }),
  machine: form.string({ max: 64 }),
  address: form.string({ max: 64 }),
});

/** A network with the nodes that hold it. */
export interface HeldNetwork {
  readonly network: Network;
  readonly holders: Iterable<MachineWord>;
}

/** Gives nodes their addresses, and keeps them in the store. */
export class HostAddresses {
  readonly #store: Store;
  readonly #pool: Pool<HostGrant>;
  readonly #changes = new Signal<MachineWord>();
  /** Emits each node whose addresses have changed. */
  readonly changes: Subscribable<MachineWord> = this.#changes;
  /** By network and node. */
  readonly #byHolder = new Map<string, HostGrant[]>();
  #exhausted: readonly MeshError[] = [];
  #work: Promise<void> = Promise.resolve();

  private constructor(store: Store, pool: Pool<HostGrant>) {
    this.#store = store;
    this.#pool = pool;
    this.#index();
  }

  /** Reads which addresses are given. @throws MESH_STORE_BROKEN */
  static async open(store: Store): Promise<HostAddresses> {
    const records = poolRecords<HostGrant>(POOL, ({ network, address }) => `${network}-${address}`, HostGrantShape);
    return new HostAddresses(store, await Pool.open({ store, name: POOL, form: records, first: 0, leap: LEAP }));
  }

  /** The addresses of a node on the bridge of a network; none for networks whose host addresses are derived, or absent. */
  of({ id, hostAddress, subnets }: Network, machine: MachineWord): readonly HostInterface[] {
    switch (hostAddress.kind) {
      case 'given':
        if (machine !== 'host0') return [];
        return subnets.flatMap(({ cidr, hostAddress: address }) =>
          address === undefined ? [] : [{ address, length: lengthOf(cidr) }],
        );
      case 'per-node': {
        const grants = this.#byHolder.get(holderKey(id, machine)) ?? [];
        return subnets.flatMap(({ cidr, hostAddress: written }) => {
          if (machine === 'host0' && written !== undefined) return [{ address: written, length: lengthOf(cidr) }];
          return grants.filter((grant) => grant.cidr === cidr).map(({ address }) => interfaceOf(address, cidr));
        });
      }
      default:
        return [];
    }
  }

  /** The part of an attachment that has the addresses of a node. */
  partOf(network: Network, machine: MachineWord): { readonly hostAddresses?: readonly HostInterface[] } {
    const hostAddresses = this.of(network, machine);
    return hostAddresses.length === 0 ? {} : { hostAddresses };
  }

  /** Subnets without a free address. */
  health(): readonly Finding[] {
    return this.#exhausted.map((error) => findingOf(error.toJSON(), { object: error.object ?? POOL }));
  }

  /**
   * Gives each holder its addresses, and takes back those that no holder has any more. One call after the other.
   * @param held all networks that nodes can hold, as they are when the call's turn comes
   * @throws MESH_STORE_BROKEN when the store did not take the addresses; the next call tries again
   */
  settle(held: () => readonly HeldNetwork[]): Promise<void> {
    const work = this.#work.then(() => this.#settle(held()));
    this.#work = work.catch(() => undefined);
    return work;
  }

  async #settle(held: readonly HeldNetwork[]): Promise<void> {
    const moves: PoolMove[] = [];
    const changed = new Set<MachineWord>();
    const exhausted: MeshError[] = [];
    const wanted = new Set<string>();
    const allocations: (() => void)[] = [];
    for (const { network, holders } of held) {
      if (network.hostAddress.kind !== 'per-node') continue;
      for (const machine of holders) {
        for (const subnet of network.subnets) {
          // The address of the definition is on the home node.
          if (machine === 'host0' && subnet.hostAddress !== undefined) continue;
          wanted.add(`${network.id} ${machine} ${subnet.cidr}`);
          const grants = this.#byHolder.get(holderKey(network.id, machine)) ?? [];
          if (grants.some(({ cidr }) => cidr === subnet.cidr)) continue;
          allocations.push(() => {
            const move = this.#allocate(network, subnet, machine);
            if (move instanceof MeshError) exhausted.push(move);
            else {
              moves.push(move);
              changed.add(machine);
            }
          });
        }
      }
    }
    for (const { network, machine, cidr, address } of this.#pool.grants) {
      if (wanted.has(`${network} ${machine} ${cidr}`)) continue;
      moves.push(this.#pool.give(`${network}-${address}`));
      changed.add(machine as MachineWord);
    }
    for (const allocate of allocations) allocate();
    this.#exhausted = exhausted;
    if (moves.length === 0) return;
    try {
      await takeAndGive(this.#store, moves, [], []);
    } finally {
      this.#index();
    }
    for (const machine of changed) this.#changes.emit(machine);
  }

  /** The next free address of a subnet. One that was given back is the last to be given again. */
  #allocate({ id, name, subnets }: Network, subnet: Subnet, machine: MachineWord): PoolMove | MeshError {
    const { cidr, dhcp } = subnet;
    const { first, count } = hostsOf(cidr);
    const size = count < SEARCH_MAX ? count : SEARCH_MAX;
    const reserved = [
      ...subnets.flatMap(({ hostAddress }) => (hostAddress === undefined ? [] : [ipToBigint(hostAddress)])),
      ...(dhcp?.hosts ?? []).flatMap(({ address }) => (address === undefined ? [] : [ipToBigint(address)])),
    ];
    const ranges = (dhcp?.ranges ?? []).map((range) => [ipToBigint(range.first), ipToBigint(range.last)] as const);
    for (let offset = 0n; offset < size; offset++) {
      const at = (BigInt(this.#pool.next) + offset) % size;
      const number = first + at;
      if (reserved.includes(number) || ranges.some(([low, high]) => low <= number && number <= high)) continue;
      const address = ipFromBigint(number, ipRange(cidr).family);
      if (this.#pool.of(`${id}-${address}`) !== undefined) continue;
      return this.#pool.take({ network: id, cidr, machine, address }, Number((at + 1n) % size));
    }
    return new MeshError(
      'MESH_NET_ADDRESSES_EXHAUSTED',
      `subnet ${cidr} of ${name} has no free address for ${machine}`,
      {
        object: name,
        rule: 'Each node that holds the network has an address of its own in each of its subnets.',
        remedy: 'Make the subnet larger, or its DHCP ranges smaller: `mesh network apply FILE`',
      },
    );
  }

  #index(): void {
    this.#byHolder.clear();
    for (const grant of this.#pool.grants) {
      const key = holderKey(grant.network, grant.machine);
      this.#byHolder.set(key, [...(this.#byHolder.get(key) ?? []), grant]);
    }
  }
}

function holderKey(network: NetworkId | string, machine: string): string {
  return `${network} ${machine}`;
}

function lengthOf(cidr: string): number {
  return Number(cidr.slice(cidr.indexOf('/') + 1));
}

function interfaceOf(text: string, cidr: string): HostInterface {
  return { address: isIpv4(text) ? text : parseIpv6(text), length: lengthOf(cidr) };
}

/** The addresses that hosts may have: without that of the subnet, and in IPv4 without the broadcast address (RFC 919, RFC 4291 §2.6.1). */
function hostsOf(cidr: string): { readonly first: bigint; readonly count: bigint } {
  const { family, first, last } = ipRange(cidr);
  const count = last - first + 1n;
  if (count <= 2n) return { first, count };
  return { first: first + 1n, count: family === 'ipv6' ? count - 1n : count - 2n };
}
