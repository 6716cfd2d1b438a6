/** The shares of the nodes that give addresses in a network: an address of the node's own, and blocks of the ranges. Pure. */
import { isDeepStrictEqual } from 'node:util';
import { type Ipv4, type Ipv4Cidr, ipv4FromNumber, ipv4Range, ipv4ToNumber } from '../../model/address/ipv4.ts';
import type { MachineWord } from '../../model/machine.ts';
import { type AddressRange, isInRange } from '../../model/network/services/address-range.ts';

/** What one node has of a service. */
export interface ServerShare {
  readonly machine: MachineWord;
  /** The node's own IPv4 address. Absent for DHCPv6, and while the subnet has no free address. */
  readonly address?: Ipv4;
  /** Which blocks of the ranges are the node's. */
  readonly blocks: readonly number[];
}

/** Who has a share, and of what. */
export interface SharesInput {
  /** The nodes that serve. */
  readonly machines: readonly MachineWord[];
  readonly blocks: number;
  /** Where nodes get addresses of their own. Absent: they get none. */
  readonly place?: {
    readonly subnet: Ipv4Cidr;
    readonly ranges: readonly AddressRange<Ipv4>[];
    /** Addresses of others. */
    readonly taken: ReadonlySet<string>;
  };
}

/** The shares that follow from those before. What a node has it keeps, as far as that is still sound. */
export function nextShares(
  before: readonly ServerShare[],
  { machines, blocks, place }: SharesInput,
): readonly ServerShare[] {
  const staying = before.filter(({ machine }) => machines.includes(machine));
  const used = new Set<string>();
  const addressOf = new Map<MachineWord, Ipv4>();
  if (place !== undefined) {
    const isSound = (address: Ipv4) => isFree(address, place) && !used.has(address);
    for (const { machine, address } of staying) {
      if (address === undefined || !isSound(address)) continue;
      used.add(address);
      addressOf.set(machine, address);
    }
    for (const machine of machines.filter((one) => !addressOf.has(one))) {
      const address = firstFree(place, used);
      if (address === undefined) break;
      used.add(address);
      addressOf.set(machine, address);
    }
  }
  const shared = shareBlocks(staying, machines, blocks);
  const shares = machines.map((machine): ServerShare => {
    const address = addressOf.get(machine);
    return { machine, ...(address !== undefined && { address }), blocks: shared.get(machine) ?? [] };
  });
  return isDeepStrictEqual(shares, before) ? before : shares;
}

/** How many addresses nodes can have in a subnet, counted up to `most`. */
export function freeAddresses(place: NonNullable<SharesInput['place']>, most: number): number {
  const used = new Set<string>();
  while (used.size < most) {
    const address = firstFree(place, used);
    if (address === undefined) break;
    used.add(address);
  }
  return used.size;
}

/** Each node has as many blocks as any other, or one less. As few as possible change hands. */
function shareBlocks(
  staying: readonly ServerShare[],
  machines: readonly MachineWord[],
  count: number,
): ReadonlyMap<MachineWord, readonly number[]> {
  const shares = machines.map((machine) => {
    const blocks = staying.find((share) => share.machine === machine)?.blocks ?? [];
    return { machine, blocks: blocks.filter((block) => block < count) };
  });
  // Who has most keeps one more, where the blocks do not come out even.
  const [least, rest] = [Math.floor(count / machines.length), count % machines.length];
  const byWealth = shares.toSorted((a, b) => b.blocks.length - a.blocks.length);
  const entitled = byWealth.map((share, index) => ({ share, quota: least + (index < rest ? 1 : 0) }));
  for (const { share, quota } of entitled) share.blocks.splice(quota);
  const taken = new Set(shares.flatMap(({ blocks }) => blocks));
  const free = Array.from({ length: count }, (_, block) => block).filter((block) => !taken.has(block));
  for (const { share, quota } of entitled) share.blocks.push(...free.splice(0, quota - share.blocks.length));
  return new Map(shares.map(({ machine, blocks }) => [machine, blocks.toSorted((a, b) => a - b)]));
}

function isFree(address: Ipv4, { subnet, ranges, taken }: NonNullable<SharesInput['place']>): boolean {
  const { first, last } = ipv4Range(subnet);
  return (
    isInRange(address, { first, last }) && !taken.has(address) && !ranges.some((range) => isInRange(address, range))
  );
}

/** The lowest address that nobody has. It jumps over ranges, which may be large. */
function firstFree(place: NonNullable<SharesInput['place']>, used: ReadonlySet<string>): Ipv4 | undefined {
  const { first, last } = ipv4Range(place.subnet);
  for (let value = ipv4ToNumber(first); value <= ipv4ToNumber(last); value++) {
    const address = ipv4FromNumber(value);
    const range = place.ranges.find((one) => isInRange(address, one));
    if (range !== undefined) value = ipv4ToNumber(range.last);
    else if (!place.taken.has(address) && !used.has(address)) return address;
  }
  return undefined;
}
