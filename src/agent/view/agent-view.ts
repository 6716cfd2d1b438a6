/**
 * The agent's JSON documents for `mesh status`, `plan`, `drift` and `explain`. They are built from its state; nothing
 * is changed.
 */

import { isIpv6 } from '../../kernel/ip.ts';
import { isIpv4 } from '../../model/address/ipv4.ts';
import { MeshError } from '../../model/error.ts';
import { type Holder, type Member, memberAddresses } from '../../model/network/member.ts';
import { isMesh, type Mesh } from '../../model/network/mesh.ts';
import type { Network } from '../../model/network/network.ts';
import type { NetworkId } from '../../model/network/number.ts';
import { VERSION } from '../../model/version.ts';
import { type Finding, findingOf } from '../../protocol/documents/finding.ts';
import { meshDocument } from '../../protocol/documents/mesh-document.ts';
import type {
  AgentStatus,
  ChannelView,
  DriftView,
  ExplainView,
  NetworkView,
  PlanView,
  StepView,
} from '../../protocol/documents/views.ts';
import type { Agent, ItemState } from '../agent.ts';
import { type Item, kindOf, networkOf } from '../items/item.ts';
import type { ItemKey } from '../items/item-kind.ts';
import { printStep, type Step, stepDifferences } from '../loop/plan.ts';
import { fullTableFinding, fullTables } from './full-tables.ts';
import { type AgentWithGiven, givenNetworkViews, givenReasons, whyHere } from './given-networks.ts';
import { host0IsHere } from './host0-here.ts';
import { listedName, nameTaken } from './listed-name.ts';
import { portFindings } from './port-findings.ts';
import { underlayFindings } from './underlay-findings.ts';

/** The agent, as far as its networks and their members are told. */
export interface AgentWithMembers extends AgentWithGiven, Pick<Agent, 'stateOf'> {
  readonly source: Pick<Agent['source'], 'attachments' | 'host0Stance'>;
  readonly input: AgentWithGiven['input'] & Pick<Agent['input'], 'name'>;
}

/** `GET /v1/status` of the agent. @param upSec how long the process has run, in whole seconds */
export function statusView(agent: Agent, upSec: number, channel?: ChannelView): AgentStatus {
  const { reconciler, source, input } = agent;
  const states = [...reconciler.desired.keys()].map((key) => agent.stateOfItem(key));
  const count = (wanted: ItemState) => states.filter((state) => state === wanted).length;
  return {
    role: 'agent',
    version: VERSION,
    node: input.name,
    machine: input.machine,
    upSec,
    host0: source.host0,
    ...(channel !== undefined && { channel }),
    ...(channel !== undefined &&
      channel.state !== 'none' &&
      input.assignments && { assignment: input.assignments.view }),
    networks: networkViews(agent),
    given: givenNetworkViews(agent),
    items: { owned: states.length, failed: count('failed'), pending: count('pending') },
    health: healthOf(agent),
  };
}

/**
 * `GET /v1/networks` of the agent: each network with its state, this node's addresses in it, and its members with host0
 * first. This node is among the members as soon as it has an underlay address.
 */
export function networkViews(agent: AgentWithMembers): NetworkView[] {
  const { source, input } = agent;
  return source.attachments().map(({ network, members, host0Answers }) => {
    const { bridgeMac: mac, ipv6 } = memberAddresses(network, input.machine);
    const host0 = memberAddresses(network, 'host0');
    const local = source.host0Stance();
    const ipv4 = local.role === 'node' ? local.local : local.segments[0]?.ipv4;
    const name = listedName({ name: input.name, machine: input.machine, network, members });
    const self = ipv4 === undefined ? [] : [{ name, ipv4, mac, ipv6 }];
    const all = [...self, ...members.filter((member) => member.ipv6 !== ipv6)];
    return {
      network: meshDocument(network),
      state: agent.stateOf(network),
      self: { mac, ipv6 },
      members: all.sort((a, b) => rank(a.ipv6, host0.ipv6) - rank(b.ipv6, host0.ipv6)),
      ...(local.role === 'node' && { host0Answers }),
      reasons: agent.networks.reasonsFor(network.id),
    };
  });
}

function rank(ipv6: string, host0: string): number {
  return ipv6 === host0 ? 0 : 1;
}

/** All members of a network that this node knows, itself included, with host0 first. */
export function membersOf(agent: AgentWithMembers, { id }: Network): readonly Member[] {
  return networkViews(agent).find(({ network }) => network.id === id)?.members ?? givenMembers(agent, id);
}

/** The same, and the nodes of networks over IPv6, too. */
export function holdersOf(agent: AgentWithMembers, network: Network): readonly Holder[] {
  const members = membersOf(agent, network);
  const view = givenNetworkViews(agent).find(({ network: { id } }) => id === network.id);
  if (view === undefined) return members;
  const { self, peers = [] } = view;
  const own = self.underlay === undefined ? [] : [{ name: agent.input.name, ...self }];
  const others = peers.flatMap(({ name, underlay, mac, ipv6 }) =>
    isIpv6(underlay) ? [{ name, underlay, mac, ipv6 }] : [],
  );
  return own.length + others.length === 0 ? members : [...own, ...others];
}

