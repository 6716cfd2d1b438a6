/** A boot decides on each network once, however often the store fails. */
import { expect, onTestFinished, test } from 'vitest';
import { ManualClock } from '../../../../test/kit/manual-clock.ts';
import { MemoryStore } from '../../../../test/kit/memory-store.ts';
import { MeshError } from '../../../model/error.ts';
import { Journal } from '../../../protocol/journal/journal.ts';
import type { Change, Store } from '../../../store/store.ts';
import { NetworkCatalogue } from '../network-catalogue.ts';

/** A store that takes no changes of networks for a while. */
class SlowStore extends MemoryStore {
  refuses = false;

  override async txn(...[compare, then, otherwise]: Parameters<Store['txn']>) {
    const isNetwork = (change: Change) => 'put' in change && change.put.startsWith('/v1/networks/');
    if (this.refuses && then.some(isNetwork)) throw new MeshError('MESH_STORE_BROKEN', 'etcd does not answer');
    return await super.txn(compare, then, otherwise);
  }
}

async function opened(store: Store, ports: { node: string; interface: string }[] = []) {
  const clock = new ManualClock();
  const journal = new Journal(clock, 'host0', 'host0');
  const use = { ports: () => ports.slice(), nodes: () => [], unplug: async () => void ports.splice(0) };
  const catalogue = await NetworkCatalogue.open({ store, clock, journal, use });
  onTestFinished(() => catalogue.close());
  return catalogue;
}

const [ONE, TWO] = ['one', 'two'].map((boot) => ({ host0: 'a', boot })) as [BootWord, BootWord];
type BootWord = { readonly host0: string; readonly boot: string };

test('what the store kept from being started is tried again, and nothing else, also by the next host0', async () => {
  const store = new SlowStore();
  const first = await opened(store);
  await first.booted(ONE, 'host0');
  await first.create({ name: 'auto' });
  await first.setAutostart('auto', true);
  await first.stop('auto');
  await first.create({ name: 'never' });
  await first.setAutostart('never', false);
  await first.stop('never');
  store.refuses = true;
  const second = await opened(store);
  expect(await second.booted(TWO, 'host0')).toBe(false);
  expect(await second.booted(TWO, 'host0')).toBe(false);
  store.refuses = false;
  await second.start('never');
  const third = await opened(store);
  expect(await third.booted(TWO, 'host0')).toBe(true);
  expect([third.liveOf('auto'), third.liveOf('never')]).toEqual([expect.anything(), expect.anything()]);
  await third.stop('auto');
  expect(await third.booted(TWO, 'host0')).toBe(true);
  expect(third.liveOf('auto')).toBeUndefined();
});

test('a transient network goes with a boot, also one that has ports', async () => {
  const store = new MemoryStore();
  const ports = [{ node: 'host0', interface: 'tap0' }];
  const first = await opened(store, ports);
  await first.booted(ONE, 'host0');
  await first.createTransient({ name: 'passing' });
  expect(await first.booted(TWO, 'host0')).toBe(true);
  expect([first.views(), ports]).toEqual([[], []]);
});
