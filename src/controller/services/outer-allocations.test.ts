/** Addresses outside in the address book: taken with the map, rested when they are taken back, and taken up for older documents. */
import { expect, test } from 'vitest';
import { addressBook, addressPool } from '../../../test/kit/address-book.ts';
import { storeNetwork } from '../../../test/kit/networks.ts';
import type { Ipv4, Ipv4Cidr } from '../../model/address/ipv4.ts';
import type { Ipv6, Ipv6Cidr } from '../../model/address/ipv6.ts';
import { parseMac } from '../../model/address/mac.ts';
import type { Network } from '../../model/network/network.ts';
import type { Nat64Service } from '../../model/network/services/nat64.ts';
import { KeyedMutex } from '../membership/keyed-mutex.ts';
import type { PlacedPort } from '../ports/port-record.ts';
import { AddressMaps } from './address-maps.ts';
import { OuterAllocations } from './outer-allocations.ts';
import { ServiceBook } from './service-book.ts';

const POOL = { name: 'outside', kind: 'ipv4-address', cidr: '203.0.113.0/28', length: 32 };
const NAT64: Nat64Service = {
  ...{ kind: 'nat64', device: 'eth1', address: '203.0.113.1' as Ipv4, length: 24, maps: [] },
  ...{ prefix: 'fd64:64::/96' as Ipv6Cidr, block: '203.0.113.8/29' as Ipv4Cidr },
};
const BLUE: Network = { ...storeNetwork('blue', 0x1001), subnets: [{ cidr: 'fd00:b1::/64' as Ipv6Cidr }] };
const VMS = ['web', 'db', 'mail'];

async function host0() {
  const { book, clock, journal, store } = await addressBook({});
  const networks = () => [BLUE];
  const services = await ServiceBook.open({ store, clock, journal, networks });
  const turns = new KeyedMutex<'maps'>();
  const outer = new OuterAllocations({ book, services, journal, turns });
  const ports = VMS.map((vm, index): PlacedPort => {
    const mac = parseMac(`02:00:00:00:00:0${index + 1}`);
    return { ...{ id: vm, network: BLUE.id, mac } } as PlacedPort;
  });
  const maps = new AddressMaps({ services, networks, turns, outer, ports: { all: ports }, portsOf: (vm) => [vm] });
  const settled = async () => {
    await outer.settled;
    return book.list().map(({ value, holder, state }) => `${value} ${holder.kind} ${holder.id} ${state}`);
  };
  const put = (more: Partial<Nat64Service> = {}) =>
    services.put({ format: 1, network: BLUE.number, service: { ...NAT64, ...more } });
  return { book, clock, maps, outer, put, services, settled };
}

test('a map takes its address from the pool, and the address rests when it is taken back', async () => {
  const { book, clock, maps, outer, put, settled } = await host0();
  await book.createPool(addressPool(POOL));
  await put();
  expect(await settled()).toEqual(['203.0.113.1 operator router-1001 allocated']);
  await book.allocate({ pool: 'outside', value: '203.0.113.8', holder: { kind: 'operator', id: 'printer' } });
  expect(await maps.map('web', undefined)).toMatchObject({ ipv4: '203.0.113.9' });
  expect(await settled()).toContain('203.0.113.9 workload web allocated');
  await expect(maps.map('db', '203.0.113.8' as Ipv4)).rejects.toMatchObject({ code: 'MESH_IPAM_TAKEN' });
  await maps.unmap('web');
  expect(await settled()).toContain('203.0.113.9 workload web resting');
  // It rests for others, and not for the machine that had it.
  expect(await maps.map('db', undefined)).toMatchObject({ ipv4: '203.0.113.10' });
  await expect(maps.map('mail', '203.0.113.9' as Ipv4)).rejects.toMatchObject({ code: 'MESH_IPAM_TAKEN' });
  expect(await maps.map('web', undefined)).toMatchObject({ ipv4: '203.0.113.9' });
  expect(await settled()).toContain('203.0.113.9 workload web allocated');
  await maps.unmap('web');
  await settled();
  await clock.pass(7_300_000);
  await book.look();
  expect(await maps.map('mail', '203.0.113.9' as Ipv4)).toMatchObject({ vm: 'mail' });
  expect(outer.health()).toEqual([]);
});

test('an older document is taken up by a newer pool, and what another holds is a finding', async () => {
  const { book, outer, put, services, settled } = await host0();
  const map = (vm: string, ipv4: string) => ({ vm, ipv4: ipv4 as Ipv4, ipv6: 'fd00:b1::1' as Ipv6 });
  await put({ maps: [map('web', '203.0.113.9'), map('db', '203.0.113.10')] });
  expect(await settled()).toEqual([]);
  await book.createPool(addressPool(POOL));
  expect(await settled()).toEqual([
    '203.0.113.1 operator router-1001 allocated',
    '203.0.113.9 workload web allocated',
    '203.0.113.10 workload db allocated',
  ]);
  await book.allocate({ pool: 'outside', value: '203.0.113.11', holder: { kind: 'operator', id: 'printer' } });
  await put({ maps: [map('mail', '203.0.113.11')] });
  expect(await settled()).toEqual([
    '203.0.113.1 operator router-1001 allocated',
    '203.0.113.9 workload web resting',
    '203.0.113.10 workload db resting',
    '203.0.113.11 operator printer allocated',
  ]);
  expect(outer.health()).toMatchObject([{ code: 'MESH_IPAM_DRIFT', object: '203.0.113.11' }]);
  const [record] = services.records;
  if (record !== undefined) await services.forget(record);
  expect((await settled())[0]).toBe('203.0.113.1 operator router-1001 resting');
});
