/** Where workloads are: moves, nodes that are away, and stores that have lost a workload. */
import { expect, test, vi } from 'vitest';
import { PATIENCE } from '../../../test/kit/patience.ts';
import { A, B, GIB, workloadHost0 as host0 } from '../../../test/kit/workload-host0.ts';
import { capacity, runOf, workloadNamed } from '../../../test/kit/workloads.ts';
import { workloadIdOf } from '../../model/workload/workload.ts';
import type { WorkloadRun } from '../../protocol/documents/workload/assigned-workload.ts';
import type { Store } from '../../store/store.ts';
import { assignedPort } from '../ports/port-record.ts';
import type { DiskCopies } from './workload-moves.ts';

const web = workloadNamed('web', { memoryBytes: GIB });

test('a workload that moves stops first, and then is on its new node with its ports', async () => {
  const { orders, node, reports, ports, book, followed, told } = await host0();
  node(A, 8);
  node(B, 4);
  await orders.start('web', { workload: web });
  const id = workloadIdOf(web.uuid);
  reports.reported(A, { runs: [runOf(id, { generation: 1 })], capacity });
  followed({ copy: () => Promise.reject(new Error('force copies nothing')), drop: () => Promise.resolve() });
  await orders.move('web', { node: 'node2', force: true });
  expect(orders.show('web')).toMatchObject({ state: 'moving', node: 'node1', movesTo: 'node2' });
  expect(book.on(A)).toMatchObject([{ wanted: 'stopped' }]);
  expect(book.on(B)).toEqual([]);
  await expect(orders.start('web')).rejects.toMatchObject({ code: 'MESH_WORKLOAD_RUNS' });
  told(A, runOf(id, { generation: 1, state: 'stopped' }));
  await vi.waitFor(() => expect(book.on(A)).toEqual([]), PATIENCE);
  expect(book.on(B)).toMatchObject([{ generation: 2, wanted: 'running' }]);
  expect(ports.all).toMatchObject([{ id: '1', machine: B }]);
});

/** Copies that a test ends, and what was asked of them. */
class HeldCopies implements DiskCopies {
  readonly asked: Parameters<DiskCopies['copy']>[] = [];
  readonly dropped: Parameters<DiskCopies['drop']>[] = [];
  readonly #ends: PromiseWithResolvers<void>[] = [];

  copy(...asked: Parameters<DiskCopies['copy']>): Promise<void> {
    this.asked.push(asked);
    const end = Promise.withResolvers<void>();
    this.#ends.push(end);
    const [, , { signal }] = asked;
    signal.addEventListener('abort', () => end.reject(signal.reason));
    return end.promise;
  }

  drop(...dropped: Parameters<DiskCopies['drop']>): Promise<void> {
    this.dropped.push(dropped);
    return Promise.resolve();
  }

  /** Ends the last copy. */
  end(error?: Error): void {
    const last = this.#ends.at(-1);
    if (error === undefined) last?.resolve();
    else last?.reject(error);
  }
}

const WORD = '0000000000000001';
const stoppedWeb = runOf(workloadIdOf(web.uuid), { generation: 1, state: 'stopped' });

/** web runs on node1, is ordered to node2, and has stopped. */
async function copying(copies: DiskCopies, store?: Store) {
  const host = await host0(store);
  host.node(A, 8);
  host.node(B, 4);
  host.followed(copies);
  if (store !== undefined) return host;
  await host.orders.start('web', { workload: web });
  const { steps } = await host.orders.move('web', { node: 'node2' });
  expect(steps.slice(0, 2)).toEqual(['tell node1 to stop web', 'copy the disks of web to node2']);
  host.told(A, runOf(workloadIdOf(web.uuid), { generation: 1, state: 'stopping' }));
  return host;
}

test('the disks of a workload that has stopped are copied, and only then is it on its new node', async () => {
  const copies = new HeldCopies();
  const { orders, book, told } = await copying(copies);
  expect(copies.asked).toEqual([]);
  told(A, stoppedWeb);
  const [asked] = copies.asked;
  expect(asked?.slice(0, 2)).toEqual([
    { workload: workloadIdOf(web.uuid), word: WORD },
    { from: A, to: B },
  ]);
  let views = 0;
  orders.subscribe(() => views++);
  asked?.[2].onProgress(40);
  expect(orders.show('web')).toMatchObject({ state: 'moving', why: 'its disks are copied: 40 %' });
  expect(views).toBe(1);
  told(A, stoppedWeb);
  expect([copies.asked.length, book.on(A), book.on(B)]).toMatchObject([1, [{ wanted: 'stopped' }], []]);
  copies.end();
  await vi.waitFor(
    () => expect(book.on(B)).toMatchObject([{ generation: 2, wanted: 'running', arrived: WORD }]),
    PATIENCE,
  );
  expect([book.on(A), copies.dropped]).toEqual([[], []]);
  // The next order has a word of its own, and one without a copy has none.
  await orders.move('web', { node: 'node1', force: true });
  told(B, { ...stoppedWeb, generation: 2 });
  await vi.waitFor(() => expect(book.on(A)).toHaveLength(1), PATIENCE);
  expect(book.on(A)[0]).not.toHaveProperty('arrived');
});

