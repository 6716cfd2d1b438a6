/** The invariants of every run (DESIGN §10). Each check returns one sentence for each violation. */
import type { Operation } from '../../src/agent/items/item-kind.ts';
import { observedItems } from '../../src/agent/kernel/observed.ts';
import { disagreement, printStep } from '../../src/agent/loop/plan.ts';
import { KernelTables } from '../../src/kernel/mirror/kernel-tables.ts';
import type { Ipv4Cidr } from '../../src/model/address/ipv4.ts';
import { FLOOD_MAC } from '../../src/model/address/mac.ts';
import { memberAddresses } from '../../src/model/network/member.ts';
import type { Mesh } from '../../src/model/network/mesh.ts';
import type { Cluster } from './cluster.ts';
import type { AgentProcess, SimMachine } from './sim-machine.ts';

/** The machines that are on and have a running agent. */
export function live(cluster: Cluster): SimMachine[] {
  return cluster.machines.filter(({ on, process }) => on && process !== undefined);
}

/** The result of one check of a machine's entries. It holds until the kernel or the wanted entries change. */
interface CheckedEntries {
  /** Of the kernel. */
  readonly revision: number;
  readonly wanted: Wanted;
  readonly wrong: readonly string[];
}

/** The entries of all live machines in one network, as they are on the machines of one segment. */
interface Wanted {
  readonly machines: readonly SimMachine[];
  readonly ipv4s: readonly SimMachine['ipv4s'][];
  /** By the text of the entry, the machine that it leads to. */
  readonly entries: ReadonlyMap<string, SimMachine>;
}

const checks = new WeakMap<SimMachine, Map<Mesh, CheckedEntries>>();
const wants = new WeakMap<Mesh, Map<Ipv4Cidr | undefined, Wanted>>();

/** Every live machine has the four entries of every other live machine, and no others. */
export function wrongEntries(cluster: Cluster): string[] {
  const machines = live(cluster);
  return machines.flatMap((machine) =>
    cluster.networks.flatMap((network) => wrongEntriesOf(machine, network, machines, cluster)),
  );
}

function wrongEntriesOf(
  machine: SimMachine,
  network: Mesh,
  machines: readonly SimMachine[],
  cluster: Cluster,
): readonly string[] {
  const wanted = wantedFrom(machine, network, machines, cluster);
  const { revision } = machine.kernel;
  const known = checks.get(machine) ?? new Map<Mesh, CheckedEntries>();
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
  checks.set(machine, known.set(network, { revision, wanted, wrong }));
  return wrong;
}

function wantedFrom(viewer: SimMachine, network: Mesh, machines: readonly SimMachine[], cluster: Cluster): Wanted {
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

/** Three FDB entries (`self`, `master`, flood) and one neighbour entry. */
const ENTRIES_PER_MEMBER = 4;

function entriesOf(viewer: SimMachine, other: SimMachine, network: Mesh, cluster: Cluster): string[] {
  const { bridgeMac: mac, ipv6 } = memberAddresses(network, other.word);
  const {
    type: { device: vxlan },
    bridge: { name: bridge },
  } = network;
  const ipv4 = addressFor(viewer, other, cluster);
  return [
    `entry ${mac} self ${ipv4} on ${vxlan}`,
    `entry ${mac} master  on ${vxlan}`,
    `entry ${FLOOD_MAC} self ${ipv4} on ${vxlan}`,
    `neighbour ${ipv6} ${mac} on ${bridge}`,
  ];
}

/** The address of `other` for a viewer: host0 has one on each segment, and the viewer uses that of its own. */
function addressFor(viewer: SimMachine, other: SimMachine, cluster: Cluster): string | undefined {
  if (other !== cluster.host0Machine) return other.ipv4s[0];
  const segment = cluster.segments.indexOf(viewer.segment() ?? ('' as Ipv4Cidr));
  return other.ipv4s[segment];
}

/** The entries in a machine's kernel that carry our mark, as text. */
function marked({ kernel }: SimMachine, { type, bridge: { name } }: Mesh): Set<string> {
  const entries = new Set<string>();
  const vxlan = kernel.linkNamed(type.device)?.index;
  const bridge = kernel.linkNamed(name)?.index;
  for (const { link, mac, table, remoteVtep = '', externLearn } of kernel.fdb.values()) {
    if (link === vxlan && externLearn) entries.add(`entry ${mac} ${table} ${remoteVtep} on ${type.device}`);
  }
  for (const { link, address, mac, externLearn } of kernel.neighbours.values()) {
    if (link === bridge && externLearn) entries.add(`neighbour ${address} ${mac} on ${name}`);
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
        const answered = cluster.path.roundTrip(from, network.bridge.name, source, destination);
        return answered?.station === to ? [] : [`${from.name} does not reach ${to.name} in ${network.name}`];
      }),
    );
  });
}

/** By agent, the kernel's revision at the last check, and whether the cache was compared at that revision. */
const memories = new WeakMap<AgentProcess, { readonly revision: number; readonly compared: boolean }>();

/**
 * An agent's cache equals its kernel whenever nothing has happened in the kernel since the last check. An agent that
 * has missed events must know that, and must not wait for the next audit.
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
    const items = disagreement(observedItems(cache, desired), observedItems(KernelTables.of(kernel.dump()), desired));
    return items === 0 ? [] : [`${name} remembers ${items} items of its kernel wrongly`];
  });
}

/** A new plan is empty, and the cache agrees with the kernel. The promise resolves only while simulated time passes. */
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

/** No two members of a mesh share an address. */
export function sharedAddresses({ daemon }: Cluster): string[] {
  if (daemon === undefined) return ['host0 has no daemon'];
  return daemon.controller.memberships.meshes.flatMap((mesh) => {
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
 * No agent removes its way to a live machine that was never silent: a fault of host0 is no reason to do so.
 * @param operation the operation that the agent is about to perform
 * @param silenced whether a machine may have been silent recently
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
  // A node that moves may have no address for a moment, and then choose another one of host0's addresses.
  if (other === cluster.host0Machine && silenced(machine)) return undefined;
  return `${machine.name} removes its entry ${operation.mac} to ${other.name}, which was never silent`;
}
