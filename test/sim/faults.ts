/** The faults that a simulation inflicts on a cluster. Each begins at a random moment and has a fixed duration. */
import { pick } from '../kit/random.ts';
import type { Cluster } from './cluster.ts';
import { SimMachine } from './sim-machine.ts';

/** A fault that has begun. */
export interface Fault {
  /** A sentence for the timeline. */
  readonly what: string;
  /** 0 for a fault that is over at once, or lasts to the end of the run. */
  readonly durationMs: number;
  /** Undoes the fault; called once. */
  end(): void;
  /** Nodes that the fault may silence, so that host0 may drop them and other nodes may remove their entries. */
  readonly silences: readonly SimMachine[];
}

/**
 * Begins a fault.
 * @param free the nodes that have a running agent and no other fault
 * @returns undefined when the fault is not possible now
 */
type Begin = (cluster: Cluster, random: () => number, free: readonly SimMachine[]) => Fault | undefined;

const nothing = (): void => {};

function between(random: () => number, least: number, most: number): number {
  return least + random() * (most - least);
}

/** A fault of one free node. */
function ofNode(
  begin: (
    node: SimMachine,
    random: () => number,
    cluster: Cluster,
  ) => Omit<Fault, 'silences'> & { readonly silent?: boolean },
): Begin {
  return (cluster, random, free) => {
    if (free.length === 0) return undefined;
    const node = pick(random, free);
    const { silent = true, ...fault } = begin(node, random, cluster);
    return { ...fault, what: `${node.name} ${fault.what}`, silences: silent ? [node] : [] };
  };
}

/** A fault of host0. It silences no node, so no node may lose an entry by it. */
function ofHost0(begin: (cluster: Cluster, random: () => number) => Omit<Fault, 'silences'> | undefined): Begin {
  return (cluster, random) => {
    const fault = begin(cluster, random);
    return fault === undefined ? undefined : { ...fault, what: `host0 ${fault.what}`, silences: [] };
  };
}