test('a copy that fails says why and is tried again; one that is given up leaves nothing, and the guest stays', async () => {
  const copies = new HeldCopies();
  const { orders, book, clock, told } = await copying(copies);
  told(A, stoppedWeb);
  copies.end(new Error('the disk of node2 is full'));
  await vi.waitFor(() => expect(orders.show('web').why).toContain('the disk of node2 is full'), PATIENCE);
  await clock.pass(10_000);
  expect(copies.asked.map(([{ word }]) => word)).toEqual([WORD, WORD]);
  await orders.move('web', { node: 'node1' });
  expect(copies.asked[1]?.[2].signal.aborted).toBe(true);
  expect(copies.dropped).toEqual([[{ workload: workloadIdOf(web.uuid), word: WORD }, B]]);
  // The copy of before may have been whole in this moment.
  copies.end();
  await clock.pass(60_000);
  expect([book.on(A), book.on(B)]).toMatchObject([[{ generation: 1, wanted: 'running' }], []]);
  expect(book.on(A)[0]).not.toHaveProperty('arrived');
});

test('a workload that is stopped already is told to its node anew: only then does the node tell of a later assignment', async () => {
  const { orders, book, node } = await host0();
  node(A, 8);
  node(B, 4);
  await orders.start('web', { workload: web });
  await orders.stop('web');
  const [before] = book.on(A);
  await orders.move('web', { node: 'node2' });
  expect(book.on(A)).toEqual([{ ...before, leaving: true }]);
  await orders.move('web', { node: 'node1' });
  expect(book.on(A)).toEqual([before]);
});

test('another host0 goes on with a copy', async () => {
  const { store, told } = await copying(new HeldCopies());
  told(A, stoppedWeb);
  const copies = new HeldCopies();
  const second = await copying(copies, store);
  second.told(A, stoppedWeb);
  expect(copies.asked.map(([{ word }]) => word)).toEqual([WORD]);
  copies.end();
  await vi.waitFor(() => expect(second.book.on(B)).toMatchObject([{ arrived: WORD }]), PATIENCE);
});

test('a disk of the administrator is not copied: the move is refused', async () => {
  const { orders, node } = await host0();
  node(A, 8);
  node(B, 4);
  const volumes = [{ id: 'data', type: 'qcow2' as const, path: '/srv/data.qcow2' }];
  await orders.start('web', { workload: { ...web, volumes } });
  await expect(orders.move('web', { node: 'node2' })).rejects.toMatchObject({
    code: 'MESH_NOT_SUPPORTED',
    message: expect.stringContaining('/srv/data.qcow2'),
  });
});

test('a guest that failed, ended or was stopped before the move was ordered may start again: it does not move yet', async () => {
  const { orders, node, reports, book, clock, store, followed, told } = await host0();
  node(A, 8);
  node(B, 4);
  followed();
  await orders.start('web', { workload: web });
  const { revision } = book;
  const run = (state: WorkloadRun['state']) => runOf(workloadIdOf(web.uuid), { generation: 1, state });
  await orders.move('web', { node: 'node2', force: true });
  const stopped = { runs: [run('stopped')], capacity };
  reports.reported(A, stopped);
  reports.reported(A, { ...stopped, assignment: { epoch: store.epoch, revision } });
  reports.reported(A, { ...stopped, assignment: { epoch: 'older', revision: revision + 100 } });
  for (const state of ['failed', 'ended'] as const) told(A, run(state));
  await clock.pass(60_000);
  expect([book.on(A).length, book.on(B).length]).toEqual([1, 0]);
  told(A, run('stopped'));
  await vi.waitFor(() => expect(book.on(B)).toHaveLength(1), PATIENCE);
});

