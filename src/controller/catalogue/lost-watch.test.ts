/** What the catalogue knows of changes that it could not watch. */
import { expect, onTestFinished, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { MemoryStore } from '../../../test/kit/memory-store.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import type { Store, WatchBatch } from '../../store/store.ts';
import { NetworkCatalogue } from './network-catalogue.ts';

/** A store whose watch of networks can be lost. */
class DeafStore extends MemoryStore {
  lose = (_: Error): void => {};

  override watch(...[prefix, from, onBatch, onError]: Parameters<Store['watch']>) {
    let isHeard = true;
    const watch = super.watch(prefix, from, (batch: WatchBatch) => isHeard && onBatch(batch), onError);
    if (prefix !== '/v1/networks/') return watch;
    this.lose = (error) => {
      isHeard = false;
      onError(error);
    };
    return watch;
  }
}

async function opened(store: Store, nodes: readonly string[] = []) {
  const clock = new ManualClock();
  const journal = new Journal(clock, 'host0', 'host0');
  const use = { ports: () => [], nodes: () => nodes, unplug: async () => undefined };
  const catalogue = await NetworkCatalogue.open({ store, clock, journal, use });
  onTestFinished(() => catalogue.close());
  const events: string[] = [];
  catalogue.lifecycle.subscribe(({ kind, network }) => events.push(`${kind} ${network.name}`));
  return { catalogue, clock, told: () => events.splice(0) };
}

test('what became of networks while the watch was lost is told once', async () => {
  const store = new DeafStore();
  const { catalogue, clock, told } = await opened(store);
  for (const name of ['stays', 'stops', 'changes']) await catalogue.create({ name });
  told();
  const stops = await store.get('/v1/networks/1001');
  const changes = await store.get('/v1/networks/1002');
  store.lose(new Error('the connection is broken'));
  const { activeId: _, ...stopped } = JSON.parse(stops?.value ?? '');
  const changed = JSON.parse(changes?.value ?? '');
  changed.network.mtuBytes = 1_300;
  for (const [key, value] of [
    ['/v1/networks/1001', stopped],
    ['/v1/networks/1002', changed],
  ] as const)
    await store.txn([], [{ put: key, value: JSON.stringify(value) }]);
  expect(told()).toEqual([]);
  await clock.pass(1_000);
  expect(told()).toEqual(['stopped stops', 'updated changes']);
  store.lose(new Error('the connection is broken again'));
  await clock.pass(1_000);
  expect(told()).toEqual([]);
});

test('a record that was deleted by hand keeps the form that nodes have until they have it no more', async () => {
  const store = new MemoryStore();
  const { catalogue, clock } = await opened(store, ['node1']);
  await catalogue.create({ name: 'blue' });
  await catalogue.define({ name: 'blue', mtuBytes: 1_300 });
  await store.txn([], [{ delete: '/v1/networks/1000' }]);
  await clock.pass(1_000);
  const record = JSON.parse((await store.get('/v1/networks/1000'))?.value ?? '{}');
  expect(record).toMatchObject({ deleting: true, network: { mtuBytes: 1_300 }, live: { mtuBytes: 1_450 } });
});
