/** The machines of a lab, as they follow from a topology. Pure. */
import { numberInRole, roleOfNumber, VM_ROLES, type VmRole, vmName } from './vm-address.ts';
import { countOf, type LinkSettings, type VmTopology } from './vm-topology.ts';

/** One machine. */
export interface VmPlan {
  readonly number: number;
  readonly name: string;
  readonly role: VmRole;
  /** In the order of its cards. */
  readonly nets: readonly number[];
  /** Absent: as much as its overlays need. */
  readonly memoryMib?: number;
  readonly overlays: readonly string[];
}

/** All machines that the topology counts, nodes first. @throws MESH_USAGE for more than the numbers of a role */
export function planMachines(topology: VmTopology): VmPlan[] {
  return VM_ROLES.flatMap((role) =>
    Array.from({ length: countOf(topology, role) }, (_, index) => planMachine(topology, numberInRole(role, index + 1))),
  );
}

/** One machine by its number, whether the topology counts it or not. @throws MESH_USAGE for a number of no role */
export function planMachine(topology: VmTopology, number: number): VmPlan {
  const name = vmName(number);
  const role = roleOfNumber(number) ?? 'node';
  const settings = topology.roles[role];
  const own = topology.machines[name];
  const memoryMib = own?.memoryMib ?? settings?.memoryMib ?? topology.memoryMib;
  return {
    number,
    name,
    role,
    nets: own?.nets ?? settings?.nets ?? [0],
    ...(memoryMib !== undefined && { memoryMib }),
    overlays: [...topology.overlays, ...(settings?.overlays ?? [])],
  };
}

/** The nets of a topology: those of its machines, and those that it names. */
export function netsOf(topology: VmTopology, more: readonly number[] = []): number[] {
  const nets = new Set([
    0,
    ...planMachines(topology).flatMap((machine) => machine.nets),
    ...topology.nets.map(({ net }) => net),
    ...more,
  ]);
  return [...nets].sort((a, b) => a - b);
}

/** The MTU of a net, if the topology gives one. */
export function mtuOfNet({ nets }: VmTopology, net: number): number | undefined {
  return nets.find((settings) => settings.net === net)?.mtuBytes;
}

/** Whether this machine has an address in a net: not in the cluster net, unless the topology says so. */
export function hostIsIn({ nets }: VmTopology, net: number): boolean {
  return nets.find((settings) => settings.net === net)?.hostAddress ?? net !== 1;
}

/** How the link of a machine to a net is; later entries of the topology add to earlier ones. */
export function linkOf({ links }: VmTopology, net: number, name: string): Omit<LinkSettings, 'net' | 'machine'> {
  const own = links.filter((link) => link.net === net && (link.machine === undefined || link.machine === name));
  return Object.assign({}, ...own.map(({ net: _, machine: __, ...effects }) => effects));
}
