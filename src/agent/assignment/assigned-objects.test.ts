/** Nothing that host0 has given is removed by forgetting: named cases, and a random walk over documents of several stores. */
import { expect, test } from 'vitest';
import { meshNumber } from '../../../test/kit/networks.ts';
import { pick, randomFrom } from '../../../test/kit/random.ts';
import { assignedWeb as web } from '../../../test/kit/workloads.ts';
import { MeshError } from '../../model/error.ts';
import type { Network } from '../../model/network/network.ts';
import { attachmentDigest } from '../../protocol/documents/node-assignment.ts';
import { readNodeAssignment } from '../../protocol/shapes/node-assignment-shape.ts';
import { type AssignedObjects, NOTHING_ASSIGNED, orphansOf, withAssignment } from './assigned-objects.ts';

const NETWORKS = Array.from({ length: 6 }, (_, number) => meshNumber(number));
const [blue, red] = NETWORKS as [Network, Network];

interface Document {
  readonly epoch: string;
  readonly revision: number;
  readonly attachments: readonly unknown[];
  readonly ports: readonly unknown[];
  readonly released?: readonly unknown[];
  readonly workloads?: readonly unknown[];
}

const attachmentOf = (network: Network, reasons = ['port']) => ({
  network,
  reasons,
  peers: { kind: 'assigned', peers: [] },
  services: [],
});
const portOf = (number: number) => ({ id: String(number), network: blue.id, link: `tap${number}` });

function documentOf(version: string, networks: readonly Network[], ports: readonly number[] = []): Document {
  const [epoch = '', revision = ''] = version.split('.');
  const attachments = networks.map((network) => attachmentOf(network));
  return { epoch, revision: Number(revision), attachments, ports: ports.map(portOf) };
}

function take(before: AssignedObjects, document: Document): AssignedObjects {
  const whole = { format: 1, workloads: [], segments: [], nics: [], ...document };
  return withAssignment(before, readNodeAssignment(JSON.stringify(whole)));
}

const after = (...documents: readonly Document[]) => documents.reduce(take, NOTHING_ASSIGNED);
const names = ({ networks, ports }: AssignedObjects) => [...networks.keys(), ...ports.keys()].sort();

test('a complete assignment of the same epoch at a higher or the same revision removes what it does not name', () => {
  expect(names(after(documentOf('a.1', [blue, red], [1, 2]), documentOf('a.1', [blue], [1])))).toEqual([
    blue.id,
    'tap1',
  ]);
});

test('a workload goes with an assignment of its epoch that does not name it, and stays as an orphan under another epoch', () => {
  const running = { ...documentOf('a.1', []), workloads: [web] };
  const idsOf = ({ workloads }: AssignedObjects) => [...workloads.keys()];
  expect(idsOf(after(running))).toEqual([web.id]);
  expect(idsOf(after(running, documentOf('a.2', [])))).toEqual([]);
  const orphaned = after(running, documentOf('b.1', []));
  expect(orphansOf(orphaned)).toEqual([{ kind: 'workload', id: web.id, epoch: 'a', document: web }]);
  const released = [{ kind: 'workload', id: web.id, epoch: 'a' }];
  expect(idsOf(take(orphaned, { ...documentOf('b.2', []), released }))).toEqual([]);
  const unread = { ...documentOf('a.2', []), workloads: [{ id: web.id, kind: 'task' }] };
  expect(idsOf(after(running, unread))).toEqual([web.id]);
});

test('a lower revision of one epoch is refused, also after another epoch', () => {
  const objects = after(documentOf('a.5', [blue]), documentOf('b.1', []));
  for (const version of ['a.4', 'b.0']) {
    expect(() => take(objects, documentOf(version, []))).toThrow(
      expect.objectContaining({ code: 'MESH_ASSIGNMENT_STALE' }),
    );
  }
});

