/** How subnets are found in pools, and how the store keeps the allocations. `MESH_SEED=N` repeats a random run. */
import { expect, test } from 'vitest';
import { MemoryStore } from '../../../test/kit/memory-store.ts';
import { pick, randomFrom } from '../../../test/kit/random.ts';
import { errorText } from '../../formats/error-text.ts';
import {
  type Ipv4Cidr,
  ipv4FromNumber,
  ipv4Length,
  ipv4Overlap,
  ipv4Subnet,
  parseIpv4Cidr,
} from '../../model/address/ipv4.ts';
import { bestFit, poolExhausted } from './best-fit.ts';
import { host0AddressIn, type SubnetAllocation, SubnetBook, type SubnetRules } from './subnet-book.ts';

const subnets = (...texts: readonly string[]): Ipv4Cidr[] => texts.map(parseIpv4Cidr);
const POOLS = subnets('10.11.0.0/16', '192.168.0.0/23');

/** Allocates `count` subnets one after another. */
function allocated(
  pools: readonly Ipv4Cidr[],
  length: number,
  count: number,
  used: readonly Ipv4Cidr[] = [],
): string[] {
  const taken = [...used];
  for (let i = 0; i < count; i++) {
    const subnet = bestFit(pools, taken, length);
    if (subnet !== undefined) taken.push(subnet);
  }
  return taken.slice(used.length);
}

test('the smallest free block that fits is used, whatever the order of the pools', () => {
  expect(allocated(POOLS, 25, 5)).toEqual([
    '192.168.0.0/25',
    '192.168.0.128/25',
    '192.168.1.0/25',
    '192.168.1.128/25',
    '10.11.0.0/25',
  ]);
  expect(allocated(subnets('10.11.0.0/16'), 25, 3)).toEqual(['10.11.0.0/25', '10.11.0.128/25', '10.11.1.0/25']);
});

test('used subnets are left out, and the smallest gap beside them is filled first', () => {
  expect(allocated(subnets('10.0.0.0/22'), 26, 3, subnets('10.0.1.64/26'))).toEqual([
    '10.0.1.0/26',
    '10.0.1.128/26',
    '10.0.1.192/26',
  ]);
  // The used subnet is larger than the pool.
  expect(allocated(subnets('10.0.0.0/22'), 26, 1, subnets('10.0.0.0/8'))).toEqual([]);
  expect(allocated(subnets('10.0.0.0/26'), 25, 1)).toEqual([]);
  expect(allocated(subnets('255.255.255.0/24', '0.0.0.0/30'), 30, 2)).toEqual(['0.0.0.0/30', '255.255.255.0/30']);
});

test('with random pools: a subnet is in a pool and overlaps nothing, and when none is found, none is free', () => {
  const seed = Number(process.env.MESH_SEED ?? Math.floor(Math.random() * 2 ** 32));
  console.info(`MESH_SEED=${seed}`);
  const random = randomFrom(seed);
  const somewhere = (from: number, to: number) =>
    ipv4Subnet(
      ipv4FromNumber((0x0a000000 + Math.floor(random() * 0x400)) >>> 0),
      from + Math.floor(random() * (to - from + 1)),
    );
  const wrong: string[] = [];
  for (let run = 0; run < 100; run++) {
    const pools = Array.from({ length: 1 + Math.floor(random() * 3) }, () => somewhere(23, 26));
    const used = Array.from({ length: Math.floor(random() * 8) }, () => somewhere(20, 32));
    const length = pick(random, [24, 26, 28, 30]);
    const isFree = (subnet: Ipv4Cidr) =>
      !used.some((other) => ipv4Overlap(other, subnet)) &&
      pools.some((pool) => ipv4Overlap(pool, subnet) && ipv4Length(pool) <= length);
    for (;;) {
      const subnet = bestFit(pools, used, length);
      if (subnet === undefined) break;
      if (!isFree(subnet)) wrong.push(`${subnet} was not free in ${pools} with ${used}`);
      used.push(subnet);
    }
    // Every possible subnet is tried.
    for (let at = 0; at < 0x600; at += 2 ** (32 - length)) {
      const subnet = ipv4Subnet(ipv4FromNumber(0x0a000000 + at), length);
      if (isFree(subnet)) wrong.push(`${subnet} was left in ${pools} with ${used}`);
    }
  }
  expect(wrong).toEqual([]);
});

