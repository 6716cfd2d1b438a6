/** Networks whose subnets are in use are refused when they start, with libvirt's words. */
import { expect, onTestFinished, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { MemoryStore } from '../../../test/kit/memory-store.ts';
import { libvirtErrorOf } from '../../libvirt/driver/driver-errors.ts';
import type { NetworkOrder } from '../../protocol/documents/catalogue.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import { NetworkCatalogue, type NetworkCatalogueInput } from './network-catalogue.ts';

async function opened(more: Partial<NetworkCatalogueInput> = {}): Promise<NetworkCatalogue> {
  const clock = new ManualClock();
  const journal = new Journal(clock, 'host0', 'host0');
  const catalogue = await NetworkCatalogue.open({ store: new MemoryStore(), clock, journal, ...more });
  onTestFinished(() => catalogue.close());
  return catalogue;
}

function order(name: string, cidr: string, address: string, more: NetworkOrder = {}): NetworkOrder {
  return {
    name,
    type: { kind: 'bridge' },
    hostAddress: { kind: 'given' },
    span: { kind: 'nodes', nodes: ['host0'] },
    subnets: [{ cidr, hostAddress: address }],
    ...more,
  };
}

const IN_USE = { code: 'MESH_NET_SUBNET_IN_USE' };

test('of two networks with addresses in common, the second one is not started', async () => {
  const catalogue = await opened();
  await catalogue.create(order('one', '10.7.0.0/24', '10.7.0.1'), {});
  await expect(catalogue.create(order('two', '10.7.0.0/25', '10.7.0.2'), {})).rejects.toMatchObject(IN_USE);
  await expect(catalogue.create(order('six', 'fd07::/64', 'fd07::1'), {})).resolves.toBeDefined();
  await expect(catalogue.createTransient(order('two', '10.0.0.0/8', '10.0.0.1'), {})).rejects.toMatchObject(IN_USE);
  await catalogue.define(order('two', '10.7.0.0/24', '10.7.0.2'), { source: 'libvirt' });
  const refused = await catalogue.start('two', {}).catch((thrown: unknown) => thrown);
  const bridge = catalogue.liveOf('one')?.bridge?.name;
  expect(refused).toMatchObject(IN_USE);
  const { code, domain, message } = libvirtErrorOf(refused);
  expect([code, domain, message]).toEqual([1, 0, `internal error: Network is already in use by interface ${bridge}`]);
  // A change of a network that runs is a start, too.
  await catalogue.create(order('three', '10.9.0.0/24', '10.9.0.1'), {});
  const subnets = [{ cidr: '10.7.0.0/16', hostAddress: '10.7.9.1' }];
  await expect(catalogue.edit('three', { subnets }, {})).rejects.toMatchObject(IN_USE);
  await catalogue.stop('one', {});
  await expect(catalogue.start('two', {})).resolves.toMatchObject({ change: 'started' });
  await expect(catalogue.start('one', {})).rejects.toMatchObject(IN_USE);
});

test('two that are made at once are told apart, and networks that meet on no node are not compared', async () => {
  const catalogue = await opened();
  const made = await Promise.allSettled([
    catalogue.create(order('one', '10.7.0.0/24', '10.7.0.1'), {}),
    catalogue.create(order('two', '10.7.0.0/24', '10.7.0.1'), {}),
  ]);
  expect(made.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
  for (const name of ['seven', 'eight']) await catalogue.define(order(name, '10.8.0.0/24', '10.8.0.1'));
  const started = await Promise.allSettled([catalogue.start('seven'), catalogue.start('eight')]);
  expect(started.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
  await catalogue.stop('seven');
  await expect(catalogue.start('eight')).resolves.toMatchObject({ change: 'started' });
  const apart = { hostAddress: { kind: 'none' }, span: { kind: 'everywhere' }, subnets: [{ cidr: '10.7.0.0/24' }] };
  await expect(catalogue.create(order('three', '', '', apart), {})).resolves.toBeDefined();
  const elsewhere = { type: { kind: 'vxlan' }, hostAddress: { kind: 'per-node' } };
  const onNode1 = { ...elsewhere, span: { kind: 'nodes', nodes: ['node1'] } };
  await expect(catalogue.create(order('four', '10.7.0.0/24', '10.7.0.9', onNode1), {})).resolves.toBeDefined();
  const everywhere = { ...elsewhere, span: { kind: 'everywhere' } };
  await expect(catalogue.create(order('five', '10.7.0.0/24', '10.7.0.9', everywhere), {})).rejects.toMatchObject(
    IN_USE,
  );
});

test('a link of the machine with an address in the subnet keeps a network from being started', async () => {
  const catalogue = await opened({ deviceIn: (cidr) => (cidr === '10.7.0.0/24' ? 'eth0' : undefined) });
  await expect(catalogue.create(order('one', '10.7.0.0/24', '10.7.0.1'), {})).rejects.toMatchObject({
    ...IN_USE,
    libvirt: { code: 1, message: 'Network is already in use by interface eth0' },
  });
  await expect(catalogue.create(order('two', '10.8.0.0/24', '10.8.0.1'), {})).resolves.toBeDefined();
});
