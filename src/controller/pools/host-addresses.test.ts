/** Proves that each node has its own addresses of a network, that none is given twice, and that addresses survive host0. */
import { expect, test } from 'vitest';
import { MemoryStore } from '../../../test/kit/memory-store.ts';
import { board, storeNetwork } from '../../../test/kit/networks.ts';
import { parseIpv4, parseIpv4Cidr } from '../../model/address/ipv4.ts';
import { ipv6Subnet, parseIpv6 } from '../../model/address/ipv6.ts';
import type { MachineWord } from '../../model/machine.ts';
import type { Network } from '../../model/network/network.ts';
import { HostAddresses } from './host-addresses.ts';

const FOUR = parseIpv4Cidr('10.7.0.0/29');
const SIX = ipv6Subnet(parseIpv6('fd07:0:0:7::'), 64);
const blue: Network = {
  ...storeNetwork('blue', 0x1001),
  hostAddress: { kind: 'per-node' },
  subnets: [{ cidr: FOUR, hostAddress: parseIpv4('10.7.0.1') }, { cidr: SIX }],
};
const [one, two, three] = [board(1), board(2), board(3)];

function textOf(addresses: HostAddresses, machine: MachineWord, network = blue): string[] {
  return addresses.of(network, machine).map(({ address, length }) => `${address}/${length}`);
}

const held =
  (...holders: MachineWord[]) =>
  () => [{ network: blue, holders }];

test('each holder has an address in each subnet, also after a restart of host0, and gives it back with the network', async () => {
  const store = new MemoryStore();
  const addresses = await HostAddresses.open(store);
  const told: MachineWord[] = [];
  addresses.changes.subscribe((machine) => told.push(machine));
  await addresses.settle(held(one, two));
  expect([...textOf(addresses, one), ...textOf(addresses, two)]).toEqual([
    '10.7.0.2/29',
    'fd07:0:0:7::3/64',
    '10.7.0.4/29',
    'fd07:0:0:7::5/64',
  ]);
  expect(told).toEqual([one, two]);
  await addresses.settle(held(one, two));
  expect(told).toHaveLength(2);

  const again = await HostAddresses.open(store);
  expect(textOf(again, two)).toEqual(textOf(addresses, two));
  await again.settle(held(two));
  expect(textOf(again, one)).toEqual([]);
  await again.settle(held(two, three));
  // What was given back is given again last.
  expect(textOf(again, three)).not.toContain('10.7.0.2/29');
});

test('a full subnet is a finding, and what is reserved is given to no node', async () => {
  const addresses = await HostAddresses.open(new MemoryStore());
  const dhcp = { ranges: [{ first: parseIpv4('10.7.0.3'), last: parseIpv4('10.7.0.5') }], hosts: [], options: [] };
  const small: Network = { ...blue, subnets: [{ cidr: FOUR, hostAddress: parseIpv4('10.7.0.1'), dhcp }] };
  await addresses.settle(() => [{ network: small, holders: [one, two, three] }]);
  const given = [one, two, three].flatMap((machine) => textOf(addresses, machine, small));
  expect(given).toEqual(['10.7.0.2/29', '10.7.0.6/29']);
  expect(addresses.health()).toMatchObject([{ code: 'MESH_NET_ADDRESSES_EXHAUSTED', object: 'blue' }]);
  await addresses.settle(() => [{ network: small, holders: [one, two] }]);
  expect(addresses.health()).toEqual([]);
});

test('another subnet brings other addresses, and given addresses are those of host0', async () => {
  const addresses = await HostAddresses.open(new MemoryStore());
  await addresses.settle(held(one));
  const moved: Network = { ...blue, subnets: [{ cidr: parseIpv4Cidr('10.8.0.0/24') }] };
  await addresses.settle(() => [{ network: moved, holders: [one] }]);
  expect(textOf(addresses, one, moved)).toEqual([expect.stringMatching(/^10\.8\.0\.\d+\/24$/)]);
  expect(textOf(addresses, one)).toEqual([]);

  const given: Network = { ...blue, hostAddress: { kind: 'given' } };
  expect(textOf(addresses, 'host0', given)).toEqual(['10.7.0.1/29']);
  expect(textOf(addresses, one, given)).toEqual([]);
});

test('no two of many nodes have one address, in any order of coming and going', async () => {
  const addresses = await HostAddresses.open(new MemoryStore());
  const wide: Network = { ...blue, subnets: [{ cidr: parseIpv4Cidr('10.7.0.0/26') }, { cidr: SIX }] };
  for (let round = 0; round < 20; round++) {
    const holders = Array.from({ length: 40 }, (_, n) => board(n)).filter((_, n) => (n * 7 + round) % 3 !== 0);
    await addresses.settle(() => [{ network: wide, holders }]);
    const all = holders.flatMap((machine) => textOf(addresses, machine, wide));
    expect(all).toHaveLength(2 * holders.length);
    expect(new Set(all).size).toBe(all.length);
  }
});
