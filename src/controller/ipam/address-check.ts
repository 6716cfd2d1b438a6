/** Compares allocations with what uses them. Pure. */
import { isDeepStrictEqual } from 'node:util';
import type { Allocation } from '../../model/ipam/allocation.ts';
import type { Finding } from '../../protocol/documents/finding.ts';
import { holderText } from './ipam-error.ts';
import type { OutsideRequest } from './ipam-records.ts';
import type { PoolGrants } from './pool-grants.ts';

/** A network that exists, with its subnets. */
export interface SubnetsOfNetwork {
  readonly id: string;
  readonly name: string;
  readonly subnets: readonly string[];
}

/** What is compared. */
export interface AddressFacts {
  readonly pools: readonly PoolGrants[];
  readonly networks: readonly SubnetsOfNetwork[];
  /** All allocations in the store by their keys; undefined for a record that cannot be read. */
  readonly stored: ReadonlyMap<string, Allocation | undefined>;
  /** The same as the book had them before the store was read, and after: transactions may be under way. */
  readonly expected: readonly ReadonlyMap<string, Allocation>[];
  readonly hasWorkload: (name: string) => boolean;
  /** Reserved blocks that come into a network right now. */
  readonly underWay: ReadonlySet<string>;
  /** Requests for which nobody waits, and that an outside allocator which fails has not taken back. */
  readonly requests: readonly OutsideRequest[];
  /** The keys of pools that cannot be read. */
  readonly spoilt: readonly string[];
}

/** What does not fit; nothing if all is well. */
export function addressDrift(facts: AddressFacts): Finding[] {
  return [...ofNetworks(facts), ...ofAllocations(facts), ...ofStore(facts), ...ofRequests(facts)];
}

function drift(object: string, message: string, remedy: string): Finding {
  return { code: 'MESH_IPAM_DRIFT', severity: 'error', object, message, remedy };
}

/** Subnets that a pool has, and that are not allocated to their network. */
function* ofNetworks({ pools, networks }: AddressFacts): Generator<Finding> {
  for (const { id, name, subnets } of networks) {
    for (const subnet of subnets) {
      const grants = pools.find(({ blocks }) => blocks.touches(subnet));
      if (grants === undefined) continue;
      const allocation = grants.of(subnet);
      if (allocation?.state === 'allocated' && allocation.holder.kind === 'network' && allocation.holder.id === id)
        continue;
      const pool = grants.definition.name;
      if (allocation === undefined) {
        yield drift(
          name,
          `network ${name} has the subnet ${subnet} of the pool ${pool} without an allocation`,
          `\`mesh ipam allocate --value ${subnet} --network ${name}\`, or give the network another subnet: \`mesh network edit ${name}\``,
        );
      } else {
        const how = allocation.state === 'resting' ? 'rests after' : 'is that of';
        yield drift(
          name,
          `network ${name} has the subnet ${subnet}, which ${how} ${holderText(allocation.holder)}`,
          `Give the network another subnet: \`mesh network edit ${name}\``,
        );
      }
    }
  }
}

/** Allocations of workloads and networks that do not exist, and of networks that do not have the subnet. */
function* ofAllocations({ pools, networks, hasWorkload, underWay }: AddressFacts): Generator<Finding> {
  for (const grants of pools) {
    for (const allocation of grants.allocations) {
      const { id, value, holder, state } = allocation;
      const release = `\`mesh ipam release ${id}\``;
      if (!isBlock(grants, value)) {
        yield drift(value, `${value} is no block of the pool ${grants.definition.name}`, release);
      }
      if (state !== 'resting' && holder.kind === 'workload' && !hasWorkload(holder.id)) {
        yield drift(value, `${value} is that of the workload ${holder.id}, which does not exist`, release);
      }
      if (state === 'resting' || holder.kind !== 'network' || underWay.has(id)) continue;
      const network = networks.find((other) => other.id === holder.id || other.name === holder.id);
      if (network === undefined) {
        yield drift(value, `${value} is that of the network ${holder.id}, which does not exist`, release);
      } else if (!network.subnets.includes(value)) {
        yield drift(
          value,
          `${value} is that of the network ${network.name}, which does not have it as a subnet`,
          release,
        );
      }
    }
  }
}

function isBlock({ blocks }: PoolGrants, value: string): boolean {
  try {
    blocks.indexOf(value);
    return true;
  } catch {
    return false;
  }
}

/** Records that another program changed, or that belong to no pool. */
function* ofStore({ stored, expected, spoilt }: AddressFacts): Generator<Finding> {
  for (const key of spoilt) {
    yield drift(key, `the document of a pool cannot be read: ${key}`, 'Delete the document, and make the pool again');
  }
  const known = expected.flatMap((records) => [...records.keys()]);
  for (const key of new Set([...stored.keys(), ...known])) {
    const fits = (records: ReadonlyMap<string, Allocation>) =>
      stored.has(key) === records.has(key) && isDeepStrictEqual(stored.get(key), records.get(key));
    if (expected.some(fits)) continue;
    const what = !stored.has(key) ? 'is gone' : !known.includes(key) ? 'belongs to no pool' : 'was changed';
    yield drift(key, `the record ${key} ${what}, and host0 did not do that`, 'Restart host0, and check again');
  }
}

function* ofRequests({ requests }: AddressFacts): Generator<Finding> {
  for (const { id, pool, holder } of requests) {
    yield drift(
      id,
      `the allocator of the pool ${pool} has not taken back what ${holderText(holder)} asked for`,
      'host0 asks again each minute; `mesh status` says what the allocator answers',
    );
  }
}
