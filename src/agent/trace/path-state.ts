/**
 * The state of a network and of its kernel that an agent's part of a path is computed from. It is read once per
 * request.
 */

import type { KernelTables } from '../../kernel/mirror/kernel-tables.ts';
import type { Route } from '../../kernel/rtnl/objects.ts';
import { type Ipv4, isIpv4 } from '../../model/address/ipv4.ts';
import { type Ipv6, isLinkLocal } from '../../model/address/ipv6.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { MeshError } from '../../model/error.ts';
import type { Member } from '../../model/network/member.ts';
import { ipv6In, nodeAddresses } from '../../model/network/node-addresses.ts';
import { VXLAN_PORT } from '../../model/network/types/vxlan.ts';
import type { VxlanNetwork } from '../../model/network/vxlan-network.ts';
import type { Segment } from '../../protocol/documents/assignment.ts';
import type { PathPoint, PathQuery } from '../../protocol/documents/trace.ts';
import type { Agent } from '../agent.ts';
import { type Chain, parseChains } from '../firewall/chain.ts';
import type { ItemMap } from '../items/item.ts';
import type { ItemKey } from '../items/item-kind.ts';
import { TABLE } from '../items/ruleset.ts';
import { stepDifferences } from '../loop/plan.ts';
import { membersOf } from '../view/agent-view.ts';

/** An answer takes a millisecond, and seconds on a busy machine. The asker of a path waits for four seconds. */
const PING_TIMEOUT_MS = 800;
const PINGS = 2;

/** All input of `pathView`: the desired items, a fresh dump of the kernel, the nft table, and the routes. */
export interface PathState {
  /** This node's name. */
  readonly node: string;
  readonly role: 'host0' | 'node';
  /** host0's segments; empty on a node. */
  readonly segments: readonly Segment[];
  readonly network: VxlanNetwork;
  /** This node's addresses in the network. */
  readonly self: { readonly mac: Mac; readonly ipv6: Ipv6 };
  /** All members that this node knows, itself included. */
  readonly members: readonly Member[];
  readonly desired: ItemMap;
  readonly observed: ItemMap;
  /** Filled from a new dump, and not the agent's own cache. */
  readonly kernel: KernelTables;
  /** Meshwork's inet table as nft prints it; undefined when there is none. */
  readonly firewall: string | undefined;
  /** How that table differs from the one that the agent wants; empty when it does not. */
  readonly firewallDrift: string;
  /** Why the kernel refuses an item again and again, or one that the item waits for; undefined when it does not. */
  readonly failureOf: (key: ItemKey) => MeshError | undefined;
  /** The chains of the other programs' nft tables. */
  readonly foreign: readonly Chain[];
  /** Members at the other end of the path that answered no ping of this node. */
  readonly silent: ReadonlySet<Ipv6>;
  /** The kernel's routes to the outer addresses of both ends; no entry for an address without a route. */
  readonly routes: ReadonlyMap<Ipv4, Route>;
}

/**
 * Reads the state for one query.
 * @throws MESH_KERNEL_REFUSED
 */
export async function collectPathState(
  agent: Agent,
  network: VxlanNetwork,
  { from, to }: PathQuery,
): Promise<PathState> {
  const { kernel } = agent.input;
  const guestMacs = new Set([from, to].flatMap(({ guest }) => guest?.mac ?? []));
  const { bridgeMac: mac } = nodeAddresses(network, agent.input.machine);
  const self = { mac, ipv6: ipv6In(network, agent.input.machine) };
  // First: a ping makes the kernel look for a neighbour whose entry is missing.
  const drift = await agent.reconciler.drift(guestMacs);
  const { kernel: fresh, observed } = drift;
  const rules = drift.steps.find(({ item }) => item.kind === 'ruleset' && item.family === 'inet');
  const { desired } = agent.reconciler;
  const members = membersOf(agent, network);
  const host0 = agent.source.host0Stance();
  const outer = new Set([from, to].flatMap((point) => outerAddresses(point, network, members, fresh)));
  const routes = new Map<Ipv4, Route>();
  for (const address of outer) {
    const route = await kernel.routeTo(address, VXLAN_PORT).catch(() => undefined);
    if (route !== undefined) routes.set(address, route);
  }
  const [firewall, foreign, silent] = await Promise.all([
    kernel.listRuleset('inet'),
    kernel.ruleset?.() ?? '',
    silentEnd(agent, network, { from, to }),
  ]);
  return {
    node: agent.input.name,
    role: host0.role,
    segments: host0.role === 'host0' ? host0.segments : [],
    network,
    self,
    members,
    desired,
    observed,
    kernel: fresh,
    firewall,
    firewallDrift: rules === undefined ? '' : stepDifferences(rules).join(', ') || rules.action,
    failureOf: (key) => failureOf(agent, key),
    foreign: parseChains(foreign).filter(({ table }) => table !== TABLE),
    silent,
    routes,
  };
}

/** The other end, if this node is one end and the other answers no ping of this node. */
async function silentEnd({ input }: Agent, network: VxlanNetwork, { from, to }: PathQuery): Promise<ReadonlySet<Ipv6>> {
  const own = ipv6In(network, input.machine);
  const other = from.member === own ? to.member : from.member;
  if (other === own || (from.member !== own && to.member !== own)) return new Set();
  const device = isLinkLocal(other) ? network.bridge.name : undefined;
  for (let sent = 0; sent < PINGS; sent++) {
    // Without a route the kernel refuses to send, which the hops show.
    const rttMs = await input.echo(other, PING_TIMEOUT_MS, device).catch(() => undefined);
    if (rttMs !== undefined) return new Set();
  }
  return new Set([other]);
}

function failureOf({ reconciler }: Agent, key: ItemKey): MeshError | undefined {
  const cause = reconciler.waitsFor(key);
  return reconciler.failureOf(key) ?? (cause === undefined ? undefined : reconciler.failureOf(cause));
}

/** The underlay address of the member by this node's list, and the remote VTEPs of the kernel's FDB entries for it. */
function outerAddresses(
  point: PathPoint,
  network: VxlanNetwork,
  members: readonly Member[],
  kernel: KernelTables,
): Ipv4[] {
  const member = members.find(({ ipv6 }) => ipv6 === point.member);
  const mac = point.guest?.mac ?? member?.mac;
  const vxlan = kernel.linkNamed(network.type.device)?.index;
  const entries = [...kernel.fdb.values()].filter(
    (entry) => entry.link === vxlan && entry.table === 'self' && entry.mac === mac,
  );
  const held = entries.flatMap(({ remoteVtep }) =>
    remoteVtep !== undefined && isIpv4(remoteVtep) ? [remoteVtep] : [],
  );
  return member === undefined ? held : [member.ipv4, ...held];
}
