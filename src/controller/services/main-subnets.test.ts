/** The network `main` gets blocks of the pools that say so, once, with their services. */
import { expect, test, vi } from 'vitest';
import { addressBook, addressPool } from '../../../test/kit/address-book.ts';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import { MeshError } from '../../model/error.ts';
import type { NetworkService } from '../../model/network/services/network-service.ts';
import { NetworkCatalogue } from '../catalogue/network-catalogue.ts';
import { AddressOrders } from '../ipam/address-orders.ts';
import { NetworkBlocks } from '../ipam/network-blocks.ts';
import { MainSubnets, type MainSubnetsInput } from './main-subnets.ts';

const NAT44 = { device: 'eth0', address: '198.51.100.10' as Ipv4, length: 24 };
const FOUR = { name: 'four', kind: 'ipv4-subnet', cidr: '10.20.0.0/22', length: 24, main: { nat44: NAT44 } };

async function host0() {
  const { book, clock, journal, store } = await addressBook({});
  const catalogue = await NetworkCatalogue.open({ store, clock, journal, blocks: new NetworkBlocks(book) });
  catalogue.setFiles([]);
  book.usedBy(() => catalogue.views().flatMap(({ network }) => network.subnets.map(({ cidr }) => cidr)));
  await catalogue.create({ name: 'main' });
  const addresses = new AddressOrders({ store, journal, book, catalogue, portsIn: () => [], hasWorkload: () => false });
  const set = vi.fn<MainSubnetsInput['services']['set']>(async (network, service) => {
    given.set(service.kind, service);
    return { network, service, state: 'ready', nodes: [] };
  });
  const given = new Map<string, NetworkService>();
  const serviceBook: MainSubnetsInput['serviceBook'] = {
    find: ({ number }, kind) => {
      const service = given.get(kind);
      return service && { format: 1, network: number, service };
    },
    isUnread: () => false,
  };
  const start = () => new MainSubnets({ clock, journal, catalogue, addresses, services: { set }, serviceBook });
  const subnets = () => catalogue.find('main').network.subnets.map(({ cidr }) => cidr);
  return { addresses, catalogue, clock, given, set, start, subnets };
}

test('main has a block of each pool that says so, and the services; a restart gives nothing again', async () => {
  const { addresses, given, set, start, subnets } = await host0();
  const first = start();
  await first.settled;
  expect(subnets()).toEqual([]);
  await addresses.createPool(addressPool({ main: {} }));
  await first.settled;
  await addresses.createPool(addressPool(FOUR));
  await first.settled;
  expect(subnets()).toEqual(['2001:db8::/64', '10.20.0.0/24']);
  expect([...given.values()]).toEqual([{ kind: 'ra' }, { kind: 'nat44', ...NAT44 }]);
  expect(addresses.list()).toMatchObject([
    { pool: 'four', network: 'main', state: 'allocated' },
    { pool: 'six', network: 'main' },
  ]);
  expect(await addresses.check()).toEqual([]);
  first.close();
  const second = start();
  await second.settled;
  expect(subnets()).toHaveLength(2);
  expect(set).toHaveBeenCalledTimes(2);
  second.close();
});

test('main keeps what it was given by hand, and a pool that says nothing gives it nothing', async () => {
  const { addresses, start, subnets } = await host0();
  await addresses.createPool(addressPool());
  const parts = start();
  await parts.settled;
  expect(subnets()).toEqual([]);
  parts.close();
  await addresses.createPool(addressPool({ ...FOUR, main: {} }));
  await addresses.allocate({ pool: 'four', value: '10.20.3.0/24', network: 'main' });
  const again = start();
  await again.settled;
  expect(subnets()).toEqual(['10.20.3.0/24']);
  again.close();
});

test('what cannot be given is a finding, and is tried again', async () => {
  const { addresses, clock, set, start, subnets } = await host0();
  set.mockRejectedValueOnce(new MeshError('MESH_ADDRESS_MAPPED', '198.51.100.10 is taken by web', { remedy: 'x' }));
  const parts = start();
  await addresses.createPool(addressPool(FOUR));
  await parts.settled;
  expect(subnets()).toEqual(['10.20.0.0/24']);
  expect(parts.health()).toMatchObject([{ code: 'MESH_ADDRESS_MAPPED', object: 'four' }]);
  await clock.pass(60_000);
  await parts.settled;
  expect(parts.health()).toEqual([]);
  parts.close();
});

test('single addresses are no subnet of main, and an IPv6 prefix has no NAT44', async () => {
  const { addresses } = await host0();
  const refused = { code: 'MESH_IPAM_POOL_INVALID' };
  const single = { kind: 'ipv4-address', cidr: '10.21.0.0/24', length: 32 };
  await expect(addresses.createPool(addressPool({ ...FOUR, ...single }))).rejects.toMatchObject(refused);
  await expect(addresses.createPool(addressPool({ main: { nat44: NAT44 } }))).rejects.toMatchObject(refused);
});
