/** What must hold in every run (DESIGN §10). Each check gives sentences about what does not. */
import type { Operation } from '../../src/agent/items/item-kind.ts';
import { KernelCache } from '../../src/agent/kernel/kernel-cache.ts';
import { observedItems } from '../../src/agent/kernel/observed.ts';
import { disagreement, printStep } from '../../src/agent/loop/plan.ts';
import type { Ipv4Cidr } from '../../src/model/address/ipv4.ts';
import { FLOOD_MAC } from '../../src/model/address/mac.ts';
import { memberAddresses } from '../../src/model/network/member.ts';
import type { Network } from '../../src/model/network/network.ts';
import type { Cluster } from './cluster.ts';
import type { AgentProcess, SimMachine } from './sim-machine.ts';

/** Machines that are there, with their agent. */
export function live(cluster: Cluster): SimMachine[] {
  return cluster.machines.filter(({ on, process }) => on && process !== undefined);
}

/** What a look at a machine's entries found; as long as neither they nor those who are there change, it holds. */
interface Look {
  readonly revision: number;
  readonly wanted: Wanted;
  readonly wrong: readonly string[];
}

/** The entries that a network needs, whoever looks from one segment: everybody's. */
interface Wanted {
  readonly machines: readonly SimMachine[];
  readonly ipv4s: readonly SimMachine['ipv4s'][];
  readonly entries: ReadonlyMap<string, SimMachine>;
}

const looks = new WeakMap<SimMachine, Map<Network, Look>>();
const wants = new WeakMap<Network, Map<Ipv4Cidr | undefined, Wanted>>();

/** Every live machine has the four entries of every other one, and none of anybody else. */
export function wrongEntries(cluster: Cluster): string[] {
  const machines = live(cluster);
  return machines.flatMap((machine) =>
    cluster.networks.flatMap((network) => wrongEntriesOf(machine, network, machines, cluster)),
  );
}

function wrongEntriesOf(
  machine: SimMachine,
  network: Network,
  machines: readonly SimMachine[],
  cluster: Cluster,
): readonly string[] {
  const wanted = wantedFrom(machine, network, machines, cluster);
  const { revision } = machine.kernel;
  const known = looks.get(machine) ?? new Map<Network, Look>();
  const before = known.get(network);
  if (before?.revision === revision && before.wanted === wanted) return before.wrong;
  const have = marked(machine, network);
  const leftOver = [...have].filter((entry) => (wanted.entries.get(entry) ?? machine) === machine);
  const lacks =
    have.size - leftOver.length === (machines.length - 1) * ENTRIES_PER_MEMBER
      ? []
      : [...wanted.entries].flatMap(([entry, other]) => (other === machine || have.has(entry) ? [] : [entry]));
  const wrong = [
    ...lacks.map((entry) => `${machine.name} lacks ${entry}`),
    ...leftOver.map((entry) => `${machine.name} has left over ${entry}`),
  ];
  looks.set(machine, known.set(network, { revision, wanted, wrong }));
  return wrong;
}

function wantedFrom(viewer: SimMachine, network: Network, machines: readonly SimMachine[], cluster: Cluster): Wanted {
  const bySegment = wants.get(network) ?? new Map<Ipv4Cidr | undefined, Wanted>();
  const segment = viewer.segment();
  const before = bySegment.get(segment);
  const same =
    before?.machines.length === machines.length &&
    machines.every((machine, i) => before.machines[i] === machine && before.ipv4s[i] === machine.ipv4s);
  if (before !== undefined && same) return before;
  const entries = machines.flatMap((other) =>
    entriesOf(viewer, other, network, cluster).map((entry) => [entry, other] as const),
  );
  const wanted = { machines, ipv4s: machines.map(({ ipv4s }) => ipv4s), entries: new Map(entries) };
  wants.set(network, bySegment.set(segment, wanted));
  return wanted;
}

/** To, behind, and in flood; and a neighbour. */
const ENTRIES_PER_MEMBER = 4;

function entriesOf(viewer: SimMachine, other: SimMachine, network: Network, cluster: Cluster): string[] {
  const { bridgeMac: mac, ipv6 } = memberAddresses(network, other.word);
  const { vxlan, bridge } = network.devices;
  const ipv4 = addressFor(viewer, other, cluster);
  return [
    `entry ${mac} self ${ipv4} on ${vxlan}`,
    `entry ${mac} master  on ${vxlan}`,
    `entry ${FLOOD_MAC} self ${ipv4} on ${vxlan}`,
    `neighbour ${ipv6} ${mac} on ${bridge}`,
  ];
}

/** host0 has an address on each segment. */
function addressFor(viewer: SimMachine, other: SimMachine, cluster: Cluster): string | undefined {
  if (other !== cluster.host0Machine) return other.ipv4s[0];
  const segment = cluster.segments.indexOf(viewer.segment() ?? ('' as Ipv4Cidr));
  return other.ipv4s[segment];
}

