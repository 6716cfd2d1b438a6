/**
 * The plan of a lab: host0 with a NIC on every segment, and nodes spread over the segments in turn. Pure: the same name
 * and numbers always give the same namespaces, addresses and machine ids, so that a lab can be found again.
 */

import { type Ipv4, parseIpv4 } from '../../model/address/ipv4.ts';
import { type Mac, macFromHex } from '../../model/address/mac.ts';
import { MeshError } from '../../model/error.ts';
import { genid } from '../../model/genid.ts';
import { type MachineId, machineIdOf } from '../../model/machine.ts';
import { type Member, memberAddresses } from '../../model/network/member.ts';
import { EXAMPLE_MESH } from './example-mesh.ts';

/** What a lab's plan follows from. */
export interface LabSize {
  /** Lower-case letters, digits and dashes; part of the namespaces' names. */
  readonly name: string;
  /** Number of nodes besides host0. */
  readonly nodes: number;
  /** Number of underlay segments: layer-2 networks that are joined by host0 only. */
  readonly segments: number;
  /** Set for a lab of emulated machines in place of namespaces. They boot from host0, on a single segment. */
  readonly machines?: MachineSettings;
  /** `etcd`: host0 keeps what it knows in an etcd of three members that belongs to the lab. Absent: in a file of its own. */
  readonly store?: 'etcd';
  /** So many of the first nodes have the role router; none when absent. */
  readonly routers?: number;
}

/** The settings of emulated machines. */
export interface MachineSettings {
  /** The firmware of each node. */
  readonly firmware: readonly Firmware[];
  /** A foreign DHCP server gives out the addresses, in place of host0. */
  readonly foreignDhcp: boolean;
  /** All machines have the same UUID, as with a maker who did not replace the template's: their ids follow from their MACs. */
  readonly templateUuid?: boolean;
}

/** How an emulated machine boots. */
export type Firmware = 'bios' | 'uefi';

/** The whole plan of a lab. */
export interface Topology extends LabSize {
  /** The namespace that has the segments' bridges and the underlay-side ends of all NICs. */
  readonly underlay: string;
  /** The bridge of each segment. */
  readonly bridges: readonly string[];
  /** host0 first. */
  readonly hosts: readonly HostPlan[];
  /** Set if there is a foreign DHCP server. */
  readonly foreign?: ForeignPlan;
}

/** The foreign DHCP server of a lab. */
export interface ForeignPlan {
  readonly netns: string;
  readonly ipv4: Ipv4;
  /** The first and last address that it gives out. */
  readonly first: Ipv4;
  readonly last: Ipv4;
}

/** One host of a lab. */
export interface HostPlan {
  readonly name: string;
  readonly role: 'host0' | 'node';
  /** The host's namespace; of an emulated machine the namespace in which QEMU runs. */
  readonly netns: string;
  /** Set for an emulated machine. */
  readonly emulated?: Emulation;
  readonly machine: MachineId;
  /** The host's NICs: one of a node, one for each segment of host0. */
  readonly ports: readonly LabNic[];
  /** host0's address on the host's own segment. */
  readonly host0: Ipv4;
  /** The host's line in the member list, when asked from its own segment. */
  readonly member: Member;
}

/** What is set for an emulated machine. */
export interface Emulation {
  readonly firmware: Firmware;
  /** The UUID in SMBIOS. The machine id follows from it, unless many machines have the same UUID. */
  readonly uuid: string;
}

/** A NIC of a host: a veth pair with one end in the host and the other on the segment's bridge; of an emulated machine a tap. */
export interface LabNic {
  readonly segment: number;
  readonly device: string;
  readonly underlayEnd: string;
  readonly bridge: string;
  readonly mac: Mac;
  readonly ipv4: Ipv4;
}

/** Two hosts, in this direction. */
export interface Ends {
  readonly from: HostPlan;
  readonly to: HostPlan;
}

/** Another host on the same segment. */
export interface UnderlayNeighbour {
  /** The device that leads to it. */
  readonly device: string;
  readonly ipv4: Ipv4;
  readonly mac: Mac;
}