test('under another epoch what was assigned before stays, as an orphan with its document', () => {
  const objects = after(documentOf('a.5', [blue, red], [1]), documentOf('b.1', [red]));
  expect(names(objects)).toEqual([blue.id, red.id, 'tap1']);
  expect(orphansOf(objects)).toEqual([
    { kind: 'network', id: blue.id, epoch: 'a', document: attachmentOf(blue) },
    { kind: 'port', id: 'tap1', epoch: 'a', document: portOf(1) },
  ]);
});

test('an orphan goes when it is released, and ends when an assignment names it', () => {
  const objects = after(documentOf('a.5', [blue, red]), documentOf('b.1', []));
  const release = (id: string, epoch: string) => ({ released: [{ kind: 'network', id, epoch }] });
  const released = take(objects, { ...documentOf('b.2', []), ...release(blue.id, 'a') });
  expect(names(released)).toEqual([red.id]);
  expect(names(take(released, { ...documentOf('b.3', []), ...release(red.id, 'c') }))).toEqual([red.id]);
  const adopted = take(released, { ...documentOf('b.3', [red]), ...release(red.id, 'b') });
  expect(names(adopted)).toEqual([red.id]);
  expect(orphansOf(adopted)).toEqual([]);
});

test('an attachment that is named by its digest is the one that the node has; another digest is refused', () => {
  const objects = after(documentOf('a.1', [blue, red]));
  const digest = attachmentDigest(attachmentOf(blue));
  const named = take(objects, { ...documentOf('a.2', []), attachments: [{ network: blue.id, digest }] });
  expect(named.networks.get(blue.id)?.attachment).toBe(objects.networks.get(blue.id)?.attachment);
  expect(names(named)).toEqual([blue.id]);
  const other = { ...documentOf('a.3', []), attachments: [{ network: red.id, digest }] };
  expect(() => take(named, other)).toThrow(expect.objectContaining({ code: 'MESH_ASSIGNMENT_INCOMPLETE' }));
});

test('an object that cannot be read any more is one that the assignment names: it stays as it was', () => {
  const later = { ...attachmentOf(red), network: { id: blue.id, name: 'blue', type: { kind: 'geneve' } } };
  const objects = take(after(documentOf('a.1', [blue], [1])), {
    ...documentOf('a.2', []),
    attachments: [later],
    ports: [{ id: '1', network: blue.id, vhost: 'q' }],
  });
  expect(names(objects)).toEqual([blue.id, 'tap1']);
  expect(orphansOf(objects)).toEqual([]);
  expect(objects.unsupported).toHaveLength(2);
});

/** A store of host0 in the walk, with all documents that it has sent. */
interface WalkStore {
  readonly epoch: string;
  revision: number;
  wanted: Set<Network>;
  ports: Set<number>;
  readonly sent: Document[];
}

