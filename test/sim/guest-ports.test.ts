/**
 * Ports of guests on many nodes, with real halves of host0 and of the nodes, real plans on simulated kernels, and faults from a seed: no
 * id, Ethernet address or tap is given twice or lost.
 */
import { expect, test } from 'vitest';
import type { Operation } from '../../src/agent/items/item-kind.ts';
import { planView } from '../../src/agent/view/agent-view.ts';
import { assignmentText } from '../../src/api/channel/assignment-text.ts';
import { NodeOrphans } from '../../src/controller/assignments/node-orphans.ts';
import type { Link } from '../../src/kernel/rtnl/objects.ts';
import { MeshError } from '../../src/model/error.ts';
import type { Network } from '../../src/model/network/network.ts';
import type { NetworkId } from '../../src/model/network/number.ts';
import { NODE_ASSIGNMENT_FORMAT } from '../../src/protocol/documents/node-assignment.ts';
import { Journal } from '../../src/protocol/journal/journal.ts';
import { LONG } from '../kit/long.ts';
import { MemoryStore } from '../kit/memory-store.ts';
import { pick, randomFrom } from '../kit/random.ts';
import { idIn } from './assigned-node.ts';
import { type AssigningHost0, assigningHost0, restoredStore, type StoreContent } from './assigning-host0.ts';
import { PortNode } from './port-node.ts';
import { SimClock } from './sim-clock.ts';
import type { SimKernel } from './sim-kernel.ts';
import { Timeline } from './timeline.ts';

/** `npm test` runs a small cluster. MESH_SEED is the seed. */
const SIZE = LONG
  ? { nodes: 20, networks: 20, ports: 1_000, steps: 100 }
  : { nodes: 6, networks: 6, ports: 100, steps: 20 };
const SEED = Number(process.env.MESH_SEED ?? (LONG ? Math.floor(Math.random() * 2 ** 32) : 1));
/** Orders of one step while the cluster grows. */
const ORDERS = 4;
/** Simulated time of one step. */
const STEP_MS = 200;
/** An answer of a node takes some milliseconds; a pass that a kernel has refused is tried again within 15 s. */
const CALM_ROUNDS = 12;
const CALM_MS = 2_000;

/** A cluster of host0 and nodes, and what an administrator knows to have. */
class PortCluster {
  readonly clock = new SimClock();
  readonly timeline = new Timeline(this.clock, false);
  readonly journal = new Journal(this.clock, 'sim', 'host0');
  readonly random: () => number;
  readonly nodes: readonly PortNode[];
  readonly counts: Record<string, number> = {};
  host!: AssigningHost0;
  /** The ports that were made and not deleted: where they are, by id. */
  readonly expected = new Map<string, string>();
  #asking = new Set<PortNode>();

  constructor(seed: number) {
    this.random = randomFrom(seed);
    this.nodes = Array.from({ length: SIZE.nodes }, (_, number) => new PortNode(number, this));
  }

  async start(): Promise<void> {
    this.host = await assigningHost0(new MemoryStore(), this.nodes, this);
    for (const node of this.nodes) node.start();
    for (let number = 0; number < SIZE.networks; number++) await this.host.catalogue.create({ name: `net${number}` });
    await this.exchange();
  }

