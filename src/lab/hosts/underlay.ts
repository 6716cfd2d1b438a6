/**
 * The lab's hardware: a namespace for each host, one for the underlay that joins them, and veth pairs as network cards.
 * Every veth is made inside the underlay's namespace, with its peer directly in the host's, so that the root namespace of
 * this machine never has an interface of a lab.
 */
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { inNetns, netnsPath } from '../../kernel/netns.ts';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import { ipBatch } from './ip-batch.ts';
import {
  type ForeignPlan,
  type HostPlan,
  type LabNic,
  type Topology,
  UNDERLAY_PREFIX_BITS,
  type UnderlayNeighbour,
  underlayNeighbours,
} from './topology.ts';

/** The names of all namespaces of a lab, in the order of removal: the underlay last. */
export function namespacesOf(topology: Topology): string[] {
  const { hosts, foreign, underlay } = topology;
  const others = [...hosts.map((host) => host.netns), ...(foreign === undefined ? [] : [foreign.netns])];
  return [...others.filter((name) => name !== underlay), underlay];
}

/** Builds namespaces, bridges and NICs, and sets the underlay addresses. @throws MESH_LAB_FAILED */
export async function buildUnderlay(topology: Topology): Promise<void> {
  await ipBatch(namespacesOf(topology).map((name) => `netns add ${name}`));
  silenceUnderlay(topology.underlay);
  await ipBatch(
    [
      ...topology.bridges.map((bridge) => `link add ${bridge} up type bridge mcast_snooping 0`),
      ...topology.hosts.flatMap((host) => host.ports.flatMap((port) => plugCommands(host, port))),
      ...(topology.foreign === undefined ? [] : [foreignCommand(topology.foreign, topology.bridges[0] ?? '')]),
    ],
    topology.underlay,
  );
  if (topology.machines === undefined) {
    await Promise.all(topology.hosts.map((host) => configureHost(topology, host)));
  } else {
    await configureBootSegment(topology);
  }
}

/** With a foreign DHCP server, sets host0's address on the segment; without one, host0's own agent sets it. */
async function configureBootSegment({ hosts: [host0], foreign }: Topology): Promise<void> {
  if (host0 === undefined) throw new RangeError('a lab has host0 at least');
  const up = host0.ports.flatMap(({ device, ipv4 }) => [
    ...(foreign === undefined ? [] : [`address add ${ipv4}/${UNDERLAY_PREFIX_BITS} dev ${device}`]),
    `link set ${device} up`,
  ]);
  await ipBatch(['link set lo up', ...up], host0.netns);
  if (foreign === undefined) return;
  const address = `address add ${foreign.ipv4}/${UNDERLAY_PREFIX_BITS} dev eth0`;
  await ipBatch(['link set lo up', address, 'link set eth0 up'], foreign.netns);
}

function foreignCommand({ netns }: ForeignPlan, bridge: string): string {
  return `link add foreign master ${bridge} up type veth peer name eth0 netns ${netns}`;
}

/** Turns off IPv6 and bridge-netfilter in the underlay's namespace: it must neither send packets of its own nor filter. */
function silenceUnderlay(underlay: string): void {
  inNetns(netnsPath(underlay), () => {
    writeFileSync('/proc/sys/net/ipv6/conf/default/disable_ipv6', '1');
    for (const family of ['iptables', 'ip6tables', 'arptables']) {
      const setting = `/proc/sys/net/bridge/bridge-nf-call-${family}`;
      if (existsSync(setting)) writeFileSync(setting, '0');
    }
  });
}

/** The commands that make a NIC. An emulated machine gets a tap device; QEMU holds the other end. */
function plugCommands(host: HostPlan, { underlayEnd, bridge, device, mac }: LabNic): string[] {
  if (host.emulated !== undefined)
    return [`tuntap add ${underlayEnd} mode tap`, `link set ${underlayEnd} master ${bridge} up`];
  return [
    `link add ${underlayEnd} master ${bridge} up type veth peer name ${device} address ${mac} netns ${host.netns}`,
  ];
}

/**
 * Sets a host's addresses and permanent neighbour entries. All namespaces share the kernel's limit of neighbour entries
 * (gc_thresh3, 1024): 50 hosts that resolve each other exceed it. Permanent entries do not count.
 */
async function configureHost(topology: Topology, host: HostPlan): Promise<void> {
  await ipBatch(
    [
      'link set lo up',
      ...host.ports.flatMap(({ device, ipv4 }) => [
        `address add ${ipv4}/${UNDERLAY_PREFIX_BITS} dev ${device}`,
        `link set ${device} up`,
      ]),
      ...underlayNeighbours(topology, host).map(neighbourCommand),
    ],
    host.netns,
  );
}

