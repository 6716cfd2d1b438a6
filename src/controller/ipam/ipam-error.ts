/** The refusals of address management. */
import { MeshError } from '../../model/error.ts';
import type { AddressPool, PoolKind } from '../../model/ipam/address-pool.ts';
import type { AddressHolder, Allocation } from '../../model/ipam/allocation.ts';

const MS_PER_SEC = 1_000;

/** What a pool gives, for people. */
export function blocksText({ kind, length }: Pick<AddressPool, 'kind' | 'length'>): string {
  return kind === 'ipv4-address' ? 'single addresses' : `/${length}s`;
}

/** An object, for people: `network net-1000`. */
export function holderText({ kind, id }: AddressHolder): string {
  return `${kind} ${id}`;
}

/** MESH_IPAM_POOL_INVALID: the parts of a pool do not fit each other. */
export function poolInvalid(name: string, message: string, rule: string, remedy: string): MeshError {
  return new MeshError('MESH_IPAM_POOL_INVALID', `pool ${name}: ${message}`, {
    operation: 'make an address pool',
    object: name,
    rule,
    remedy,
  });
}

/** MESH_ALREADY_MADE: a pool has this name. */
export function poolThere(name: string): MeshError {
  return new MeshError('MESH_ALREADY_MADE', `there is a pool ${name} already`, {
    operation: 'make an address pool',
    object: name,
    rule: 'The name of a pool is unique.',
    remedy: 'Choose another name; `mesh ipam pool list` shows all',
  });
}

/** MESH_IPAM_POOL_INVALID: there are as many pools as host0 keeps. */
export function poolsMany(name: string, max: number): MeshError {
  return poolInvalid(
    name,
    `there are ${max} pools already`,
    `host0 keeps at most ${max} pools.`,
    'Make one larger pool in place of several, or delete those that are empty: `mesh ipam pool list`',
  );
}

/** MESH_IPAM_POOLS_OVERLAP: both pools would give the same addresses. */
export function poolsOverlap(pool: AddressPool, other: AddressPool): MeshError {
  return new MeshError('MESH_IPAM_POOLS_OVERLAP', `${pool.cidr} overlaps ${other.cidr} of the pool ${other.name}`, {
    operation: 'make an address pool',
    object: pool.name,
    rule: 'No address is in two pools.',
    remedy: 'Choose addresses that no pool has; `mesh ipam pool list` shows all',
  });
}

/** MESH_IPAM_POOL_UNKNOWN: no pool has this name, or gives what is wanted. */
export function poolUnknown(wanted: string, pools: readonly AddressPool[]): MeshError {
  return new MeshError('MESH_IPAM_POOL_UNKNOWN', `there is no address pool ${JSON.stringify(wanted)}`, {
    operation: 'find an address pool',
    object: wanted,
    remedy:
      pools.length === 0
        ? 'Make one: `mesh ipam pool create NAME CIDR`'
        : `host0 has ${pools.map(({ name }) => name).join(', ')}`,
  });
}

/** MESH_IPAM_POOL_UNKNOWN: no pool is of this kind. */
export function noPoolOf(kind: PoolKind): MeshError {
  return new MeshError('MESH_IPAM_POOL_UNKNOWN', `there is no address pool of the kind ${kind}`, {
    operation: 'find an address pool',
    object: kind,
    remedy: `Make one: \`mesh ipam pool create NAME CIDR --kind ${kind}\``,
  });
}

/** MESH_IPAM_POOL_UNKNOWN: the pool that was named is of another kind. */
export function otherKind({ name, kind }: AddressPool, wanted: PoolKind): MeshError {
  return new MeshError('MESH_IPAM_POOL_UNKNOWN', `pool ${name} is of the kind ${kind}, and not ${wanted}`, {
    operation: 'find an address pool',
    object: name,
    remedy: 'Name another pool; `mesh ipam pool list` shows all',
  });
}

