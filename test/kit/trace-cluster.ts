/** A small healthy cluster on two segments, as a path trace finds each of its machines. */

import { type Host0Stance, meshAttachment } from '../../src/agent/desired/assignment.ts';
import { desiredItems } from '../../src/agent/desired/desired.ts';
import { parseChains } from '../../src/agent/firewall/chain.ts';
import type { ItemMap } from '../../src/agent/items/item.ts';
import { OUR_PROTOCOL } from '../../src/agent/items/mark.ts';
import { observedItems } from '../../src/agent/kernel/observed.ts';
import type { PathState } from '../../src/agent/trace/path-state.ts';
import type { KernelDump } from '../../src/kernel/mirror/kernel-reader.ts';
import { KernelTables } from '../../src/kernel/mirror/kernel-tables.ts';
import type { Address, FdbEntry, Link, Neighbour, Route } from '../../src/kernel/rtnl/objects.ts';
import type { Ipv4, Ipv4Cidr } from '../../src/model/address/ipv4.ts';
import type { Ipv6 } from '../../src/model/address/ipv6.ts';
import type { Mac } from '../../src/model/address/mac.ts';
import type { MeshError } from '../../src/model/error.ts';
import type { MachineWord } from '../../src/model/machine.ts';
import { type Member, memberAddresses } from '../../src/model/network/member.ts';
import { nodeDocument } from './desired-input.ts';
import { manage, member } from './networks.ts';

const SEGMENTS = [
  { device: 'eth1', ipv4: '10.11.0.1' as Ipv4, subnet: '10.11.0.0/24' as Ipv4Cidr },
  { device: 'eth2', ipv4: '10.11.1.1' as Ipv4, subnet: '10.11.1.0/24' as Ipv4Cidr },
] as const;

const MACHINES = { host0: 'host0', node1: '00000001', node2: '00000002' } as const;
/** A machine of the cluster. */
export type HostName = keyof typeof MACHINES;

/**
 * IPv4 addresses by asker and host. node1 is on the first segment, node2 on the second; host0 has the address on the
 * asker's segment.
 */
const OUTER: Readonly<Record<HostName, Readonly<Record<HostName, string>>>> = {
  host0: { host0: '10.11.0.1', node1: '10.11.0.2', node2: '10.11.1.2' },
  node1: { host0: '10.11.0.1', node1: '10.11.0.2', node2: '10.11.1.2' },
  node2: { host0: '10.11.1.1', node1: '10.11.0.2', node2: '10.11.1.2' },
};

/** The member `name` in the list of `asker`: the IPv4 address of host0 differs by segment. */
export function memberOf(name: HostName, asker: HostName = name): Member {
  return member(manage, MACHINES[name], OUTER[asker][name], name);
}

/** Faults: changes of another program to a machine's kernel, or errors in its list of members. */
export interface Spoilt {
  readonly dump?: (dump: KernelDump) => KernelDump;
  readonly firewall?: (table: string) => string | undefined;
  readonly firewallDrift?: string;
  readonly routes?: (routes: Map<Ipv4, Route>) => void;
  /** The nft tables of other programs, as nft prints them. */
  readonly foreign?: string;
  /** Members that answer no ping. */
  readonly silent?: readonly Ipv6[];
  /** The kernel refuses every item for this reason. */
  readonly failure?: MeshError;
  readonly members?: (members: readonly Member[]) => readonly Member[];
}

/** The state that the agent on `node` reports to a trace, with the faults of `spoilt`. */
export function stateAt(node: HostName, spoilt: Spoilt = {}): PathState {
  const machine = MACHINES[node] as MachineWord;
  const members = (['host0', 'node1', 'node2'] as const).map((name) => memberOf(name, node));
  const host0: Host0Stance =
    node === 'host0'
      ? { role: 'host0', segments: SEGMENTS, nics: [] }
      : {
          role: 'node',
          ipv4: OUTER[node].host0 as Ipv4,
          local: OUTER[node][node] as Ipv4,
          onLink: true,
          segments: SEGMENTS.map(({ subnet }) => subnet),
          reachable: [],
        };
  const listed = spoilt.members?.(members) ?? members;
  const desired = desiredItems({
    routes: false,
    machine,
    host0,
    document: nodeDocument([meshAttachment({ network: manage, members: listed, host0Answers: true })], {
      segments: node === 'host0' ? SEGMENTS : [],
    }),
    ports: [],
  });
  const whole = dumpOf(desired, node);
  const kernel = KernelTables.of(spoilt.dump?.(whole) ?? whole);
  const routes = routesOf(node);
  spoilt.routes?.(routes);
  const table = tableOf(desired);
  const { bridgeMac: mac, ipv6 } = memberAddresses(manage, machine);
  return {
    node,
    role: host0.role,
    segments: host0.role === 'host0' ? host0.segments : [],
    network: manage,
    self: { mac, ipv6 },
    members: listed,
    desired,
    observed: observedItems(kernel, desired),
    kernel,
    firewall: spoilt.firewall === undefined ? table : spoilt.firewall(table),
    firewallDrift: spoilt.firewallDrift ?? '',
    failureOf: () => spoilt.failure,
    foreign: parseChains(spoilt.foreign ?? ''),
    silent: new Set(spoilt.silent ?? []),
    routes,
  };
}