/** All kinds of faults by name. */
export const FAULTS: Readonly<Record<string, Begin>> = {
  loss: (cluster, random) => {
    const machines = random() < 0.3 ? cluster.machines : [pick(random, cluster.machines)];
    const loss = between(random, 0.05, 0.5);
    const names = machines.map(({ name }) => name);
    for (const name of names) cluster.underlay.troubleOf(name).loss = loss;
    return {
      what: `${nameOf(machines, cluster)} loses ${Math.round(loss * 100)} % of all packets`,
      durationMs: between(random, 1_000, 15_000),
      end: () => {
        for (const name of names) cluster.underlay.troubleOf(name).loss = 0;
      },
      silences: machines.includes(cluster.host0Machine) ? cluster.nodes : machines,
    };
  },

  delay: (cluster, random) => {
    const machines = random() < 0.3 ? cluster.machines : [pick(random, cluster.machines)];
    const delayMs = between(random, 5, 250);
    for (const { name } of machines) cluster.underlay.troubleOf(name).delayMs = delayMs;
    return {
      what: `${nameOf(machines, cluster)} is ${Math.round(delayMs)} ms away`,
      durationMs: between(random, 1_000, 15_000),
      end: () => {
        for (const { name } of machines) cluster.underlay.troubleOf(name).delayMs = 0;
      },
      silences: machines.includes(cluster.host0Machine) ? cluster.nodes : machines,
    };
  },

  partition: (cluster, random) => {
    const share = random();
    const away = random() < 0.2 ? cluster.nodes : cluster.nodes.filter(() => random() < share);
    for (const { name } of away) cluster.underlay.troubleOf(name).side = 1;
    return {
      what: `a cut between host0 and ${nameOf(away, cluster)}`,
      durationMs: between(random, 500, 25_000),
      end: () => {
        for (const { name } of away) cluster.underlay.troubleOf(name).side = 0;
      },
      silences: [...away],
    };
  },

  'agent killed': ofNode((node, random) => {
    node.killAgent();
    return {
      what: 'agent is killed',
      durationMs: between(random, 50, 15_000),
      end: () => node.startAgent(),
    };
  }),

  'agent stopped': ofNode((node, random, cluster) => {
    const durationMs = Math.min(between(random, 500, 15_000), cluster.calmAtMs - cluster.clock.nowMs());
    node.process?.clock.stop(durationMs);
    return { what: 'agent gets no CPU', durationMs, end: nothing };
  }),

  reboot: ofNode((node, random) => {
    node.powerOff();
    return { what: 'reboots', durationMs: between(random, 500, 20_000), end: () => node.boot() };
  }),

  'machine gone': ofNode((node) => {
    node.powerOff();
    return { what: 'is switched off for good', durationMs: 0, end: nothing };
  }),

  'IPv4 change': ofNode((node, _, cluster) => {
    const segment = node.segment();
    if (segment !== undefined) node.moveTo(cluster.freshIpv4(segment));
    return { what: `moves to ${node.ipv4s[0]}`, durationMs: 0, end: nothing };
  }),

  'duplicate id': ofNode((node, random, cluster) => {
    const segment = node.segment() ?? cluster.segments[0];
    if (segment === undefined) throw new RangeError('no segment');
    const double = new SimMachine(`double-of-${node.name}`, node.word, [cluster.freshIpv4(segment)], cluster);
    cluster.underlay.add(double, 'node');
    double.boot();
    return {
      what: `has a double at ${double.ipv4s[0]}`,
      durationMs: between(random, 2_000, 15_000),
      end: () => {
        double.powerOff();
        cluster.underlay.remove(double);
      },
    };
  }),

  'entries flushed': ofNode((node, random) => {
    const count = flush(node, between(random, 0.1, 1), random);
    return { what: `loses ${count} entries to another program`, durationMs: 0, end: nothing };
  }),

  'link deleted': ofNode((node, random, cluster) => {
    const { type, bridge } = pick(random, cluster.networks);
    const link = random() < 0.5 ? type.device : bridge.name;
    const down = random() < 0.3;
    if (down) node.kernel.perform({ do: 'link-set', link, change: { up: false } });
    else node.kernel.perform({ do: 'link-delete', link });
    return { what: `has ${link} ${down ? 'set down' : 'deleted'} by another program`, durationMs: 0, end: nothing };
  }),

  'ruleset flushed': ofNode((node) => {
    node.kernel.perform({ do: 'nft', script: 'table inet meshwork {}\ndelete table inet meshwork\n' });
    return { what: 'has its rules flushed by another program', durationMs: 0, end: nothing, silent: false };
  }),

  'monitor overflow': ofNode((node, random, cluster) => {
    const kernel = node.process?.kernel;
    kernel?.beginOverflow();
    const count = flush(node, random(), random);
    return {
      what: `misses the events of ${count} entries that another program flushes`,
      durationMs: between(random, 1, 500),
      // The other program goes on for a moment after events are received again.
      end: () => {
        kernel?.endOverflow();
        cluster.clock.after(random(), () => flush(node, 0.2, random));
      },
    };
  }),

  'kernel refuses': ofNode((node, random) => {
    const process = node.process;
    if (process !== undefined) process.kernel.refusing = between(random, 0.2, 1);
    const count = flush(node, random(), random);
    return {
      what: `cannot put back all of ${count} entries: its kernel refuses`,
      durationMs: between(random, 200, 8_000),
      end: () => {
        if (process !== undefined) process.kernel.refusing = 0;
      },
    };
  }),

  'clock jump': ofNode((node, random) => {
    const hours = Math.round(between(random, -48, 48));
    node.jumpWallClock(hours * 3_600_000);
    return { what: `sets its clock by ${hours} h`, durationMs: 0, end: nothing, silent: false };
  }),

  'host0 away': ofHost0((cluster, random) => {
    if (cluster.daemon === undefined) return undefined;
    cluster.killDaemon();
    return {
      what: 'daemon is killed',
      durationMs: between(random, 50, 25_000),
      end: () => cluster.startDaemon(),
    };
  }),

  'host0 stopped': ofHost0((cluster, random) => {
    const durationMs = Math.min(between(random, 500, 15_000), cluster.calmAtMs - cluster.clock.nowMs());
    cluster.daemon?.clock.stop(durationMs);
    return cluster.daemon === undefined ? undefined : { what: 'daemon gets no CPU', durationMs, end: nothing };
  }),

  'host0 empty': ofHost0((cluster, random) => {
    if (cluster.daemon === undefined) return undefined;
    cluster.killDaemon();
    cluster.emptyStore();
    return {
      what: 'daemon is killed, and comes back with an empty store',
      durationMs: between(random, 50, 12_000),
      end: () => cluster.startDaemon(),
    };
  }),

  'host0 reboot': ofHost0((cluster, random) => {
    if (!cluster.host0Machine.on || cluster.daemon === undefined) return undefined;
    cluster.powerOffHost0();
    return { what: 'reboots', durationMs: between(random, 500, 20_000), end: () => cluster.bootHost0() };
  }),

  'host0 agent killed': ofHost0((cluster, random) => {
    const { host0Machine } = cluster;
    if (host0Machine.process === undefined) return undefined;
    host0Machine.killAgent();
    return {
      what: 'agent is killed',
      durationMs: between(random, 50, 15_000),
      end: () => host0Machine.startAgent(),
    };
  }),

  'host0 entries flushed': ofHost0((cluster, random) => {
    if (!cluster.host0Machine.on) return undefined;
    const count = flush(cluster.host0Machine, random(), random);
    return { what: `loses ${count} entries to another program`, durationMs: 0, end: nothing };
  }),
};

/** Deletes a random part of the FDB and neighbour entries, as another program would. @returns how many */
function flush({ kernel }: SimMachine, share: number, random: () => number): number {
  let count = 0;
  for (const { table, link, mac, remoteVtep, state, externLearn } of [...kernel.fdb.values()]) {
    const name = kernel.links.get(link)?.name;
    if (name === undefined || random() >= share) continue;
    count++;
    const entry = { table, link: name, mac, state, externLearn, ...(remoteVtep !== undefined && { remoteVtep }) };
    kernel.perform({ do: 'fdb-delete', ...entry });
  }
  for (const { link, address } of [...kernel.neighbours.values()]) {
    const name = kernel.links.get(link)?.name;
    if (name === undefined || random() >= share) continue;
    count++;
    kernel.perform({ do: 'neighbour-delete', link: name, address });
  }
  return count;
}

function nameOf(machines: readonly SimMachine[], cluster: Cluster): string {
  if (machines.length >= cluster.nodes.length) return 'every machine';
  return machines.map(({ name }) => name).join(', ') || 'no machine';
}
