/**
 * A hundred programs that make a hundred networks each, all at once, against a bare loop that inserts the same documents into the
 * same store, on the same disk: how much the numbers, the names and the judgement of networks cost.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { AssignmentEpoch } from '../src/controller/assignments/assignment-epoch.ts';
import { Assignments } from '../src/controller/assignments/assignments.ts';
import { HOLDINGS } from '../src/controller/assignments/holding-record.ts';
import { NetworkCatalogue } from '../src/controller/catalogue/network-catalogue.ts';
import { WrittenNetworks } from '../src/controller/catalogue/written-networks.ts';
import { PortBook } from '../src/controller/ports/port-book.ts';
import type { Ipv4 } from '../src/model/address/ipv4.ts';
import { systemClock } from '../src/model/clock.ts';
import { type MachineId, parseMachineId } from '../src/model/machine.ts';
import { Signal } from '../src/model/signal.ts';
import { Journal } from '../src/protocol/journal/journal.ts';
import { EtcdStore } from '../src/store/etcd/etcd-store.ts';
import { SqliteStore } from '../src/store/sqlite/sqlite-store.ts';
import type { Change, Entry, Store } from '../src/store/store.ts';
import { EtcdCluster } from '../test/kit/etcd.ts';
import { compared, type Measurement } from './measurement.ts';
import { interleaved, type Run } from './run.ts';

const CREATORS = 100;
const NETWORKS_EACH = 100;
const NETWORKS = CREATORS * NETWORKS_EACH;
const PAIRS = 3;
/** Nodes with ports, and the networks of each. */
const NODES = 20;
const HELD = 10;
/** Of a creation, against one transaction of a bare loop. */
const RATE_AT_LEAST = 0.5;

/** Calls `body` with a new store, and removes the store afterwards. */
type WithStore = <T>(body: (store: Store) => Promise<T>) => Promise<T>;

/** The benchmark `creators`. */
export async function creators(run: Run): Promise<Measurement[]> {
  // Not in /tmp, which is memory on many machines.
  const directory = mkdtempSync(join('/var/tmp', 'mw-creators-'));
  try {
    let count = 0;
    const inSqlite: WithStore = async (body) => {
      const store = await SqliteStore.open(join(directory, `${++count}`, 'store.db'));
      return await body(store).finally(() => store.close());
    };
    const inEtcd: WithStore = async (body) => {
      const cluster = await EtcdCluster.single();
      const store = await EtcdStore.open(cluster.place, { clock: systemClock });
      try {
        return await body(store);
      } finally {
        await store.close();
        await cluster.close();
      }
    };
    return [await rates(run, 'sqlite', inSqlite), await rates(run, 'etcd', inEtcd)];
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function rates(run: Run, name: string, withStore: WithStore): Promise<Measurement> {
  const documents = await withStore(documentsOfOne);
  const pairs = await interleaved(
    run,
    PAIRS,
    `${NETWORKS} networks in ${name}`,
    () => withStore(async (store) => NETWORKS / (await created(store, NETWORKS_EACH))),
    () => withStore(async (store) => NETWORKS / (await inserted(store, documents))),
  );
  return compared(
    {
      name: `networks that ${CREATORS} creators make in a second (${name}), against bare inserts`,
      unit: 'networks',
      budget: { of: 'ratio', atLeast: RATE_AT_LEAST },
    },
    pairs,
  );
}

/** Makes the networks as host0 does. @returns the time in seconds */
export async function created(store: Store, each: number, by = CREATORS): Promise<number> {
  const clock = systemClock;
  await store.txn(
    [],
    Array.from({ length: NODES }, (_, node) => holdingOf(node)),
  );
  const journal = new Journal(clock, 'host0', 'host0');
  const catalogue = await NetworkCatalogue.open({ store, clock, journal });
  const written = new WrittenNetworks({ store, clock, journal, catalogue });
  const ports = await PortBook.open(store);
  const epoch = await AssignmentEpoch.open({ store, journal, leap: () => [] });
  const places = { placeOf: () => undefined, changes: new Signal<undefined>() };
  const roles = { of: () => [], changes: new Signal<MachineId>() };
  const parts = { store, clock, journal, places, roles, ports, epoch, host0AddressFor: () => '10.11.0.1' as Ipv4 };
  const assignments = new Assignments(parts);
  await assignments.start();
  catalogue.usedBy(assignments.use);
  catalogue.changes.subscribe((changed) => assignments.changeNetworks(changed, catalogue));
  catalogue.setFiles([]);
  assignments.setNetworks(catalogue.given);
  await written.start();
  const startMs = performance.now();
  const numbers = await Promise.all(
    Array.from({ length: by }, async (_, creator) => {
      const made: number[] = [];
      for (let i = 0; i < each; i++) made.push((await catalogue.create({ name: `c${creator}-${i}` })).network.number);
      return made;
    }),
  );
  const sec = (performance.now() - startMs) / 1_000;
  written.close();
  assignments.close();
  await catalogue.close();
  const distinct = new Set(numbers.flat());
  if (distinct.size !== by * each) throw new Error(`${by * each} networks have ${distinct.size} numbers`);
  return sec;
}

/** What a creation writes beside the cursor of the numbers: the network, and who has its number. */
export async function documentsOfOne(store: Store): Promise<readonly Entry[]> {
  await created(store, 1, 1);
  const ranges = await Promise.all(['/v1/networks/', '/v1/pools/numbers/'].map((prefix) => store.range(prefix)));
  return ranges.flatMap(({ entries }) => entries);
}

/** Inserts the same documents under other keys, a transaction a network. @returns the time in seconds */
export async function inserted(store: Store, documents: readonly Entry[], each = NETWORKS_EACH): Promise<number> {
  const startMs = performance.now();
  await Promise.all(
    Array.from({ length: CREATORS }, async (_, creator) => {
      for (let i = 0; i < each; i++) {
        const puts = documents.map(({ key, value }) => ({ put: `${key}-${creator}-${i}`, value }));
        const { succeeded } = await store.txn(
          puts.map(({ put: key }) => ({ key, modRevision: 0 })),
          puts,
        );
        if (!succeeded) throw new Error(`${creator}-${i} was there`);
      }
    }),
  );
  return (performance.now() - startMs) / 1_000;
}

/** A node with ports in ten of the networks. */
function holdingOf(node: number): Change {
  const machine = parseMachineId(`aa00${node.toString(16).padStart(4, '0')}`);
  const ports = Array.from({ length: HELD }, (_, i) => ({ link: `eth${i}`, network: `c${node}-${i}` }));
  const record = { machine, name: `node${node}`, ports, released: [] };
  return { put: `${HOLDINGS.prefix}${machine}`, value: HOLDINGS.print(record) };
}
