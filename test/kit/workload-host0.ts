/** What host0 decides of workloads, over a store in memory, with three nodes that tests speak for. */
import { onTestFinished } from 'vitest';
import { NodeOrphans } from '../../src/controller/assignments/node-orphans.ts';
import { OrphanBook } from '../../src/controller/assignments/orphan-book.ts';
import { PortOrders } from '../../src/controller/assignments/port-orders.ts';
import { PortBook } from '../../src/controller/ports/port-book.ts';
import { MoveNotes } from '../../src/controller/workloads/move-notes.ts';
import { adoptWorkload } from '../../src/controller/workloads/workload-adoption.ts';
import { WorkloadBook } from '../../src/controller/workloads/workload-book.ts';
import { type DiskCopies, followMoves } from '../../src/controller/workloads/workload-moves.ts';
import { WorkloadOrders } from '../../src/controller/workloads/workload-orders.ts';
import { WorkloadReports } from '../../src/controller/workloads/workload-reports.ts';
import type { MachineId, MachineWord } from '../../src/model/machine.ts';
import type { Network } from '../../src/model/network/network.ts';
import type { WorkloadRun } from '../../src/protocol/documents/workload/assigned-workload.ts';
import type { Store } from '../../src/store/store.ts';
import { ManualClock } from './manual-clock.ts';
import { MemoryStore } from './memory-store.ts';
import { meshNumber } from './networks.ts';
import { capacity } from './workloads.ts';

/** Bytes. */
export const GIB = 1024 ** 3;
/** A network of workloads. */
export const blue: Network = { ...meshNumber(0), name: 'blue' };
const red: Network = { ...meshNumber(1), name: 'red' };
/** The nodes `node1`, `node2` and `node3`. */
export const [A, B, C] = ['a0000000', 'b0000000', 'c0000000'] as [MachineId, MachineId, MachineId];
const NAMES: Readonly<Record<string, string>> = { [A]: 'node1', [B]: 'node2', [C]: 'node3' };

const AT_ONCE: DiskCopies = { copy: () => Promise.resolve(), drop: () => Promise.resolve() };

/** @param store another process of host0 has the same */
export async function workloadHost0(store: Store = new MemoryStore()) {
  const clock = new ManualClock();
  const ports = await PortBook.open(store);
  const orphanBook = new OrphanBook();
  const book = await WorkloadBook.open(store, { ports, isFreePort: (id) => !orphanBook.hasPort(id) });
  const reports = new WorkloadReports(clock);
  const nodes = {
    nodeCalled: (wanted: string) => {
      const machine = [A, B, C].find((id) => id === wanted || NAMES[id] === wanted);
      return machine && { machine, name: NAMES[machine] ?? '' };
    },
    nameOf: (machine: MachineWord) => NAMES[machine] ?? machine,
  };
  /** A test may take one away. */
  const networks = [blue, red];
  const network = (wanted: string) => {
    const found = networks.find(({ name }) => name === wanted);
    if (found === undefined) throw Object.assign(new Error('unknown'), { code: 'MESH_NET_UNKNOWN' });
    return found;
  };
  const notes = new MoveNotes();
  let words = 0;
  const newWord = () => (++words).toString(16).padStart(16, '0');
  const common = { book, reports, notes, newWord, nodes, network, ports };
  const orders = new WorkloadOrders({ ...common, management: () => undefined });
  const node = (machine: MachineWord, freeGib: number, more = {}) => {
    reports.opened(machine);
    reports.reported(machine, { capacity: { ...capacity, availableBytes: freeGib * GIB, ...more } });
  };
  /** @param copies of disks; without it, all are there at once */
  const followed = (copies: DiskCopies = AT_ONCE) => {
    const journal = { failure: () => undefined };
    onTestFinished(followMoves({ ...common, clock, orders, copies, journal, epoch: () => store.epoch }));
  };
  const nameOf = (machine: MachineWord) => nodes.nameOf(machine);
  const assignments = {
    orphanBook,
    orphans: () => orphanBook.named(nameOf),
    release: () => Promise.resolve(),
    holdersOf: () => [A, B],
  };
  const places = { ...assignments, ...nodes, portState: () => undefined };
  const orphans = new NodeOrphans(
    assignments,
    { adopt: () => Promise.reject(new TypeError('no network is an orphan')), has: () => true },
    new PortOrders({ book: ports, assignments: places, network, management: () => undefined }),
    { adopt: (machine, workload) => adoptWorkload({ book, nodes }, machine, workload) },
  );
  /** A report of a node that has taken all that host0 has decided. */
  const told = (machine: MachineWord, ...runs: WorkloadRun[]) =>
    reports.reported(machine, { runs, capacity, assignment: { epoch: store.epoch, revision: book.revision } });
  return { networks, orphanBook, orphans, store, clock, ports, book, reports, orders, node, followed, told };
}
