/**
 * The lab's hardware: a namespace for each host, one more for the underlay that joins them, and veth pairs as network cards.
 * Every veth is made inside the underlay namespace with its peer born in the host's, so that the machine's own namespace
 * never sees an interface of a lab.
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

/** All namespaces of a lab, the underlay last: it goes last too. */
export function namespacesOf(topology: Topology): string[] {
  const { hosts, foreign, underlay } = topology;
  const others = [...hosts.map((host) => host.netns), ...(foreign === undefined ? [] : [foreign.netns])];
  return [...others.filter((name) => name !== underlay), underlay];
}

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

/** host0 has an address of its own only where somebody else gives them out: elsewhere its own agent puts it there. */
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

/** A underlay neither speaks nor filters. Both settings belong to the namespace. */
function silenceUnderlay(underlay: string): void {
  inNetns(netnsPath(underlay), () => {
    writeFileSync('/proc/sys/net/ipv6/conf/default/disable_ipv6', '1');
    for (const family of ['iptables', 'ip6tables', 'arptables']) {
      const setting = `/proc/sys/net/bridge/bridge-nf-call-${family}`;
      if (existsSync(setting)) writeFileSync(setting, '0');
    }
  });
}

/** Of a machine a tap, whose other end its emulator is. */
function plugCommands(host: HostPlan, { underlayEnd, bridge, device, mac }: LabNic): string[] {
  if (host.emulated !== undefined)
    return [`tuntap add ${underlayEnd} mode tap`, `link set ${underlayEnd} master ${bridge} up`];
  return [
    `link add ${underlayEnd} master ${bridge} up type veth peer name ${device} address ${mac} netns ${host.netns}`,
  ];
}

/**
 * Addresses, and permanent neighbours: the kernel's neighbour table is one for all namespaces (gc_thresh3, 1024), and
 * 50 hosts that resolve each other overflow it; permanent entries do not count.
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

/** Takes the host's ports and everything in its namespace away, and plugs it in again with nothing but its underlay. */
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

/** Cuts or heals the host's cables: the underlay-side ends, so that nothing in the host is touched but its carrier. */
export async function setCarrier(topology: Topology, host: HostPlan, up: boolean): Promise<void> {
  await ipBatch(
    host.ports.map(({ underlayEnd }) => `link set ${underlayEnd} ${up ? 'up' : 'down'}`),
    topology.underlay,
  );
}

/**
 * Moves a node from the address `from` to the one that `topology` now gives it, and tells its neighbours, as ARP would.
 * Losing its last address, the kernel also drops the port's routes and neighbours; ours are put back.
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
 * The end of a connection that has nobody left to say goodbye to asks on for a minute, and keeps its namespace for as long:
 * of two that are killed together, or behind a network that its node has left. They are told to ask once only.
 */
export function forgetPeers(namespaces: readonly string[]): void {
  for (const name of namespaces.filter((each) => existsSync(netnsPath(each)) && isNamespace(each))) {
    inNetns(netnsPath(name), () => writeFileSync('/proc/sys/net/ipv4/tcp_orphan_retries', '1'));
  }
}

/**
 * Removes those of `namespaces` that exist, and waits until the kernel has really taken their devices down: it does so
 * in the background under the global rtnl lock, where it would slow down whoever comes next. The underlay's own device list
 * shows it, since a veth goes with its peer.
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

/** Underlay-side ends that are still there; bridges and loopback stay to the end. */
function portsLeft(underlay: string): number {
  const devices = inNetns(netnsPath(underlay), () => readFileSync('/proc/thread-self/net/dev', 'utf8'));
  return devices.split('\n').filter((line) => /^\s*(?:host0-|node)\d+:/.test(line)).length;
}
