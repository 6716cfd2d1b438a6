/**
 * The state of a network and of its kernel that an agent's part of a path is computed from. It is read once per
 * request.
 */
import type { Route } from '../../kernel/rtnl/objects.ts';
import { type Ipv4, isIpv4 } from '../../model/address/ipv4.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { Mac } from '../../model/address/mac.ts';
import { type Member, memberAddresses } from '../../model/network/member.ts';
import { type Network, VXLAN_PORT } from '../../model/network/network.ts';
import type { Segment } from '../../protocol/documents/assignment.ts';
import type { PathPoint, PathQuery } from '../../protocol/documents/trace.ts';
import type { Agent } from '../agent.ts';
import type { ItemMap } from '../items/item.ts';
import type { KernelCache } from '../kernel/kernel-cache.ts';
import { stepDifferences } from '../loop/plan.ts';
import { membersOf } from '../view/agent-view.ts';

/** All input of `pathView`: the desired items, a fresh dump of the kernel, the nft table, and the routes. */
export interface PathState {
  /** This node's name. */
  readonly node: string;
  readonly role: 'host0' | 'node';
  /** host0's segments; empty on a node. */
  readonly segments: readonly Segment[];
  readonly network: Network;
  /** This node's addresses in the network. */
  readonly self: { readonly mac: Mac; readonly ipv6: Ipv6 };
  /** All members that this node knows, itself included. */
  readonly members: readonly Member[];
  readonly desired: ItemMap;
  readonly observed: ItemMap;
  /** Filled from a new dump, and not the agent's own cache. */
  readonly kernel: KernelCache;
  /** Meshwork's inet table as nft prints it; undefined when there is none. */
  readonly firewall: string | undefined;
  /** How that table differs from the one that the agent wants; empty when it does not. */
  readonly firewallDrift: string;
  /** The kernel's routes to the outer addresses of both ends; no entry for an address without a route. */
  readonly routes: ReadonlyMap<Ipv4, Route>;
}

/**
 * Reads the state for one query.
 * @throws MESH_KERNEL_REFUSED
 */
export async function collectPathState(agent: Agent, network: Network, { from, to }: PathQuery): Promise<PathState> {
  const { kernel } = agent.input;
  const guestMacs = new Set([from, to].flatMap(({ guest }) => guest?.mac ?? []));
  const [firewall, drift] = await Promise.all([kernel.listRuleset('inet'), agent.reconciler.drift(guestMacs)]);
  const { kernel: fresh, observed } = drift;
  const rules = drift.steps.find(({ item }) => item.kind === 'ruleset' && item.family === 'inet');
  const { desired } = agent.reconciler;
  const { bridgeMac: mac, ipv6 } = memberAddresses(network, agent.input.machine);
  const members = membersOf(agent, network);
  const host0 = agent.source.host0Stance();
  const outer = new Set([from, to].flatMap((point) => outerAddresses(point, network, members, fresh)));
  const routes = new Map<Ipv4, Route>();
  for (const address of outer) {
    const route = await kernel.routeTo(address, VXLAN_PORT).catch(() => undefined);
    if (route !== undefined) routes.set(address, route);
  }
  return {
    node: agent.input.name,
    role: host0.role,
    segments: host0.role === 'host0' ? host0.segments : [],
    network,
    self: { mac, ipv6 },
    members,
    desired,
    observed,
    kernel: fresh,
    firewall,
    firewallDrift: rules === undefined ? '' : stepDifferences(rules).join(', ') || rules.action,
    routes,
  };
}

/** The underlay address of the member by this node's list, and the remote VTEPs of the kernel's FDB entries for it. */
function outerAddresses(point: PathPoint, network: Network, members: readonly Member[], kernel: KernelCache): Ipv4[] {
  const member = members.find(({ ipv6 }) => ipv6 === point.member);
  const mac = point.guest?.mac ?? member?.mac;
  const vxlan = kernel.linkNamed(network.devices.vxlan)?.index;
  const entries = [...kernel.fdb.values()].filter(
    (entry) => entry.link === vxlan && entry.table === 'self' && entry.mac === mac,
  );
  const held = entries.flatMap(({ remoteVtep }) =>
    remoteVtep !== undefined && isIpv4(remoteVtep) ? [remoteVtep] : [],
  );
  return member === undefined ? held : [member.ipv4, ...held];
}