/** The nodes that hold a given network over IPv4, this one first. */
function givenMembers(agent: AgentWithMembers, id: NetworkId): readonly Member[] {
  const view = givenNetworkViews(agent).find(({ network }) => network.id === id);
  if (view === undefined) return [];
  const stance = agent.source.host0Stance();
  const ipv4 = stance.role === 'node' ? stance.local : stance.segments[0]?.ipv4;
  const self = ipv4 === undefined ? [] : [{ name: agent.input.name, ipv4, ...view.self }];
  const others = (view.peers ?? []).flatMap(({ name, underlay, mac, ipv6 }) =>
    isIpv4(underlay) ? [{ name, ipv4: underlay, mac, ipv6 }] : [],
  );
  return [...self, ...others];
}

const NETWORKS_UNKNOWN: Finding = {
  code: 'MESH_HOST0_STARTING',
  severity: 'warning',
  object: 'networks',
  message: 'the agent does not know its networks yet',
  remedy: 'Wait a second. On host0, check that its daemon runs: `mesh system status`.',
};

/**
 * The node's findings: of its network files, of networks that failed or wait, of the kernel's features, of the last
 * audit.
 */
export function healthOf(agent: Agent): Finding[] {
  const { name, machine } = agent.input;
  const ofSource = agent.source.findings;
  const findings: Finding[] = agent.source.known || ofSource.length > 0 ? [] : [NETWORKS_UNKNOWN];
  const underlay = underlayFindings(agent);
  const links = new Set(underlay.map(({ object }) => object));
  findings.push(...underlay, ...host0IsHere(agent), ...ofSource);
  for (const { network, members } of agent.source.attachments()) {
    findings.push(...nameTaken({ name, machine, network, members }));
  }
  for (const network of agent.source.networks) {
    const state = agent.stateOf(network);
    if (state.phase === 'failed') findings.push(findingOf(state.error, { object: network.name }));
    else if (state.phase === 'pending' && machine !== 'host0') {
      const error = agent.source.errorOf(network.id);
      // host0 is not to blame while nothing can come in.
      if (error?.code === 'MESH_HOST0_UNREACHABLE' && underlay.length > 0) continue;
      if (error !== undefined) findings.push(findingOf(error, { object: network.name, severity: 'warning' }));
    }
  }
  for (const { network, state } of givenNetworkViews(agent)) {
    if (state.phase === 'failed') findings.push(findingOf(state.error, { object: network.name }));
  }
  findings.push(...tableFindings(agent));
  findings.push(...agent.missingFeatures.findings, ...agent.partFindings, ...agent.input.journal.faults.health());
  // A port that is this machine's link to the underlay has a finding already.
  findings.push(...portFindings(agent).filter(({ code, object }) => code !== 'MESH_PORT_UNFIT' || !links.has(object)));
  if (agent.source.known) findings.push(...agent.outsiders.findings(agent.cache, agent.source.host0Stance()));
  if (agent.reconciler.cacheDifference > 0) {
    findings.push({
      code: 'MESH_INTERNAL',
      severity: 'warning',
      object: 'kernel cache',
      message: `the last audit found ${agent.reconciler.cacheDifference} items that no kernel event had announced`,
      remedy: 'It has been repaired. If it happens again, please report it with `mesh events --json`.',
    });
  }
  return findings;
}

function tableFindings(agent: Agent): Finding[] {
  const members = agent.source.attachments().flatMap((attachment) => attachment.members);
  const nameOf = (ipv4: string) => members.find((member) => member.ipv4 === ipv4)?.name;
  return fullTables(agent.cache, agent.source.networks).map((table) => fullTableFinding(table, nameOf));
}

/** `GET /v1/plan`: the steps that a pass would take now. Only reads; nothing is applied. */
export async function planView(agent: Agent): Promise<PlanView> {
  const { steps } = await agent.reconciler.drift();
  return { steps: steps.map(stepView), findings: underlayFindings(agent) };
}

/** `GET /v1/drift`: the same steps as `planView`, and how many items of the cache differ from the kernel. */
export async function driftView(agent: Agent): Promise<DriftView> {
  const { steps, cacheDifference } = await agent.reconciler.drift();
  return { steps: steps.map(stepView), cacheDifference };
}

function stepView(step: Step): StepView {
  const differences = stepDifferences(step);
  return {
    action: step.action,
    item: step.key,
    text: step.action === 'delete' ? printStep(step) : kindOf(step.item).print(step.item),
    ...(differences.length > 0 && { difference: differences.join(', ') }),
  };
}

