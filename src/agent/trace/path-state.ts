/** What an agent knows of a network and of its kernel when it shows its part of a path: one fresh look. */
import type { Route } from '../../kernel/rtnl/objects.ts';
import { type Ipv4, isIpv4 } from '../../model/address/ipv4.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { Mac } from '../../model/address/mac.ts';
import { type Member, memberAddresses } from '../../model/network/member.ts';
import type { Network } from '../../model/network/network.ts';
import type { Segment } from '../../protocol/documents/assignment.ts';
import type { PathPoint, PathQuery } from '../../protocol/documents/trace.ts';
import type { Agent } from '../agent.ts';
import type { ItemMap } from '../items/item.ts';
import type { KernelCache } from '../kernel/kernel-cache.ts';
import { stepDifferences } from '../loop/plan.ts';
import { membersOf } from '../view/agent-view.ts';

export interface PathState {
  readonly node: string;
  readonly role: 'host0' | 'node';
  /** host0's segments, if this is host0. */
  readonly segments: readonly Segment[];
  readonly network: Network;
  readonly self: { readonly mac: Mac; readonly ipv6: Ipv6 };
  /** All members that this node knows of, itself among them. */
  readonly members: readonly Member[];
  readonly desired: ItemMap;
  readonly observed: ItemMap;
  readonly kernel: KernelCache;
  /** Our inet table as nft prints it; undefined when there is none. */
  readonly firewall: string | undefined;
  /** How that table is not the agent's; empty when it is. */
  readonly firewallDrift: string;
  /** The ways to the outer addresses of both ends; no entry where there is none. */
  readonly routes: ReadonlyMap<Ipv4, Route>;
}

/** @throws MESH_KERNEL_REFUSED */
export async function collectPathState(agent: Agent, network: Network, { from, to }: PathQuery): Promise<PathState> {
  const { kernel } = agent.input;
  const [firewall, drift] = await Promise.all([kernel.listRuleset('inet'), agent.reconciler.drift()]);
  const { kernel: fresh, observed } = drift;
  const rules = drift.steps.find(({ item }) => item.kind === 'ruleset' && item.family === 'inet');
  const { desired } = agent.reconciler;
  const { bridgeMac: mac, ipv6 } = memberAddresses(network, agent.input.machine);
  const members = membersOf(agent, network);
  const host0 = agent.source.host0Stance();
  const outer = new Set([from, to].flatMap((point) => outerAddresses(point, network, members, fresh)));
  const routes = new Map<Ipv4, Route>();
  for (const address of outer) {
    const route = await kernel.routeTo(address).catch(() => undefined);
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

/** Where the member should be, and where the kernel's entry for it leads. */
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
