/** Composes host0's store with what watches over it. */
import type { Host0Watch } from '../../controller/host0-metrics.ts';
import type { Host0Settings } from '../../formats/host0/host0-conf.ts';
import { host0Owner } from '../../machine/host0-owner.ts';
import type { Clock } from '../../model/clock.ts';
import type { MeshError } from '../../model/error.ts';
import type { HealthSource } from '../../protocol/documents/finding.ts';
import type { Paths } from '../../protocol/documents/paths.ts';
import type { LeadershipView } from '../../protocol/documents/views.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import { etcdPlace } from '../../store/etcd/etcd-credentials.ts';
import { EtcdStore } from '../../store/etcd/etcd-store.ts';
import { EtcdWatch } from '../../store/etcd/etcd-watch.ts';
import { openHost0Store } from '../../store/sqlite/host0-store.ts';
import { mustBeWhole, type StoreBackup, takeBackup } from '../../store/store-backup.ts';
import { StoreWatch } from '../../store/store-watch.ts';
import { TimedStore } from '../../store/timed-store.ts';
import { mustHaveEtcd, openStandby } from './host0-standby.ts';

/** host0's store for its other parts. */
export interface OpenStore {
  readonly store: TimedStore;
  /** What is not well with the store. */
  readonly parts: readonly HealthSource[];
  /** Why only a restart of the process helps; undefined if it runs well. */
  readonly stuck: () => string | undefined;
  /** Whether this host0 leads: always, where there is one only. */
  readonly leadership: () => LeadershipView;
  close(): Promise<void>;
}

/** What the store needs of host0. */
export interface StoreInput {
  readonly paths: Paths;
  /** The name of this machine. */
  readonly name: string;
  readonly settings: Pick<Host0Settings, 'store' | 'host0s'>;
  readonly clock: Clock;
  readonly journal: Journal;
  readonly committed: Host0Watch['committed'];
  /** Called when another host0 works with the store, or may do so in a moment: the process must serve nothing any more. */
  readonly onLost: (error: MeshError) => void;
}

/** Opens the store, and looks after it until it is closed. @throws MESH_STORE_*, MESH_DISK_REFUSED, MESH_KEY_REFUSED */
export async function openStore(input: StoreInput): Promise<OpenStore & { readonly copy: () => Promise<StoreBackup> }> {
  mustHaveEtcd(input.settings);
  const opened = await (input.settings.store.length === 0 ? openSqlite(input) : openEtcd(input));
  const { store } = opened;
  await mustBeWhole(store);
  return { ...opened, copy: () => takeBackup(store, input.clock.wallTime()) };
}

async function openSqlite({ paths, clock, committed }: StoreInput): Promise<OpenStore> {
  const opened = await openHost0Store(paths.state, clock);
  const store = new TimedStore(opened.store, () => clock.nowMs(), committed);
  const watch = new StoreWatch({ path: opened.path, store, clock });
  await watch.start();
  return {
    store,
    parts: [opened, watch],
    leadership: () => ({ state: 'leads' }),
    stuck: () => (opened.store.hasEnded ? 'the thread of the store has ended' : store.stuck),
    close: async () => {
      watch.close();
      await store.close();
    },
  };
}

async function openEtcd(input: StoreInput): Promise<OpenStore> {
  const { paths, settings, clock, committed, name, onLost } = input;
  const opened = await EtcdStore.open(await etcdPlace(settings.store, paths.etcdConf), { clock });
  const owner = host0Owner(paths.root);
  const standby = settings.host0s.length === 0 ? undefined : await openStandby({ ...input, store: opened });
  if (standby === undefined) await opened.lead({ owner, name, onLost });
  else await opened.lead({ owner, name, onLost, rivalry: standby.rivalry });
  await standby?.lead();
  const store = new TimedStore(opened, () => clock.nowMs(), committed);
  return {
    store,
    parts: [new EtcdWatch(opened, store), ...(standby?.parts ?? [])],
    leadership: standby?.leadership ?? (() => ({ state: 'leads' })),
    stuck: () => opened.replaced,
    close: () => {
      standby?.close();
      return store.close();
    },
  };
}
