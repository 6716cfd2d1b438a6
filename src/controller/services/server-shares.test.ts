/** The shares of nodes that give addresses: no address is given by two nodes, and little changes hands. */
import { expect, test } from 'vitest';
import { pick, randomFrom } from '../../../test/kit/random.ts';
import { ipToBigint } from '../../model/address/ip-range.ts';
import { type Ipv4, type Ipv4Cidr, parseIpv4 } from '../../model/address/ipv4.ts';
import { parseIpv6 } from '../../model/address/ipv6.ts';
import type { MachineWord } from '../../model/machine.ts';
import {
  type AddressRange,
  blockCount,
  haveCommon,
  rangesOfBlocks,
  rangesSize,
} from '../../model/network/services/address-range.ts';
import { freeAddresses, nextShares, type ServerShare } from './server-shares.ts';

const MACHINES = ['a0000000', 'b0000000', 'c0000000', 'd0000000', 'e0000000'] as MachineWord[];
const [A, B, C] = MACHINES as [MachineWord, MachineWord, MachineWord];
const range = (first: string, last: string): AddressRange<Ipv4> => ({ first: parseIpv4(first), last: parseIpv4(last) });
const RANGES = [range('10.77.0.128', '10.77.0.254')];
const place = { subnet: '10.77.0.0/24' as Ipv4Cidr, ranges: RANGES, taken: new Set(['10.77.0.1']) };

function blocksOf(shares: readonly ServerShare[]): number[] {
  return shares.flatMap(({ blocks }) => blocks).toSorted((a, b) => a - b);
}

test('the first nodes get the lowest free addresses, and half of the range each in one piece', () => {
  const shares = nextShares([], { machines: [A, B], blocks: 16, place });
  expect(shares.map(({ address }) => address)).toEqual(['10.77.0.2', '10.77.0.3']);
  expect(shares.map(({ blocks }) => rangesOfBlocks(RANGES, blocks))).toEqual([
    [range('10.77.0.128', '10.77.0.190')],
    [range('10.77.0.191', '10.77.0.254')],
  ]);
  expect(nextShares(shares, { machines: [A, B], blocks: 16, place })).toBe(shares);
});

test('a node that comes takes some blocks, one that goes leaves them, and the others keep what they have', () => {
  const two = nextShares([], { machines: [A, B], blocks: 16, place });
  const three = nextShares(two, { machines: [A, B, C], blocks: 16, place });
  expect(three.map(({ address }) => address)).toEqual(['10.77.0.2', '10.77.0.3', '10.77.0.4']);
  expect(three.map(({ blocks }) => blocks.length)).toEqual([6, 5, 5]);
  for (const [index, { blocks }] of two.entries())
    expect(blocks).toEqual(expect.arrayContaining([...(three[index]?.blocks ?? [])]));
  const after = nextShares(three, { machines: [B, C], blocks: 16, place });
  expect(after.map(({ address }) => address)).toEqual(['10.77.0.3', '10.77.0.4']);
  for (const { machine, blocks } of after)
    expect(blocks).toEqual(expect.arrayContaining([...(three.find((one) => one.machine === machine)?.blocks ?? [])]));
});

test('an address that a range or a guest has now is given up for another one', () => {
  const before = nextShares([], { machines: [A, B], blocks: 16, place });
  const taken = new Set(['10.77.0.1', '10.77.0.2']);
  expect(nextShares(before, { machines: [A, B], blocks: 16, place: { ...place, taken } })[0]?.address).toBe(
    '10.77.0.4',
  );
  const ranges = [range('10.77.0.2', '10.77.0.200')];
  const moved = nextShares(before, { machines: [A, B], blocks: 16, place: { ...place, ranges } });
  expect(moved.map(({ address }) => address)).toEqual(['10.77.0.201', '10.77.0.202']);
  const full = { ...place, ranges: [range('10.77.0.2', '10.77.0.253')] };
  expect(freeAddresses(full, 3)).toBe(1);
  expect(nextShares([], { machines: [A, B], blocks: 16, place: full }).map(({ address }) => address)).toEqual([
    '10.77.0.254',
    undefined,
  ]);
});

test('nodes come and go for long: every block has one owner, and each node as many as any other, or one less', () => {
  const seed = Date.now() % 1_000_000;
  const random = randomFrom(seed);
  let shares: readonly ServerShare[] = [];
  for (let step = 0; step < 300; step++) {
    const machines = MACHINES.filter(() => random() < 0.6);
    const blocks = pick(random, [16, 16, 16, 7, 3]);
    shares = nextShares(shares, { machines, blocks, place });
    expect(
      shares.map(({ machine }) => machine),
      `seed ${seed}`,
    ).toEqual(machines);
    expect(blocksOf(shares), `seed ${seed}`).toEqual(
      machines.length === 0 ? [] : Array.from({ length: blocks }, (_, i) => i),
    );
    const sizes = shares.map((share) => share.blocks.length);
    expect(Math.max(0, ...sizes) - Math.min(...sizes, 16), `seed ${seed}`).toBeLessThanOrEqual(1);
    expect(new Set(shares.map(({ address }) => address)).size, `seed ${seed}`).toBe(machines.length);
  }
});

test('blocks of any ranges have all their addresses, each once', () => {
  const seed = Date.now() % 1_000_000;
  const random = randomFrom(seed);
  for (let round = 0; round < 100; round++) {
    let next = 10;
    const ranges = Array.from({ length: 1 + Math.floor(random() * 4) }, () => {
      const first = next + Math.floor(random() * 5);
      const last = first + Math.floor(random() * 30);
      next = last + 1;
      return range(`10.77.0.${first}`, `10.77.0.${last}`);
    });
    const parts = Array.from({ length: blockCount(ranges) }, (_, block) => rangesOfBlocks(ranges, [block])).flat();
    expect(rangesSize(parts), `seed ${seed}`).toBe(rangesSize(ranges));
    for (const [index, part] of parts.entries()) {
      expect(ipToBigint(part.first) <= ipToBigint(part.last), `seed ${seed}`).toBe(true);
      expect(
        parts.slice(0, index).some((other) => haveCommon(part, other)),
        `seed ${seed}`,
      ).toBe(false);
    }
  }
  const six = [{ first: parseIpv6('fd77::1:0'), last: parseIpv6('fd77::1:ffff') }];
  expect(rangesOfBlocks(six, [0, 1, 15])).toEqual([
    { first: 'fd77::1:0', last: 'fd77::1:1fff' },
    { first: 'fd77::1:f000', last: 'fd77::1:ffff' },
  ]);
});