/** What carries our mark in a machine's kernel. */
function marked({ kernel }: SimMachine, { devices }: Network): Set<string> {
  const entries = new Set<string>();
  const vxlan = kernel.linkNamed(devices.vxlan)?.index;
  const bridge = kernel.linkNamed(devices.bridge)?.index;
  for (const { link, mac, table, remoteVtep = '', externLearn } of kernel.fdb.values()) {
    if (link === vxlan && externLearn) entries.add(`entry ${mac} ${table} ${remoteVtep} on ${devices.vxlan}`);
  }
  for (const { link, address, mac, externLearn } of kernel.neighbours.values()) {
    if (link === bridge && externLearn) entries.add(`neighbour ${address} ${mac} on ${devices.bridge}`);
  }
  return entries;
}

/** Every live machine reaches every other one in every mesh. */
export function unreachable(cluster: Cluster): string[] {
  const machines = live(cluster);
  return cluster.networks.flatMap((network) => {
    const addresses = new Map(machines.map((machine) => [machine, memberAddresses(network, machine.word).ipv6]));
    return machines.flatMap((from) =>
      machines.flatMap((to) => {
        const [source, destination] = [addresses.get(from), addresses.get(to)];
        if (from === to || source === undefined || destination === undefined) return [];
        const answered = cluster.path.roundTrip(from, network.devices.bridge, source, destination);
        return answered?.station === to ? [] : [`${from.name} does not reach ${to.name} in ${network.name}`];
      }),
    );
  });
}

/** The kernel's revision when each agent was looked at last, and whether what it remembers of that was compared. */
const memories = new WeakMap<AgentProcess, { readonly revision: number; readonly compared: boolean }>();

/**
 * What an agent remembers of its kernel is what the kernel has, whenever nothing has happened there since it was looked at
 * last: whoever has missed something knows that, and does not wait for the next audit.
 */
export function wrongMemory(cluster: Cluster): string[] {
  return live(cluster).flatMap(({ name, process, kernel }) => {
    if (process === undefined) return [];
    const { revision } = kernel;
    const before = memories.get(process);
    const quiet = before?.revision === revision;
    memories.set(process, { revision, compared: quiet });
    if (!quiet || before.compared) return [];
    const { cache, desired } = process.agent.reconciler;
    const items = disagreement(observedItems(cache, desired), observedItems(KernelCache.of(kernel.dump()), desired));
    return items === 0 ? [] : [`${name} remembers ${items} items of its kernel wrongly`];
  });
}

/** A second plan is empty, and the cache agrees with the kernel. Time must pass for the answer. */
export async function drifting(machine: SimMachine): Promise<string[]> {
  const drift = await machine.process?.agent.reconciler.drift();
  if (drift === undefined) return [];
  const { steps, cacheDifference } = drift;
  return [
    ...steps.map((step) => `${machine.name} would still do: ${printStep(step)}`),
    ...(cacheDifference === 0
      ? []
      : [`${machine.name}: the cache disagrees with the kernel in ${cacheDifference} items`]),
  ];
}

/** No address of a mesh has two members. */
export function sharedAddresses({ daemon }: Cluster): string[] {
  if (daemon === undefined) return ['host0 has no daemon'];
  return daemon.controller.meshes.flatMap((mesh) => {
    const members = mesh.members();
    return (['ipv4', 'ipv6', 'mac'] as const).flatMap((field) => {
      const seen = new Set<string>();
      return members.flatMap((member) => {
        const double = seen.has(member[field]);
        seen.add(member[field]);
        return double ? [`${member[field]} has two members in ${mesh.network.name}`] : [];
      });
    });
  });
}

/**
 * Whether an agent is about to take away a way to somebody who is there and was never silent: then it is because host0
 * was away or forgot.
 * @param silenced who may have been silent of late
 */
export function wrongRemoval(
  cluster: Cluster,
  machine: SimMachine,
  operation: Operation,
  silenced: (node: SimMachine) => boolean,
): string | undefined {
  if (operation.do === 'delete-deferred') return `${machine.name} gives up ${operation.link}`;
  if (operation.do !== 'fdb-delete' || operation.remoteVtep === undefined) return undefined;
  const other = live(cluster).find(({ ipv4s }) => ipv4s.some((ipv4) => ipv4 === operation.remoteVtep));
  if (other === undefined || silenced(other)) return undefined;
  // A node that moves may be without any address for a moment, and take another of host0's for the nearest.
  if (other === cluster.host0Machine && silenced(machine)) return undefined;
  return `${machine.name} removes its entry ${operation.mac} to ${other.name}, which was never silent`;
}
