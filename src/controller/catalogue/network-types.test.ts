/** Networks of all types are made, and a network with a part that has no effect is kept, and not started. */
import { expect, onTestFinished, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { MemoryStore } from '../../../test/kit/memory-store.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import { NetworkCatalogue } from './network-catalogue.ts';

async function opened(): Promise<NetworkCatalogue> {
  const clock = new ManualClock();
  const journal = new Journal(clock, 'host0', 'host0');
  const catalogue = await NetworkCatalogue.open({ store: new MemoryStore(), clock, journal });
  onTestFinished(() => catalogue.close());
  return catalogue;
}

test('a network on the bridge of another program has no bridge of its own, and becomes a VXLAN with one', async () => {
  const catalogue = await opened();
  const { network } = await catalogue.create({ name: 'lan', type: { kind: 'foreign-bridge', name: 'virbr0' } });
  expect(network.bridge).toBeUndefined();
  expect(network.type).toEqual({ kind: 'foreign-bridge', name: 'virbr0' });
  const moved = await catalogue.edit('lan', { type: { kind: 'foreign-bridge', name: 'virbr1' } });
  expect(moved.differences).toEqual(['type.name virbr0 → virbr1']);
  const vxlan = await catalogue.edit('lan', { type: 'vxlan' });
  expect(vxlan.network).toMatchObject({ bridge: { name: 'br1000' }, peers: { kind: 'assigned' } });
  await expect(catalogue.create({ name: 'other', type: { kind: 'foreign-bridge' } })).rejects.toThrow(/type\.name/);
});

test('VTEPs at ports of their own are taken from the order, for a VXLAN that does not learn', async () => {
  const catalogue = await opened();
  const peers = { kind: 'explicit', vteps: [{ address: '10.11.0.2' }, { address: '10.11.1.2', port: 8472 }] };
  await expect(catalogue.create({ name: 'far', peers })).rejects.toThrow(/peers/);
  const { network } = await catalogue.create({ name: 'far', peers, type: { learning: false } });
  expect(network.peers).toEqual(peers);
});

test('a network with a part that has no effect is refused when it starts, and its number is free again', async () => {
  const catalogue = await opened();
  const order = { name: 'blue', routing: { mode: 'nat' } };
  await expect(catalogue.create(order)).rejects.toMatchObject({ code: 'MESH_NET_NOT_SUPPORTED', object: 'blue' });
  const { network } = await catalogue.create({ name: 'blue' });
  expect(network.number).toBe(0x1000);
  await expect(catalogue.edit('blue', order)).rejects.toMatchObject({ code: 'MESH_NET_NOT_SUPPORTED' });
  // A stopped network may have the part.
  await catalogue.stop('blue');
  await catalogue.edit('blue', order);
  await expect(catalogue.start('blue')).rejects.toMatchObject({ code: 'MESH_NET_NOT_SUPPORTED' });
  await catalogue.edit('blue', { routing: { mode: 'isolated' } });
  expect((await catalogue.start('blue')).change).toBe('started');
});