/** Every segment is a /24. */
export const UNDERLAY_PREFIX_BITS = 24;
/** 10.11.0.0/24 to 10.11.255.0/24. */
const SEGMENTS_MAX = 256;
/** .1 is host0, .255 the broadcast address. */
const NODES_PER_SEGMENT_MAX = 253;
/** Each machine takes a gigabyte of memory, and a processor while it boots. */
const MACHINES_MAX = 64;
/** The address of an emulated machine until DHCP has given it one. */
export const NO_ADDRESS = parseIpv4('0.0.0.0');
/** A UUID that AMI's firmware has on many boards (machine/smbios.ts). */
const TEMPLATE_UUID = '03000200-0400-0500-0006-000700080009';
const NAME = /^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/;

/** The plan of a lab. @throws MESH_USAGE for a name or a size that cannot be built */
export function planTopology({ name, nodes, segments, machines, store, routers = 0 }: LabSize): Topology {
  checkSize({ name, nodes, segments, routers });
  if (machines !== undefined) return machineTopology(name, machines);
  const hosts = [host0Plan(name, segments)];
  for (let number = 1; number <= nodes; number++) hosts.push(nodePlan(name, number, segments));
  return {
    name,
    nodes,
    segments,
    ...(store !== undefined && { store }),
    ...(routers > 0 && { routers }),
    underlay: namespaceOf(name, 'underlay'),
    bridges: Array.from({ length: segments }, (_, segment) => bridgeOf(segment)),
    hosts,
  };
}

/** A plan with one segment: host0, the machines, and the foreign server if there is one. */
function machineTopology(name: string, machines: MachineSettings): Topology {
  const { firmware, foreignDhcp, templateUuid = false } = machines;
  checkCount('nodes', firmware.length, MACHINES_MAX);
  const foreign = {
    netns: namespaceOf(name, 'foreign'),
    ipv4: addressOn(0, 254),
    first: addressOn(0, 100),
    last: addressOn(0, 199),
  };
  return {
    name,
    nodes: firmware.length,
    segments: 1,
    machines,
    underlay: namespaceOf(name, 'underlay'),
    bridges: [bridgeOf(0)],
    hosts: [host0Plan(name, 1), ...firmware.map((kind, index) => machinePlan(name, index + 1, kind, templateUuid))],
    ...(foreignDhcp && { foreign }),
  };
}

function machinePlan(lab: string, number: number, firmware: Firmware, templateUuid: boolean): HostPlan {
  const name = `node${number}`;
  const ownUuid = genid(['lab', lab, name], 32).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  const uuid = templateUuid ? TEMPLATE_UUID : ownUuid;
  const port = { ...portOf(lab, name, 0, 0, 'eth0', `tap${number}`), ipv4: NO_ADDRESS };
  const machine = machineIdOf(templateUuid ? port.mac : uuid);
  const { bridgeMac, ipv6 } = memberAddresses(EXAMPLE_MESH, machine);
  return {
    name,
    role: 'node',
    netns: namespaceOf(lab, 'underlay'),
    emulated: { firmware, uuid },
    machine,
    ports: [port],
    host0: addressOn(0, 1),
    member: { name, ipv4: NO_ADDRESS, mac: bridgeMac, ipv6 },
  };
}

/** Checks a lab's name, which also names a directory: no other characters may pass. @throws MESH_USAGE */
export function checkLabName(name: string): void {
  if (NAME.test(name)) return;
  throw new MeshError('MESH_USAGE', `${JSON.stringify(name)} cannot name a lab`, {
    rule: 'A lab name has 1 to 32 lower-case letters, digits and dashes, and no dash at either end.',
    remedy: 'Use a name such as default or test-1.',
  });
}

