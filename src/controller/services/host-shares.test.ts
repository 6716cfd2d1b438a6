/** Proves that each address of a range has one giver at most, whichever nodes come and go, also after a restart of host0. */
import { expect, onTestFinished, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { MemoryStore } from '../../../test/kit/memory-store.ts';
import { board, networkOfType, vxlanType } from '../../../test/kit/networks.ts';
import { ipToBigint } from '../../model/address/ip-range.ts';
import { parseIpv4, parseIpv4Cidr } from '../../model/address/ipv4.ts';
import type { MachineWord } from '../../model/machine.ts';
import type { Network } from '../../model/network/network.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import type { Store } from '../../store/store.ts';
import { HostShares } from './host-shares.ts';

const network: Network = {
  ...networkOfType(0xff01, vxlanType(0xff01), { kind: 'assigned' }),
  hostAddress: { kind: 'per-node' },
  subnets: [
    {
      cidr: parseIpv4Cidr('10.7.0.0/24'),
      hostAddress: parseIpv4('10.7.0.1'),
      dhcp: {
        ranges: [
          { first: parseIpv4('10.7.0.20'), last: parseIpv4('10.7.0.99') },
          { first: parseIpv4('10.7.0.128'), last: parseIpv4('10.7.0.254'), leaseSec: 600 },
        ],
        hosts: [],
        options: [],
      },
    },
  ],
};
const [one, two, three] = [board(1), board(2), board(3)];

async function opened(store: Store): Promise<HostShares> {
  const clock = new ManualClock();
  const shares = await HostShares.open({ store, clock, journal: new Journal(clock, 'host0', 'host0') });
  onTestFinished(() => shares.close());
  return shares;
}

const never = () => false;
const held =
  (...holders: MachineWord[]) =>
  () => [{ network, holders }];

/** The giver of each address, and how long its leases last. */
function givers(shares: HostShares, machines: readonly MachineWord[] = [one, two, three]): Map<bigint, string> {
  const found = new Map<bigint, string>();
  for (const machine of machines) {
    const ranges = shares.partOf(network, machine).dhcpRanges?.flatMap((subnet) => subnet.ranges) ?? [];
    for (const { first, last, leaseSec } of ranges) {
      for (let address = ipToBigint(first); address <= ipToBigint(last); address++) {
        expect(found.has(address)).toBe(false);
        found.set(address, `${machine} ${leaseSec ?? 0}`);
      }
    }
  }
  return found;
}

test('a node gives nothing before host0 has said what; then each address has one giver, also after a restart of host0', async () => {
  const store = new MemoryStore();
  const shares = await opened(store);
  const told: MachineWord[] = [];
  shares.changes.subscribe((machine) => told.push(machine));
  expect(shares.partOf(network, one).dhcpRanges).toEqual([{ cidr: '10.7.0.0/24', ranges: [] }]);
  await shares.settle(held(two, one), never);
  expect(givers(shares).size).toBe(80 + 127);
  expect([...givers(shares).values()].filter((text) => text.endsWith(' 600'))).toHaveLength(127);
  expect(new Set(told)).toEqual(new Set([one, two]));
  await shares.settle(held(one, two), never);
  expect(told).toHaveLength(2);
  const again = await opened(store);
  expect(givers(again)).toEqual(givers(shares));
});

test('a node that comes takes a part of others, and one that goes leaves the others what they have', async () => {
  const shares = await opened(new MemoryStore());
  await shares.settle(held(one, two), never);
  const before = givers(shares);
  await shares.settle(held(one, two, three), never);
  const between = givers(shares);
  const moved = [...between].filter(([address, giver]) => before.get(address) !== giver);
  expect(moved.every(([, giver]) => giver.startsWith(`${three} `))).toBe(true);
  expect(moved.length).toBeGreaterThan(40);
  await shares.settle(held(two, three), never);
  const after = givers(shares);
  expect(after.size).toBe(80 + 127);
  for (const [address, giver] of between) if (!giver.startsWith(`${one} `)) expect(after.get(address)).toBe(giver);
});

test('shares go with their network, and other networks have none', async () => {
  const shares = await opened(new MemoryStore());
  await shares.settle(held(one), never);
  await shares.settle(held(), (id) => id === network.id);
  expect(givers(shares).size).toBe(0);
  expect(shares.partOf({ ...network, hostAddress: { kind: 'given' } }, one)).toEqual({});
});
