/** The blocks of pools: their order, and the search for a free one. */
import { expect, test } from 'vitest';
import { randomFrom } from '../../../test/kit/random.ts';
import { AddressPoolShape } from '../../model/ipam/address-pool.ts';
import { PoolBlocks } from './pool-blocks.ts';

const pool = (kind: string, cidr: string, length: number) =>
  AddressPoolShape.read({ name: 'p', kind, cidr, length, restSec: 0, warnPercent: 80 });
const nothing = () => false;

test('blocks are counted from the first address of the pool', () => {
  const six = new PoolBlocks(pool('ipv6-prefix', '2001:db8::/32', 64));
  expect([six.count, six.at(0), six.at(0x10001)]).toEqual([2 ** 32, '2001:db8::/64', '2001:db8:1:1::/64']);
  expect(six.indexOf('2001:db8:1:1::/64')).toBe(0x10001);
  const four = new PoolBlocks(pool('ipv4-subnet', '10.20.0.0/16', 24));
  expect([four.count, four.at(255), four.indexOf('10.20.7.0/24')]).toEqual([256, '10.20.255.0/24', 7]);
  const single = new PoolBlocks(pool('ipv4-address', '203.0.113.0/29', 32));
  expect([single.count, single.at(7), single.indexOf('203.0.113.5')]).toEqual([8, '203.0.113.7', 5]);
});

test('a value that is no block is refused, each fault with its own code', () => {
  const six = new PoolBlocks(pool('ipv6-prefix', '2001:db8::/32', 64));
  const codeOf = (value: string) => {
    try {
      six.indexOf(value);
      return 'none';
    } catch (error) {
      return Reflect.get(Object(error), 'code');
    }
  };
  expect(codeOf('2001:db8:0:2::/63')).toBe('MESH_IPAM_LENGTH');
  expect(codeOf('2001:db9::/64')).toBe('MESH_IPAM_OUTSIDE');
  expect(codeOf('10.0.0.0/24')).toBe('MESH_IPAM_LENGTH');
  expect(codeOf('2001:0db8::/64')).toBe('MESH_ADDRESS_INVALID');
  expect(codeOf('2001:db8::1/64')).toBe('MESH_ADDRESS_INVALID');
  expect(codeOf('blue')).toBe('MESH_ADDRESS_INVALID');
});

test('a search over a vast reserved range ends at once', () => {
  const six = new PoolBlocks(pool('ipv6-prefix', '2001:d00::/24', 64));
  const barred = six.rangesIn(['2001:d00::/25', '2001:d80::/26']);
  expect(six.at(six.free(0, barred, nothing) ?? -1)).toBe('2001:dc0::/64');
  expect(six.free(5, six.rangesIn(['2001:d00::/24']), nothing)).toBeUndefined();
});

test('with random pools, the search finds the next free block as a look at each block does', () => {
  const seed = Number(process.env.MESH_SEED ?? Math.floor(Math.random() * 2 ** 32));
  console.info(`MESH_SEED=${seed}`);
  const random = randomFrom(seed);
  const below = (max: number) => Math.floor(random() * max);
  for (let run = 0; run < 200; run++) {
    const length = 26 + below(5);
    const blocks = new PoolBlocks(pool('ipv4-subnet', '10.0.1.0/25', length));
    const barred = blocks.rangesIn(
      Array.from({ length: below(4) }, () => `10.0.${below(3)}.${below(8) * 32}/${24 + below(4)}`),
    );
    const taken = new Set(Array.from({ length: below(blocks.count + 2) }, () => blocks.at(below(blocks.count))));
    const isFree = (index: number) =>
      !taken.has(blocks.at(index)) && !barred.some(({ first, last }) => first <= index && index <= last);
    const start = below(blocks.count * 2);
    const order = Array.from({ length: blocks.count }, (_, at) => (start + at) % blocks.count);
    expect(blocks.free(start, barred, (value) => taken.has(value))).toBe(order.find(isFree));
  }
});