/** MESH_IPAM_POOL_IN_USE: something is given from the pool, or rests. */
export function poolInUse({ name }: AddressPool, allocations: readonly Allocation[]): MeshError {
  const used = allocations.filter(({ state }) => state !== 'resting');
  const [first] = used;
  const message =
    first === undefined
      ? `${allocations.length} of its blocks rest`
      : `${first.value} is that of ${holderText(first.holder)}${used.length > 1 ? `, and ${used.length - 1} more` : ''}`;
  return new MeshError('MESH_IPAM_POOL_IN_USE', `pool ${name} cannot be deleted: ${message}`, {
    operation: 'delete an address pool',
    object: name,
    rule: 'A pool goes when nothing is given from it, and nothing rests.',
    remedy:
      first === undefined
        ? `Wait for them (\`mesh ipam list --pool ${name}\`), or forget that they rest: \`mesh ipam pool delete ${name} --force\``
        : `Release what is given: \`mesh ipam list --pool ${name}\``,
  });
}

/** MESH_IPAM_POOL_IN_USE: the allocator of the pool has not answered yet. */
export function poolAsked({ name }: AddressPool): MeshError {
  return new MeshError('MESH_IPAM_POOL_IN_USE', `pool ${name} cannot be deleted: its allocator is being asked`, {
    operation: 'delete an address pool',
    object: name,
    rule: 'What was asked of an allocator is taken back before the pool goes.',
    remedy: 'Try again in a minute; `mesh status` says if the allocator fails',
    retryable: true,
  });
}

/** MESH_IPAM_POOL_EXHAUSTED. @param nextMs when the first block has rested, from now; undefined if none rests */
export function poolExhaustedOf(pool: AddressPool, resting: number, nextMs: number | undefined): MeshError {
  const rest =
    nextMs === undefined
      ? ''
      : `; ${resting} rest, the first for ${Math.ceil(Math.max(nextMs, 0) / MS_PER_SEC)} s more`;
  return new MeshError('MESH_IPAM_POOL_EXHAUSTED', `pool ${pool.name} (${pool.cidr}) has nothing left to give${rest}`, {
    operation: 'allocate from an address pool',
    object: pool.name,
    rule: `The pool gives ${blocksText(pool)} of ${pool.cidr}, except for what is reserved.`,
    remedy: `Make another pool, or release what is not needed: \`mesh ipam list --pool ${pool.name}\``,
    retryable: nextMs !== undefined,
  });
}

/** MESH_IPAM_LENGTH: a /63, where the pool gives /64s. */
export function notABlock(pool: AddressPool, value: string): MeshError {
  return new MeshError(
    'MESH_IPAM_LENGTH',
    `${value} is no block of the pool ${pool.name}, which gives ${blocksText(pool)}`,
    {
      operation: 'allocate from an address pool',
      object: value,
      rule: 'All blocks of a pool have one length.',
      remedy: `Leave the value out: host0 chooses a free one of the ${blocksText(pool)}`,
    },
  );
}

/** MESH_IPAM_OUTSIDE: the value is in none of these pools. */
export function outsideOfPool(value: string, pools: readonly AddressPool[]): MeshError {
  const [only] = pools;
  const where = only !== undefined && pools.length === 1 ? `the pool ${only.name}, which has ${only.cidr}` : 'any pool';
  return new MeshError('MESH_IPAM_OUTSIDE', `${value} is not in ${where}`, {
    operation: 'allocate from an address pool',
    object: value,
    rule: 'Only what is in a pool is allocated.',
    remedy: 'Leave the value out, or make a pool for it; `mesh ipam pool list` shows all',
  });
}

/** MESH_IPAM_TAKEN: the block is given, or rests. @param restsMs how long the block rests, from now */
export function blockTaken({ value, holder, state, id }: Allocation, restsMs = 0): MeshError {
  const how =
    state === 'resting'
      ? `rests for ${Math.ceil(restsMs / MS_PER_SEC)} s more, after ${holderText(holder)}`
      : `is that of ${holderText(holder)}`;
  return new MeshError('MESH_IPAM_TAKEN', `${value} ${how}`, {
    operation: 'allocate from an address pool',
    object: value,
    rule: 'A block has one holder, and rests after its release.',
    remedy:
      state === 'resting'
        ? 'Take another value, or wait'
        : `Take another value, or release this one first: \`mesh ipam release ${id}\``,
    retryable: state === 'resting',
  });
}

/** MESH_IPAM_TAKEN: a network has the block, without an allocation. */
export function blockUsed(value: string): MeshError {
  return new MeshError('MESH_IPAM_TAKEN', `a network uses addresses of ${value}, without an allocation`, {
    operation: 'allocate from an address pool',
    object: value,
    rule: 'A block has one holder.',
    remedy: `\`mesh ipam check\` names the network. Give the block to it: \`mesh ipam allocate --value ${value} --network NETWORK\``,
  });
}