/** Index of the mesh's bridge, on every machine. */
export const BRIDGE = 10;
/** Index of the mesh's VXLAN device, on every machine. */
export const VXLAN = 11;
const PLAIN = { disableIpv6: 0, acceptRa: 0, autoconf: 0, acceptRedirects: 0, acceptRedirects4: 0, arpIgnore: 1 };

/** A NIC that is up and forwards, outside of any bridge; the last digit of its MAC address is that of its index. */
export function portLink(index: number, name: string, more: Partial<Link> = {}): Link {
  return {
    index,
    name,
    kind: '',
    mac: `06:00:00:00:00:0${index % 10}` as Mac,
    mtuBytes: 1500,
    up: true,
    running: true,
    loopback: false,
    master: 0,
    group: 0,
    alias: '',
    addressMode: 'none',
    forwards: true,
    conf: PLAIN,
    ...more,
  };
}

/** A kernel that has all desired items. */
function dumpOf(desired: ItemMap, node: HostName): KernelDump {
  const links: Link[] = nicsOf(node).map(({ index, device }) => portLink(index, device));
  const addresses: Address[] = nicsOf(node).map(({ index, ipv4 }) => ({
    family: 4,
    link: index,
    address: ipv4,
    length: 24,
    scope: 'global',
    tentative: false,
    nodad: false,
    protocol: 0,
  }));
  const neighbours: Neighbour[] = [];
  const fdb: FdbEntry[] = [];
  const routes: Route[] = [];
  for (const item of desired.values()) {
    if (item.kind === 'link') {
      const [index, master] = item.device === 'bridge' ? [BRIDGE, 0] : [VXLAN, BRIDGE];
      links.push({ ...portLink(index, item.name), ...item, kind: item.device, index, master, running: true });
    } else if (item.kind === 'address') {
      const { address, length } = item;
      addresses.push({
        family: 6,
        link: BRIDGE,
        address,
        length,
        scope: 'global',
        tentative: false,
        nodad: true,
        protocol: 0,
      });
    } else if (item.kind === 'neighbour') {
      const { address, mac } = item;
      neighbours.push({
        family: 6,
        link: BRIDGE,
        address,
        mac,
        state: 'permanent',
        externLearn: true,
        protocol: OUR_PROTOCOL,
      });
    } else if (item.kind === 'fdb') {
      const { table, mac, remoteVtep, state } = item;
      fdb.push({
        table,
        link: VXLAN,
        mac,
        state,
        externLearn: true,
        sticky: false,
        ...(remoteVtep && { remoteVtep }),
      });
    } else if (item.kind === 'route') {
      const { destination, gateway } = item;
      routes.push({ family: 4, destination, gateway, table: 254, protocol: OUR_PROTOCOL, scope: 0, metric: 0 });
    }
  }
  return { links, addresses, neighbours, fdb, routes };
}

function nicsOf(node: HostName): { index: number; device: string; ipv4: Ipv4 }[] {
  if (node === 'host0') return SEGMENTS.map(({ device, ipv4 }, number) => ({ index: 2 + number, device, ipv4 }));
  return [{ index: 2, device: 'eth0', ipv4: OUTER[node][node] as Ipv4 }];
}

/** The answers of the kernel to a route lookup for each member. */
function routesOf(node: HostName): Map<Ipv4, Route> {
  const routes = new Map<Ipv4, Route>();
  for (const address of Object.values(OUTER[node]) as Ipv4[]) {
    const near = nicsOf(node).find(({ ipv4 }) => segmentOf(ipv4) === segmentOf(address));
    const source = (near ?? nicsOf(node)[0])?.ipv4;
    routes.set(address, {
      family: 4,
      destination: `${address}/32`,
      link: near?.index ?? 2,
      ...(source !== undefined && { source }),
      ...(near === undefined && { gateway: OUTER[node].host0 as Ipv4 }),
      table: 254,
      protocol: 2,
      scope: 0,
      metric: 0,
    });
  }
  return routes;
}

function segmentOf(address: Ipv4): string {
  return address.split('.').slice(0, 3).join('.');
}

/** Our inet table as `nft list table` prints it, with two elements in a line. */
function tableOf(desired: ItemMap): string {
  const item = desired.get('nft:inet meshwork');
  if (item?.kind !== 'ruleset') throw new Error('there is no inet table');
  const sets = [...item.sets].map(([name, { declaration, elements }]) => {
    const list = elements.size === 0 ? '' : `\t\telements = { ${[...elements].join(',\n\t\t\t     ')} }\n`;
    return `\tset ${name} {\n\t\t${declaration}\n${list}\t}\n`;
  });
  return `table inet meshwork {\n${sets.join('\n')}${item.body.replaceAll('  ', '\t')}}\n`;
}