test('the error names the exhausted pools, and what to do', () => {
  expect(errorText(poolExhausted(['eth1', 'eth2'], POOLS, 25), { color: false })).toMatchInlineSnapshot(`
    "error: there is no free /25 for eth1, eth2 in 10.11.0.0/16 and 192.168.0.0/23 [MESH_BOOT_POOL_EXHAUSTED]
      while: allocate a subnet: eth1, eth2
      rule: A segment without a DHCP server and without an address of host0 gets a subnet of default_subnet_size from subnet_pool.
      remedy: Add a network to subnet_pool in host0.conf, raise default_subnet_size (30 is the smallest subnet), or give the NIC an address."
  `);
});

const RULES: SubnetRules = { pools: POOLS, defaultLength: 25, wishes: [] };

test('a segment keeps its subnet over restarts, by any of its NICs, until the settings change', async () => {
  const store = new MemoryStore();
  const book = await SubnetBook.open({ store, rules: RULES });
  expect(book.allocate(['eth1', 'eth3'], [])).toMatchObject({ subnet: '192.168.0.0/25', origin: 'dynamic' });
  expect(book.allocate(['eth2'], []).subnet).toBe('192.168.0.128/25');
  await book.saved();
  const again = await SubnetBook.open({ store, rules: RULES });
  expect(again.allocate(['eth3'], []).subnet).toBe('192.168.0.0/25');
  expect(host0AddressIn(again.allocate(['eth2'], []).subnet)).toBe('192.168.0.129');
  await again.saved();
  // Another size, a pool that is gone, and a wish each end the allocation.
  for (const rules of [
    { ...RULES, defaultLength: 26 },
    { ...RULES, pools: subnets('10.11.0.0/16') },
    { ...RULES, wishes: [{ port: 'eth1', subnet: parseIpv4Cidr('10.20.0.0/24') }] },
  ]) {
    expect((await SubnetBook.open({ store, rules })).of(['eth1'])).toBeUndefined();
  }
});

test('a wish is a subnet or a size; a subnet that overlaps is reported, and one from the pools is used', async () => {
  const wishes = [
    { port: 'eth1', subnet: parseIpv4Cidr('10.20.0.0/24') },
    { port: 'eth2', subnet: 28 },
    { port: 'eth3', subnet: parseIpv4Cidr('10.30.0.0/24') },
  ];
  const book = await SubnetBook.open({ store: new MemoryStore(), rules: { ...RULES, wishes } });
  const used = subnets('10.30.0.0/16');
  expect(book.allocate(['eth0', 'eth1'], used)).toMatchObject({ subnet: '10.20.0.0/24', origin: 'manual' });
  expect(book.allocate(['eth2'], used).subnet).toBe('192.168.0.0/28');
  expect(book.allocate(['eth3'], used)).toMatchObject({ subnet: '192.168.0.128/25', origin: 'dynamic' });
  expect(book.unmetWish(['eth3'])).toBe('10.30.0.0/24');
  expect(book.unmetWish(['eth1'])).toBeUndefined();
  await book.saved();
});

test('the allocations of a file of before are taken over once, and a release is not undone by it', async () => {
  const store = new MemoryStore();
  const known: SubnetAllocation = { subnet: parseIpv4Cidr('192.168.0.128/25'), origin: 'dynamic', ports: ['eth1'] };
  const former = async () => [known];
  const book = await SubnetBook.open({ store, rules: RULES, former });
  expect(book.allocate(['eth1'], [])).toEqual(known);
  await book.saved();
  book.release(['eth1']);
  expect(book.allocate(['eth2'], []).subnet).toBe('192.168.0.0/25');
  await book.saved();
  const again = await SubnetBook.open({ store, rules: RULES, former });
  expect(again.allocations).toMatchObject([{ ports: ['eth2'] }]);
});

test('a subnet that goes to another segment at once has one record, and a store that refuses costs no subnet', async () => {
  const store = new MemoryStore();
  const book = await SubnetBook.open({ store, rules: RULES });
  book.allocate(['eth1'], []);
  book.release(['eth1']);
  book.allocate(['eth2'], []);
  await book.saved();
  const { entries } = await store.range('/v1/pools/subnets/');
  expect(entries).toMatchObject([{ key: '/v1/pools/subnets/192.168.0.0/25', value: expect.stringContaining('eth2') }]);
  await store.close();
  expect(book.allocate(['eth3'], []).subnet).toBe('192.168.0.128/25');
  await expect(book.saved()).rejects.toMatchObject({ code: 'MESH_STORE_BROKEN' });
  expect(book.of(['eth3'])).toBeDefined();
});