/** MESH_IPAM_TAKEN: the id of an allocation is given to one thing only. */
export function idTaken({ id, value, holder }: Allocation): MeshError {
  return new MeshError('MESH_IPAM_TAKEN', `the allocation ${id} is ${value} for ${holderText(holder)}`, {
    operation: 'allocate from an address pool',
    object: id,
    rule: 'Who asks again with one id gets the same block, and asks for the same thing.',
    remedy: 'Use another id',
  });
}

/** MESH_IPAM_UNKNOWN: no allocation has this id or value. */
export function allocationUnknown(wanted: string): MeshError {
  return new MeshError('MESH_IPAM_UNKNOWN', `there is no allocation ${JSON.stringify(wanted)}`, {
    operation: 'find an allocation',
    object: wanted,
    remedy: '`mesh ipam list` shows all; an allocation is found by its id or its value',
  });
}

/** MESH_USAGE: nothing says from where to allocate. */
export function nothingWanted(): MeshError {
  return new MeshError('MESH_USAGE', 'neither a pool, nor a kind of pool, nor a value is named', {
    operation: 'allocate from an address pool',
    remedy: 'Name the pool: `mesh ipam allocate --pool POOL`; `mesh ipam pool list` shows all',
  });
}

/** MESH_IPAM_ALLOCATOR_FAILED: the executable of a pool failed. */
export function allocatorFailed({ name, allocator }: AddressPool, cause: MeshError): MeshError {
  return new MeshError(
    'MESH_IPAM_ALLOCATOR_FAILED',
    `the allocator ${allocator} of the pool ${name} failed: ${cause.message}`,
    {
      operation: 'ask an allocator',
      object: name,
      rule: 'Nothing is given from the pool without its allocator.',
      remedy: cause.remedy ?? 'Look at `mesh events`, and run the executable by hand',
      cause,
      retryable: true,
    },
  );
}

/** MESH_IPAM_ALLOCATOR_WRONG: the executable of a pool gave what cannot be given. */
export function allocatorWrong({ name, allocator }: AddressPool, fault: string): MeshError {
  return new MeshError('MESH_IPAM_ALLOCATOR_WRONG', `the allocator ${allocator} of the pool ${name} ${fault}`, {
    operation: 'ask an allocator',
    object: name,
    rule: 'An allocator answers {"value": BLOCK} with a block of the pool that nobody has, and for one id always the same.',
    remedy: 'Correct the executable, or what it asks',
  });
}

/** MESH_IPAM_LENGTH: a single address is no subnet of a network. */
export function notForNetworks({ name }: AddressPool): MeshError {
  return new MeshError('MESH_IPAM_LENGTH', `pool ${name} gives single addresses, which are no subnets of a network`, {
    operation: 'allocate from an address pool',
    object: name,
    rule: 'A network takes blocks of pools of the kinds ipv6-prefix and ipv4-subnet.',
    remedy: 'Name such a pool; `mesh ipam pool list` shows all',
  });
}

/** MESH_IPAM_TAKEN: an outside allocator chooses the blocks of the pool, and is asked before the network is written. */
export function outsideChooses({ name, allocator }: AddressPool): MeshError {
  return new MeshError('MESH_IPAM_TAKEN', `the allocator ${allocator} chooses the blocks of the pool ${name}`, {
    operation: 'allocate from an address pool',
    object: name,
    rule: 'A subnet of such a pool comes into a network by its allocation.',
    remedy: `\`mesh ipam allocate --pool ${name} --network NETWORK\``,
  });
}

/** MESH_NET_IN_USE: ports of the network have addresses in the subnet. */
export function portsInSubnet(network: string, subnet: string, ports: readonly string[]): MeshError {
  const list = ports.slice(0, 5).join(', ') + (ports.length > 5 ? ` and ${ports.length - 5} more` : '');
  return new MeshError('MESH_NET_IN_USE', `ports of ${network} have addresses in ${subnet}: ${list}`, {
    operation: 'release an allocation',
    object: subnet,
    rule: 'A subnet leaves a network when no port has an address in it.',
    remedy: 'Delete the ports first: `mesh port list --all` shows them',
  });
}