  count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }

  /** Lets time pass. */
  pass(ms: number): Promise<void> {
    return this.clock.run(this.clock.nowMs() + ms);
  }

  /** Nodes call host0, tell their status and take what they are given. @param share of the nodes */
  async exchange(share = 1): Promise<void> {
    for (const node of this.nodes) if (this.random() < share && !this.#asking.has(node)) void this.#ask(node);
    await this.pass(STEP_MS);
  }

  async #ask(node: PortNode): Promise<void> {
    const { process } = node;
    const { host } = this;
    if (process === undefined || process.agent.cache.links.size === 0) return;
    this.#asking.add(node);
    // A killed process never answers.
    this.clock.after(1_000, () => this.#asking.delete(node));
    const isBroken = () => node.process !== process || this.host !== host || !node.stands;
    if (!node.stands) host.assignments.opened(node.machine, { unplug: async () => undefined });
    node.stands = true;
    const status = process.assignments.status();
    await host.assignments.reported(node.machine, status);
    const assignment = host.assignments.assignmentOf(node.machine);
    if (assignment === undefined || isBroken()) return;
    const text = assignmentText(assignment, NODE_ASSIGNMENT_FORMAT, status.digests);
    const answer = await process.assignments.take(text);
    expect(answer).toMatchObject({ accepted: true });
    if (isBroken()) return;
    host.assignments.answered(node.machine, assignment);
    this.#asking.delete(node);
  }

  /** An order of the administrator. */
  async order(): Promise<void> {
    const { host, random, expected } = this;
    const chance = random();
    const reached = this.nodes.filter(({ stands, name }) => stands && host.assignments.nodeCalled(name) !== undefined);
    if (reached.length === 0) return;
    const node = pick(random, reached);
    const [known] = [...expected.keys()].filter(() => random() < 0.05);
    if (known === undefined || (chance < 0.8 && expected.size < SIZE.ports)) {
      await this.#make(node);
    } else if (chance < 0.92) {
      await host.orders.move(known, { node: node.name });
      expected.set(known, node.machine);
      this.count('moved');
    } else {
      await host.orders.remove(known);
      expected.delete(known);
      this.count('deleted');
    }
  }

  /** Makes ports until there are all. */
  async fill(): Promise<void> {
    await this.settle();
    while (this.expected.size < SIZE.ports) await this.#make(pick(this.random, this.nodes));
  }

  async #make(node: PortNode): Promise<void> {
    const { host, random, expected } = this;
    const network = pick(random, host.catalogue.networks).name;
    const { id, interface: tap } = await host.orders.create({ network, node: node.name });
    expect(expected.has(id), `the id ${id}`).toBe(false);
    expect(tap).toBe(`v${id}`);
    expected.set(id, node.machine);
    this.count('made');
  }

  /** One fault of each kind, one after another, in an order of the seed. */
  async fault(): Promise<void> {
    if (this.#toCome.length === 0) this.#toCome = Object.keys(this.#faults).toSorted(() => this.random() - 0.5);
    const what = this.#toCome.pop() ?? '';
    if (await this.#faults[what]?.(pick(this.random, this.nodes))) this.count(what);
  }

  #toCome: string[] = [];

  /** Faults by name. Each returns whether it was possible. */
  readonly #faults: Readonly<Record<string, (node: PortNode) => boolean | Promise<boolean>>> = {
    'channel broken': (node) => {
      this.#breakChannel(node);
      return true;
    },
    'agent killed': (node) => {
      this.#breakChannel(node);
      node.kill();
      node.start();
      return true;
    },
    'node rebooted': (node) => this.#reboot(node, true),
    'node without a disk rebooted': (node) => this.#reboot(node, false),
    'kernel refuses': ({ process }) => {
      if (process === undefined) return false;
      process.kernel.refusing = 0.3;
      this.clock.after(2_000, () => {
        process.kernel.refusing = 0;
      });
      return true;
    },
    'link deleted': ({ kernel }) => {
      const links = [...kernel.links.values()].filter(({ name }) => name !== 'eth0');
      return this.#change(kernel, links, ({ name: link }) => ({ do: 'link-delete', link }));
    },
    'guard taken off': ({ kernel }) => {
      const taps = [...kernel.links.values()].filter(({ kind }) => kind === 'tun');
      const options = { 'port learning': 1, 'port locked': 0 };
      return this.#change(kernel, taps, ({ name: link }) => ({ do: 'link-set', link, change: { options } }));
    },
    'events lost': ({ process }) => {
      process?.kernel.beginOverflow();
      this.clock.after(500, () => process?.kernel.endOverflow());
      return process !== undefined;
    },
    'host0 restarted': async () => {
      await this.#restart(this.host.store);
      return true;
    },
  };

  #reboot(node: PortNode, keepsDisk: boolean): boolean {
    this.#breakChannel(node);
    node.reboot(keepsDisk);
    return true;
  }

  /** Another program changes one of the links. */
  #change(kernel: SimKernel, links: readonly Link[], operation: (link: Link) => Operation): boolean {
    if (links.length === 0) return false;
    kernel.perform(operation(pick(this.random, links)));
    return true;
  }

  #breakChannel(node: PortNode): void {
    if (node.stands) this.host.assignments.closed(node.machine);
    node.stands = false;
  }

  async #restart(store: MemoryStore): Promise<void> {
    for (const node of this.nodes) this.#breakChannel(node);
    this.host.assignments.close();
    await this.host.catalogue.close();
    this.host = await assigningHost0(store, this.nodes, this);
  }

  /** A backup is restored. What nodes have since then becomes orphans, which the administrator adopts: no guest is cut off. */
  async restore(backup: StoreContent): Promise<void> {
    await this.settle();
    const before = new Map(this.expected);
    const held = new Map(this.nodes.map((node) => [node.machine, new Set(node.taps)]));
    await this.#restart(await restoredStore(backup));
    await this.settle();
    // Before anybody adopts anything, no node has lost a tap.
    for (const node of this.nodes)
      expect(node.taps, node.name).toEqual(expect.arrayContaining([...(held.get(node.machine) ?? [])]));
    await this.#adopt();
    const now = new Map(this.host.book.all.map(({ id, machine }) => [id, machine]));
    for (const [id, machine] of before) expect(now.get(id), `the port ${id} after a restore`).toBe(machine);
    this.expected.clear();
    for (const [id, machine] of now) this.expected.set(id, machine);
    this.count('host0 restored');
  }

  async #adopt(): Promise<void> {
    const { catalogue, assignments, orders } = this.host;
    const adopting = {
      adopt: (network: Network) => catalogue.apply({ ...network }),
      has: (id: NetworkId) => catalogue.given.networks.some((given) => given.id === id),
    };
    const orphans = new NodeOrphans(assignments, adopting, orders, {
      adopt: () => Promise.reject(new TypeError('no node of the simulation has a workload')),
    });
    const kinds = ['network', 'port'];
    for (const { machine, kind, id, epoch } of orphans
      .list()
      .toSorted((a, b) => kinds.indexOf(a.kind) - kinds.indexOf(b.kind))) {
      await orphans.adopt(machine, { kind, id, epoch });
    }
    await this.settle();
    for (const { machine, kind, id, epoch } of orphans.list()) await orphans.release(machine, { kind, id, epoch });
    await this.settle();
  }

  /** All channels stand, everybody has heard of everything, and all steps were tried again. */
  async settle(): Promise<void> {
    for (let round = 0; round < CALM_ROUNDS; round++) {
      await this.exchange();
      await this.pass(CALM_MS);
    }
  }

  /** What must be so at each moment. */
  checkBook(): void {
    const { book, assignments } = this.host;
    const machines = new Map(book.all.map(({ id, machine }) => [id, machine]));
    expect(machines).toEqual(this.expected);
    expect(machines.size, 'an id is given twice').toBe(book.all.length);
    const macs = book.all.map(({ network, mac }) => `${network} ${mac}`);
    expect(new Set(macs).size, 'an Ethernet address is given twice').toBe(macs.length);
    const taps = book.all.map(({ link }) => link);
    expect(new Set(taps).size, 'a tap is given twice').toBe(taps.length);
    const orphaned = new Set(
      assignments.orphans().flatMap(({ kind, document }) => (kind === 'port' ? idIn(document) : [])),
    );
    for (const id of orphaned) expect(machines.get(id), `the orphan ${id}`).not.toBeUndefined();
  }

  /** What must be so when nothing has happened for a while: each kernel has what the book says, and nothing else. */
  async checkKernels(): Promise<void> {
    expect(this.host.assignments.orphans()).toEqual([]);
    const numbers = new Map(this.host.catalogue.networks.map(({ id, number }) => [id, number.toString(16)]));
    for (const node of this.nodes) {
      const here = this.host.book.on(node.machine);
      expect(node.taps.toSorted(), `taps of ${node.name}`).toEqual(here.map(({ link }) => link).toSorted());
      for (const { link, network, mac } of here) {
        const tap = node.kernel.linkNamed(link);
        const bridge = node.kernel.linkNamed(`br${numbers.get(network)}`);
        expect(tap, `${link} on ${node.name}`).toMatchObject({
          master: bridge?.index,
          up: true,
          port: { learning: false, locked: true },
        });
        expect(node.kernel.fdb.get(`${tap?.index} master ${mac}`), `the entry of ${link}`).toBeDefined();
      }
      this.#checkOthers(node, numbers);
      const view = this.#done(planView(node.process?.agent as never));
      expect((await view).steps, `the plan of ${node.name}`).toEqual([]);
    }
  }

  /** Each guest of another node is known where its network is, and no guest that is not there. */
  #checkOthers(node: PortNode, numbers: ReadonlyMap<NetworkId, string>): void {
    const underlays = new Map(this.nodes.map(({ machine, underlay }) => [machine as string, underlay]));
    const networks = new Set(this.host.book.on(node.machine).map(({ network }) => network));
    for (const network of networks) {
      const vxlan = node.kernel.linkNamed(`vxlan${numbers.get(network)}`);
      const others = this.host.book.all.filter((port) => port.network === network && port.machine !== node.machine);
      const entries = [...node.kernel.fdb.values()].filter(
        ({ link, table, mac }) => link === vxlan?.index && table === 'self' && mac.startsWith('02:00:00:'),
      );
      expect(
        Object.fromEntries(entries.map(({ mac, remoteVtep }) => [mac, remoteVtep])),
        `entries of ${node.name}`,
      ).toEqual(Object.fromEntries(others.map(({ mac, machine }) => [mac, underlays.get(machine)])));
    }
  }

  /** Lets time pass for an answer. */
  async #done<T>(answer: Promise<T>): Promise<T> {
    const settled = Promise.allSettled([answer]);
    await this.pass(STEP_MS);
    const [result] = await settled;
    if (result.status === 'rejected') throw MeshError.from(result.reason);
    return result.value;
  }
}