function checkSize({ name, nodes, segments, routers }: LabSize & { readonly routers: number }): void {
  checkLabName(name);
  checkCount('segments', segments, SEGMENTS_MAX);
  // host0 alone is enough for virtual machines.
  checkCount('nodes', nodes, NODES_PER_SEGMENT_MAX * segments, 0);
  if (Number.isInteger(routers) && routers >= 0 && routers <= nodes) return;
  throw new MeshError('MESH_USAGE', `a lab of ${nodes} nodes cannot have ${routers} routers`, {
    rule: 'Routers are the first nodes of the lab.',
    remedy: `Give --routers a number from 0 to ${nodes}, or --nodes a higher one.`,
  });
}

function checkCount(what: string, count: number, max: number, min = 1): void {
  if (Number.isInteger(count) && count >= min && count <= max) return;
  throw new MeshError('MESH_USAGE', `a lab cannot have ${count} ${what}`, {
    rule: `The number of ${what} is ${min} to ${max} (a segment is a /24 with at most ${NODES_PER_SEGMENT_MAX} nodes).`,
    remedy: `Give --${what} a number in that range.`,
  });
}

function host0Plan(lab: string, segments: number): HostPlan {
  const ports = Array.from({ length: segments }, (_, segment) =>
    portOf(lab, 'host0', segment, 1, `eth${segment + 1}`, `host0-${segment + 1}`),
  );
  const ipv4 = addressOn(0, 1);
  const { bridgeMac, ipv6 } = memberAddresses(EXAMPLE_MESH, 'host0');
  return {
    name: 'host0',
    role: 'host0',
    netns: namespaceOf(lab, 'host0'),
    machine: machineOf(lab, 'host0'),
    ports,
    host0: ipv4,
    member: { name: 'host0', ipv4, mac: bridgeMac, ipv6 },
  };
}

function nodePlan(lab: string, number: number, segments: number): HostPlan {
  const name = `node${number}`;
  const segment = (number - 1) % segments;
  const port = portOf(lab, name, segment, 2 + Math.floor((number - 1) / segments), 'eth0', name);
  const machine = machineOf(lab, name);
  const { bridgeMac, ipv6 } = memberAddresses(EXAMPLE_MESH, machine);
  return {
    name,
    role: 'node',
    netns: namespaceOf(lab, name),
    machine,
    ports: [port],
    host0: addressOn(segment, 1),
    member: { name, ipv4: port.ipv4, mac: bridgeMac, ipv6 },
  };
}

function portOf(
  lab: string,
  host: string,
  segment: number,
  hostNumber: number,
  device: string,
  underlayEnd: string,
): LabNic {
  return {
    segment,
    device,
    underlayEnd,
    bridge: bridgeOf(segment),
    mac: macFromHex(`06${genid(['lab', lab, host, device], 10)}`),
    ipv4: addressOn(segment, hostNumber),
  };
}

/** The hosts that share a segment with `host`, with the device of `host` that leads to each. */
export function underlayNeighbours(topology: Topology, host: HostPlan): UnderlayNeighbour[] {
  return host.ports.flatMap(({ device, segment }) =>
    topology.hosts
      .filter((other) => other !== host)
      .flatMap((other) => other.ports.filter((port) => port.segment === segment))
      .map(({ ipv4, mac }) => ({ device, ipv4, mac })),
  );
}

/** A copy of the plan in which the host `name` has the underlay address `ipv4`. */
export function withIpv4(topology: Topology, name: string, ipv4: Ipv4): Topology {
  const hosts = topology.hosts.map((host) =>
    host.name === name
      ? { ...host, ports: host.ports.map((port) => ({ ...port, ipv4 })), member: { ...host.member, ipv4 } }
      : host,
  );
  return { ...topology, hosts };
}

function addressOn(segment: number, hostNumber: number): Ipv4 {
  return parseIpv4(`10.11.${segment}.${hostNumber}`);
}

function bridgeOf(segment: number): string {
  return `seg${segment}`;
}

function namespaceOf(lab: string, host: string): string {
  return `mw-${lab}-${host}`;
}

function machineOf(lab: string, host: string): MachineId {
  return genid(['lab', lab, host], 8) as MachineId;
}