test('a random walk: changes, restored stores, repeated and overtaken documents, releases', () => {
  const seed = Math.floor(Math.random() * 2 ** 32);
  console.log(`seed ${seed}`);
  const random = randomFrom(seed);
  const counts = { taken: 0, refused: 0, restored: 0, gone: 0, released: 0, unread: 0 };
  for (let walk = 0; walk < 40; walk++) walkOnce();
  console.log(counts);
  for (const count of Object.values(counts)) expect(count, `seed ${seed}`).toBeGreaterThan(10);

  function walkOnce(): void {
    let epochs = 0;
    const newStore = (wanted: Iterable<Network>, ports: Iterable<number>, revision: number): WalkStore => ({
      epoch: (0xa0 + ++epochs).toString(16),
      revision,
      wanted: new Set(wanted),
      ports: new Set(ports),
      sent: [],
    });
    const stores: [WalkStore, ...WalkStore[]] = [newStore([], [], 1)];
    let objects = NOTHING_ASSIGNED;
    /** By object: the last version that named it. The walk keeps its own account of the rule. */
    const named = new Map<string, { epoch: string; revision: number }>();
    const highest = new Map<string, number>();
    for (let step = 0; step < 60; step++) {
      const store = random() < 0.9 ? (stores.at(-1) ?? stores[0]) : pick(random, stores);
      change(store);
      if (random() < 0.05 && stores.length < 8) {
        // A backup, perhaps an old one, is opened: it has another epoch and lacks what came later.
        const wanted = [...store.wanted].filter(() => random() < 0.6);
        stores.push(
          newStore(
            wanted,
            [...store.ports].filter(() => random() < 0.6),
            Math.max(1, store.revision - 3),
          ),
        );
        counts.restored++;
      }
      // One document in ten was overtaken by later ones, or comes a second time.
      const repeated = random() < 0.1 && store.sent.length > 0;
      const document = repeated ? pick(random, store.sent) : send(store);
      if (random() < 0.95) deliver(document);
    }

    function change(store: WalkStore): void {
      const network = pick(random, NETWORKS);
      if (!store.wanted.delete(network)) store.wanted.add(network);
      const port = Math.floor(random() * 5);
      if (!store.ports.delete(port)) store.ports.add(port);
      store.revision++;
    }

    function send({ epoch, revision, wanted, ports, sent }: WalkStore): Document {
      const attachments = [...wanted].map((network) => {
        const full = attachmentOf(network, random() < 0.5 ? ['port'] : ['pinned']);
        const held = objects.networks.get(network.id);
        const digest = attachmentDigest(full);
        if (held?.digest === digest) return { network: network.id, digest };
        if (random() > 0.05) return full;
        counts.unread++;
        return { ...full, network: { id: network.id, type: { kind: 'later' } } };
      });
      const orphan = orphansOf(objects).find(() => random() < 0.1);
      const released = orphan === undefined ? [] : [{ kind: orphan.kind, id: orphan.id, epoch: orphan.epoch }];
      const document = { epoch, revision, attachments, ports: [...ports].map(portOf), released };
      sent.push(document);
      return document;
    }

    function deliver(document: Document): void {
      const before = objects;
      try {
        objects = take(objects, document);
      } catch (error) {
        counts.refused++;
        const isStale = document.revision < (highest.get(document.epoch) ?? 0);
        const code = isStale ? 'MESH_ASSIGNMENT_STALE' : 'MESH_ASSIGNMENT_INCOMPLETE';
        expect(error instanceof MeshError ? error.code : error, `seed ${seed}`).toBe(code);
        return;
      }
      counts.taken++;
      const { epoch, revision } = document;
      expect(revision, `seed ${seed}`).toBeGreaterThanOrEqual(highest.get(epoch) ?? 0);
      highest.set(epoch, revision);
      const ids = namesIn(document);
      for (const id of names(before)) {
        if (ids.has(id)) continue;
        const last = named.get(id);
        const isForgotten = last?.epoch === epoch && last.revision <= revision;
        const isReleased = document.released?.some(
          (orphan) => Reflect.get(Object(orphan), 'id') === id && Reflect.get(Object(orphan), 'epoch') === last?.epoch,
        );
        const mayGo = isForgotten || (isReleased === true && last?.epoch !== epoch);
        expect(names(objects).includes(id), `${id}, seed ${seed}`).toBe(!mayGo);
        if (isForgotten) counts.gone++;
        else if (mayGo) counts.released++;
      }
      for (const id of ids) if (names(objects).includes(id)) named.set(id, { epoch, revision });
      for (const id of names(objects)) expect(named.has(id), `${id}, seed ${seed}`).toBe(true);
    }
  }
});

/** The identifiers that a document names, whether they can be read or not. */
function namesIn({ attachments, ports }: Document): ReadonlySet<string> {
  const idOf = (value: unknown): string => {
    const network: unknown = Reflect.get(Object(value), 'network');
    return String(typeof network === 'string' ? network : Reflect.get(Object(network), 'id'));
  };
  return new Set([...attachments.map(idOf), ...ports.map((port) => String(Reflect.get(Object(port), 'link')))]);
}