/**
 * `GET /v1/explain`: why an object is in this kernel, and which items belong to it.
 * @param object a network's name or id, a device, a member's name or address, or an item's key
 * @throws MESH_OBJECT_UNKNOWN
 */
export async function explainView(agent: Agent, object: string): Promise<ExplainView> {
  const { reconciler } = agent;
  const attachment = explainable(agent).find(({ network, members }) => {
    const { type, bridge } = network;
    if ([network.name, network.id, bridge?.name, deviceOf(type)].includes(object)) return true;
    return members.some((member) => isNamed(member, object));
  });
  const member = attachment?.members.find((candidate) => isNamed(candidate, object));
  const needles = member === undefined ? [object] : [member.mac, member.ipv6, member.ipv4];
  const whole = attachment !== undefined && member === undefined && !isDevice(attachment.network, object);
  const belongs = (key: ItemKey, item: Item) => {
    if (whole) return networkOf(item) === attachment.network.id;
    return needles.some((needle) => key.includes(needle) || kindOf(item).print(item).split(' ').includes(needle));
  };
  const items = [...reconciler.desired].filter(([key, item]) => belongs(key, item));
  const { steps } = await reconciler.drift();
  const unwanted = steps.filter(({ action, key, item }) => action === 'delete' && belongs(key, item));
  const isPort = agent.ports.list().some((view) => view.interface === object);
  if (items.length === 0 && unwanted.length === 0 && attachment === undefined && !isPort) {
    throw new MeshError(
      'MESH_OBJECT_UNKNOWN',
      `nothing of Meshwork's on this node is called ${JSON.stringify(object)}`,
      {
        object,
        remedy: 'Name a network, a device such as br456, a port, a member, an address, or an item of `mesh plan`.',
      },
    );
  }
  const stepOf = new Map(steps.map((step) => [step.key, step]));
  return {
    object,
    ...(attachment !== undefined && { network: documentOf(attachment.network) }),
    reasons: reasonsOf(agent, object, attachment?.network, member?.name),
    items: [
      ...items.map(([key, item]) => ({ item: key, text: kindOf(item).print(item), state: stateOf(stepOf.get(key)) })),
      ...unwanted.map((step) => ({ item: step.key, text: printStep(step), state: 'unwanted' as const })),
    ],
  };
}

function isNamed(
  member: { readonly name: string; readonly ipv4: string; readonly mac: string; readonly ipv6: string },
  object: string,
): boolean {
  return [member.name, member.ipv4, member.mac, member.ipv6].includes(object);
}

function isDevice({ type, bridge }: Network, object: string): boolean {
  return object === deviceOf(type) || object === bridge?.name;
}

function deviceOf(type: Network['type']): string | undefined {
  return type.kind === 'vxlan' ? type.device : undefined;
}

function documentOf(network: Network): Network {
  return isMesh(network) ? meshDocument(network) : network;
}

/** Where an object may belong: the meshes with their members, and the given networks with the other nodes that hold them. */
function explainable(agent: Agent) {
  const given = givenNetworkViews(agent).map(({ network, peers = [] }) => ({
    network,
    members: peers.map((peer) => ({ ...peer, ipv4: peer.underlay })),
  }));
  return [...agent.source.attachments(), ...given];
}

/** Why the object is here: first that of a port, then that of its network. */
function reasonsOf(agent: Agent, object: string, network: Network | undefined, member: string | undefined): string[] {
  const port = agent.ports.list().find((view) => view.interface === object);
  if (port !== undefined) {
    const name = port.networkName ?? port.network;
    const why = port.why === undefined ? '' : `; it waits: ${port.why}`;
    return [`port ${object}: of the network ${name}${why}`, ...givenReasons(agent, name)];
  }
  if (network === undefined) return [];
  return isMesh(network) ? reasons(agent, network, member) : givenReasons(agent, network.name, member);
}

function reasons(agent: Agent, network: Mesh, member: string | undefined): string[] {
  const { vni } = network.type;
  const { prefix, key } = network.hostAddress;
  const {
    type: { device: vxlan },
    bridge: { name: bridge },
  } = network;
  const { machine } = agent.input;
  const links = agent.ports.list().flatMap((port) => (port.network === network.id ? [port.interface] : []));
  const lines = [
    `network ${network.name}: name=${network.name} prefix=${prefix} vni=${vni} key=${key}`,
    `here: ${whyHere(agent.networks.reasonsFor(network.id), links)}`,
    `devices: ${vxlan} carries VNI ${vni} over UDP 4789 and is a port of ${bridge}, where workloads plug in`,
    `addresses: genid(key ${key}, machine ${machine}, ${network.name}${vni}) in ${prefix}`,
  ];
  if (member !== undefined) lines.push(`member ${member}: on host0's list; four entries make it reachable`);
  return lines;
}

function stateOf(step: Step | undefined): 'ready' | 'missing' | 'different' {
  if (step === undefined) return 'ready';
  return step.action === 'create' ? 'missing' : 'different';
}