function neighbourCommand({ device, ipv4, mac }: UnderlayNeighbour): string {
  return `neighbour replace ${ipv4} lladdr ${mac} dev ${device} nud permanent`;
}

/** Removes the host's NICs and its namespace, and makes them again, with only the underlay configured. */
export async function replugHost(topology: Topology, host: HostPlan): Promise<void> {
  await ipBatch(
    host.ports.map(({ underlayEnd }) => `link delete ${underlayEnd}`),
    topology.underlay,
  );
  await ipBatch([`netns delete ${host.netns}`, `netns add ${host.netns}`]);
  await ipBatch(
    host.ports.flatMap((port) => plugCommands(host, port)),
    topology.underlay,
  );
  await configureHost(topology, host);
}

/** Pulls or plugs the host's cables, by the underlay-side ends: inside the host only the carrier changes. */
export async function setCarrier(topology: Topology, host: HostPlan, up: boolean): Promise<void> {
  await ipBatch(
    host.ports.map(({ underlayEnd }) => `link set ${underlayEnd} ${up ? 'up' : 'down'}`),
    topology.underlay,
  );
}

/**
 * Moves a node from the address `from` to the one in `topology`, and updates its neighbours' entries, as ARP would. When a
 * NIC loses its last address, the kernel also drops its routes and neighbour entries; this puts the entries back.
 */
export async function readdress(topology: Topology, host: HostPlan, from: Ipv4): Promise<void> {
  await ipBatch(
    [
      ...host.ports.flatMap(({ device, ipv4 }) => [
        `address delete ${from}/${UNDERLAY_PREFIX_BITS} dev ${device}`,
        `address add ${ipv4}/${UNDERLAY_PREFIX_BITS} dev ${device}`,
      ]),
      ...underlayNeighbours(topology, host).map(neighbourCommand),
    ],
    host.netns,
  );
  const segments = new Set(host.ports.map((port) => port.segment));
  const peers = topology.hosts.filter(
    (other) => other !== host && other.ports.some(({ segment }) => segments.has(segment)),
  );
  await Promise.all(
    peers.map((peer) =>
      ipBatch(
        [
          ...underlayNeighbours(topology, peer).map(neighbourCommand),
          ...peer.ports
            .filter(({ segment }) => segments.has(segment))
            .map(({ device }) => `neighbour flush ${from} dev ${device} nud all`),
        ],
        peer.netns,
      ),
    ),
  );
}

/**
 * Sets tcp_orphan_retries to 1, so that open TCP connections do not delay the removal of the namespaces. When both ends
 * are killed together, or the network between them is gone, the kernel otherwise retransmits for a minute, and keeps the
 * namespace for that time.
 */
export function forgetPeers(namespaces: readonly string[]): void {
  for (const name of namespaces.filter((each) => existsSync(netnsPath(each)) && isNamespace(each))) {
    inNetns(netnsPath(name), () => writeFileSync('/proc/sys/net/ipv4/tcp_orphan_retries', '1'));
  }
}

/**
 * Removes those of `namespaces` that exist, and waits until the kernel has removed their devices. The kernel does that in
 * the background under the global rtnl lock, which would slow down the next lab. The underlay's device list shows the
 * progress, since a veth is removed with its peer.
 */
export async function removeUnderlay(
  namespaces: readonly string[],
  underlay: string,
  deadlineMs: number,
): Promise<void> {
  const existing = namespaces.filter((name) => existsSync(netnsPath(name)));
  await ipBatch(existing.filter((name) => name !== underlay).map((name) => `netns delete ${name}`));
  if (!existing.includes(underlay)) return;
  const giveUpAt = performance.now() + deadlineMs;
  while (isNamespace(underlay) && portsLeft(underlay) > 0 && performance.now() < giveUpAt) await sleep(10);
  await ipBatch([`netns delete ${underlay}`]);
}

/** False for the empty file that `ip netns add` leaves when it is killed before it mounts the namespace there. */
function isNamespace(name: string): boolean {
  return statSync(netnsPath(name)).dev !== statSync(dirname(netnsPath(name))).dev;
}

/** The number of underlay-side ends of NICs that still exist; bridges and loopback are not counted. */
function portsLeft(underlay: string): number {
  const devices = inNetns(netnsPath(underlay), () => readFileSync('/proc/thread-self/net/dev', 'utf8'));
  return devices.split('\n').filter((line) => /^\s*(?:host0-|node)\d+:/.test(line)).length;
}
