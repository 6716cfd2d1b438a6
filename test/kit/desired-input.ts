/** What the planner of a node is given: host0 is at 10.11.0.1 on the node's own segment, and the node at 10.11.0.2. */
import {
  type Attachment,
  type DesiredInput,
  meshAttachment,
  type NetworkAttachment,
} from '../../src/agent/desired/assignment.ts';
import { desiredItems } from '../../src/agent/desired/desired.ts';
import type { RuleContribution } from '../../src/agent/desired/rules/contribution.ts';
import { ownBridgeRules } from '../../src/agent/desired/rules/own-bridge-rules.ts';
import { portRules } from '../../src/agent/desired/rules/port-rules.ts';
import { senderRules } from '../../src/agent/desired/rules/sender-rules.ts';
import type { Item } from '../../src/agent/items/item.ts';
import { type Ipv4, parseIpv4 } from '../../src/model/address/ipv4.ts';
import { type MachineWord, parseMachineId } from '../../src/model/machine.ts';
import { memberAddresses } from '../../src/model/network/member.ts';
import type { Mesh } from '../../src/model/network/mesh.ts';
import type { NodeAttachment, NodeDocument } from '../../src/protocol/documents/node-assignment.ts';

const MACHINE = parseMachineId('10eff964');

/** The input of a node with these attachments; other parts may be replaced. @param local the node's own address */
export function nodeInput(
  attachments: readonly (Attachment | NetworkAttachment)[],
  {
    local = parseIpv4('10.11.0.2'),
    machine = MACHINE,
    ports = [],
  }: { readonly local?: Ipv4 } & Partial<Pick<DesiredInput, 'machine' | 'ports'>> = {},
): DesiredInput {
  const ipv4 = parseIpv4('10.11.0.1');
  const host0 = { role: 'node', ipv4, local, onLink: true, segments: [], reachable: [] } as const;
  const networks = attachments.map((one) => ('peers' in one ? one : meshAttachment(one)));
  return { machine, routes: false, host0, document: nodeDocument(networks), ports };
}

/** The document of a node that takes part in these networks. */
export function nodeDocument(
  attachments: readonly NetworkAttachment[],
  underlay: Partial<Pick<NodeDocument, 'segments' | 'nics'>> = {},
): NodeDocument {
  const whole = attachments.map((one): NodeAttachment => ({ reasons: ['port'], services: [], ...one }));
  return { attachments: whole, ports: [], segments: [], nics: [], ...underlay };
}

/** The links of a mesh, and this node's addresses in it. @param local its source address; without it, it is host0 */
export function linksAndAddresses(network: Mesh, machine: MachineWord, local?: Ipv4): Item[] {
  const input = nodeInput([{ network, members: [], host0Answers: true }], { machine, ...(local && { local }) });
  const host0 = { role: 'host0', segments: [], nics: [] } as const;
  const items = [...desiredItems(local === undefined ? { ...input, host0 } : input).values()];
  return (['link', 'address'] as const).flatMap((wanted) => items.filter(({ kind }) => kind === wanted));
}

/** What a mesh with these ports contributes to the nft tables of a machine. */
export function meshRules(network: Mesh, machine: MachineWord, ports: DesiredInput['ports'] = []): RuleContribution[] {
  const own = memberAddresses(network, machine);
  return [
    ownBridgeRules(network, own),
    portRules(network, own, network.type.device, ports),
    senderRules(network, network.type, 'listed', machine === 'host0' ? 'host0' : 'node'),
  ];
}