test('a workload that still runs on another node is not started, and that node is named', async () => {
  const { orders, node, ports, told, reports } = await host0();
  node(A, 8);
  node(B, 4);
  told(B, runOf(workloadIdOf(web.uuid)));
  await orders.put(web);
  const refusal = { code: 'MESH_WORKLOAD_DOUBLE', message: 'web still runs on node2' };
  await expect(orders.start('web', { node: 'node1' })).rejects.toMatchObject({
    ...refusal,
    remedy: expect.stringContaining('-n node2'),
  });
  expect(ports.all).toEqual([]);
  reports.closed(B);
  expect((await orders.start('web', { node: 'node1' })).workload).toMatchObject({ node: 'node1' });
  reports.opened(B);
  await expect(orders.restart('web')).rejects.toMatchObject(refusal);
  told(B);
  await orders.restart('web');
});

test('a workload that the store has lost is adopted with its ports, and nobody else gets the id of one of them', async () => {
  const first = await host0();
  first.node(A, 8);
  await first.orders.start('web', { workload: web });
  const [assigned] = first.book.on(A);
  const ports = first.ports.all.map(assignedPort);
  const { orders, node, orphanBook, orphans, book, ports: known } = await host0();
  node(A, 8);
  node(B, 4);
  const id = workloadIdOf(web.uuid);
  const lost = [
    { kind: 'workload', id, epoch: 'old', document: assigned } as const,
    ...ports.map((document) => ({ kind: 'port', id: document.link, epoch: 'old', document }) as const),
  ];
  orphanBook.take(A, lost, 'new');
  const lan = web.networks.map((card) => ({ ...card, addresses: [] }));
  await orders.start('next', { workload: workloadNamed('next', { networks: lan }), node: 'node2' });
  expect(known.all.map((port) => port.id)).toEqual(['2']);
  await orphans.adopt(A, { kind: 'workload', id, epoch: 'old' });
  expect(book.on(A)).toEqual([assigned]);
  expect(known.on(A).map(assignedPort)).toEqual(ports);
  const again = orphans.adopt(A, { kind: 'workload', id, epoch: 'old' });
  await expect(again).rejects.toMatchObject({ code: 'MESH_WORKLOAD_TWICE' });
});

test('a move that cannot be ended says why, is tried again after a pause, and is given up by a move back', async () => {
  const { orders, node, book, clock, store, followed, told } = await host0();
  node(A, 8);
  node(B, 4);
  followed();
  await orders.start('web', { workload: web });
  await orders.move('web', { node: 'node2', force: true });
  const txn = vi.spyOn(store, 'txn').mockRejectedValue(new Error('the disk is full'));
  const stopped = runOf(workloadIdOf(web.uuid), { generation: 1, state: 'stopped' });
  for (let report = 0; report < 5; report += 1) told(A, stopped);
  await clock.pass(1_000);
  for (let report = 0; report < 5; report += 1) told(A, stopped);
  await clock.pass(1_000);
  expect(txn).toHaveBeenCalledTimes(1);
  expect(orders.show('web')).toMatchObject({ state: 'moving', why: expect.stringContaining('the disk is full') });
  txn.mockRestore();
  expect((await orders.move('web', { node: 'node1' })).steps).toEqual([
    'give up the move of web to node2',
    'tell node1 to start web',
  ]);
  expect(book.on(A)).toMatchObject([{ generation: 1, wanted: 'running' }]);
  await clock.pass(60_000);
  expect(book.on(B)).toEqual([]);
  await orders.move('web', { node: 'node2', force: true });
  expect(orders.show('web')).not.toHaveProperty('why');
  told(A, stopped);
  await vi.waitFor(() => expect(book.on(B)).toHaveLength(1), PATIENCE);
});

test('a node that is lost keeps its workload; force starts it elsewhere, and the old node is named when it comes back', async () => {
  const { orders, node, reports, clock, book } = await host0();
  node(A, 8);
  node(B, 4);
  await orders.start('web', { workload: web });
  const run = runOf(workloadIdOf(web.uuid), { generation: 1 });
  reports.reported(A, { runs: [run], capacity });
  reports.closed(A);
  await clock.pass(60_000);
  expect(orders.show('web')).toMatchObject({ state: 'lost', ageSec: 60 });
  await expect(orders.move('web', { node: 'node2' })).rejects.toMatchObject({ code: 'MESH_NODE_OFFLINE' });
  await orders.move('web', { node: 'node2', force: true });
  expect(book.on(A)).toEqual([]);
  reports.opened(A);
  reports.reported(A, { runs: [run], capacity });
  expect(orders.show('web')).toMatchObject({ node: 'node2', alsoOn: ['node1'] });
});