/** What has to occur in each run. */
const KINDS = [
  ...['made', 'moved', 'deleted', 'channel broken', 'agent killed', 'node rebooted', 'node without a disk rebooted'],
  ...['kernel refuses', 'link deleted', 'guard taken off', 'events lost', 'host0 restarted', 'host0 restored'],
];

test(
  `${SIZE.ports} ports on ${SIZE.nodes} nodes with faults: no id, Ethernet address or tap is given twice or lost; seed ${SEED}`,
  {
    timeout: LONG ? 3_600_000 : 120_000,
  },
  async () => {
    const cluster = new PortCluster(SEED);
    await cluster.start();
    const run = async (steps: number, ordersOfEach: number) => {
      for (let step = 0; step < steps; step++) {
        for (let order = 0; order < ordersOfEach; order++) await cluster.order();
        if (step % 2 === 0) await cluster.fault();
        await cluster.exchange(0.5);
        cluster.checkBook();
      }
    };
    await run(SIZE.steps, ORDERS);
    const backup = (await cluster.host.store.range('/')).entries;
    await run(SIZE.steps, 2);
    await cluster.restore(backup);
    await run(SIZE.steps, ORDERS);
    await cluster.fill();
    await cluster.settle();
    cluster.checkBook();
    await cluster.checkKernels();
    console.log(cluster.counts);
    expect(cluster.timeline.faults).toEqual([]);
    for (const kind of KINDS) expect(cluster.counts[kind] ?? 0, kind).toBeGreaterThan(0);
  },
);
