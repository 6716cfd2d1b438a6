/** Composes host0's store with what watches over it. */
import type { Host0Watch } from '../../controller/host0-metrics.ts';
import type { Clock } from '../../model/clock.ts';
import type { HealthSource } from '../../protocol/documents/finding.ts';
import { openHost0Store } from '../../store/sqlite/host0-store.ts';
import { StoreWatch } from '../../store/store-watch.ts';
import { TimedStore } from '../../store/timed-store.ts';

/** host0's store for its other parts. */
export interface OpenStore {
  readonly store: TimedStore;
  /** What is not well with the store. */
  readonly parts: readonly HealthSource[];
  /** Why only a restart of the process helps; undefined if it runs well. */
  readonly stuck: () => string | undefined;
  close(): Promise<void>;
}

/** Opens the store, and looks after it until it is closed. @throws MESH_STORE_BROKEN, MESH_DISK_REFUSED */
export async function openStore(
  stateDirectory: string,
  clock: Clock,
  committed: Host0Watch['committed'],
): Promise<OpenStore> {
  const opened = await openHost0Store(stateDirectory, clock);
  const store = new TimedStore(opened.store, () => clock.nowMs(), committed);
  const watch = new StoreWatch({ path: opened.path, store, clock });
  await watch.start();
  return {
    store,
    parts: [opened, watch],
    stuck: () => (opened.store.hasEnded ? 'the thread of the store has ended' : store.stuck),
    close: async () => {
      watch.close();
      await store.close();
    },
  };
}
