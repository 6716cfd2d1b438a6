/** The networks of one node: the meshes of its source, and those that host0 has given it. They are folded into one document. */
import type { KernelTables } from '../kernel/mirror/kernel-tables.ts';
import { MeshError } from '../model/error.ts';
import type { Mesh } from '../model/network/mesh.ts';
import type { Network } from '../model/network/network.ts';
import type { NetworkId } from '../model/network/number.ts';
import { isVxlanNetwork, type VxlanNetwork } from '../model/network/vxlan-network.ts';
import type { AttachmentReason, NodeAttachment, NodeDocument } from '../protocol/documents/node-assignment.ts';
import type { NodeAssignments } from './assignment/node-assignments.ts';
import { foldSources, NOTHING_GIVEN } from './assignment/node-document.ts';
import { type Host0Stance, meshAttachment } from './desired/assignment.ts';
import { KeptSources } from './membership/kept-sources.ts';
import type { Source } from './membership/source.ts';
import type { ForeignPorts } from './ports/foreign-ports.ts';
import { isTapPort, type TapPort } from './ports/guest-ports.ts';

const NONE_GIVEN: readonly NodeAttachment[] = [];

type NetworksOfSource = Pick<Source, 'networks' | 'attachments' | 'settled'>;
type GivenToNode = Pick<NodeAssignments, 'attachments' | 'given'>;

/** One list of both, and names that lead to networks. */
export class NodeNetworks {
  readonly #source: NetworksOfSource;
  readonly #assignments: GivenToNode | undefined;
  readonly #keptSources = new KeptSources();
  /** As the last pass had it. */
  #document: NodeDocument | undefined;
  #known: { meshes: readonly Mesh[]; given: readonly NodeAttachment[]; all: readonly Network[] } | undefined;

  constructor(source: NetworksOfSource, assignments: GivenToNode | undefined) {
    this.#source = source;
    this.#assignments = assignments;
  }

  /** Those that host0 has given, with the other nodes that hold them. The same list until one changes. */
  get given(): readonly NodeAttachment[] {
    return this.#assignments?.attachments ?? NONE_GIVEN;
  }

  /** The same list until a network changes. */
  get all(): readonly Network[] {
    const { networks: meshes } = this.#source;
    const { given } = this;
    if (this.#known?.meshes !== meshes || this.#known.given !== given) {
      this.#known = { meshes, given, all: [...meshes, ...given.map(({ network }) => network)] };
    }
    return this.#known.all;
  }

  /**
   * What the node's files, its administrator and host0 ask for together. The ports of networks that the node has got are plugged
   * from now on, and those that host0 has assigned.
   */
  document(cache: KernelTables, host0: Host0Stance | undefined, ports: ForeignPorts): NodeDocument {
    const source = this.#source;
    ports.fulfil(this.all);
    const files = source
      .attachments()
      .map((mesh) => meshAttachment(this.#keptSources.addTo(mesh, cache, source.settled(mesh.network.id))));
    const given = this.#assignments?.given ?? NOTHING_GIVEN;
    const underlay = host0?.role === 'host0' ? { underlay: host0 } : {};
    const document = foldSources({ files, given, plugged: ports.plugged, ...underlay });
    ports.assign(document.ports.filter((port) => port.id !== undefined && !isTapPort(port)));
    this.#document = document;
    return document;
  }

  /** The ports whose interfaces the agent makes. */
  get taps(): readonly TapPort[] {
    return this.#document?.ports.filter(isTapPort) ?? [];
  }

  /** The name of a network of this node; else its identifier. */
  nameOf(network: NetworkId): string {
    return this.all.find(({ id }) => id === network)?.name ?? network;
  }

  /** Why this node has the network; empty for a network that it does not have, or that the last pass did not know. */
  reasonsFor(network: NetworkId): readonly AttachmentReason[] {
    return this.#document?.attachments.find(({ network: { id } }) => id === network)?.reasons ?? [];
  }

  /** The VXLAN network with this name or identifier. @throws MESH_NET_UNKNOWN; MESH_NOT_SUPPORTED for one of another type */
  vxlanCalled(name: string): VxlanNetwork {
    const network = this.called(name);
    if (isVxlanNetwork(network)) return network;
    throw new MeshError('MESH_NOT_SUPPORTED', `${network.name} is of the type ${network.type.kind}: it has no VXLAN`, {
      object: network.name,
      rule: 'Pings, traces and captures follow the VXLAN of a network.',
      remedy: `\`mesh explain ${network.name}\` shows the devices of the network on this node.`,
    });
  }

  /** The network with this name or identifier. @throws MESH_NET_UNKNOWN */
  called(name: string): Network {
    return calledAmong(this.all, name);
  }
}

/** The devices that a network has on each of its nodes. */
export function deviceKindsOf({ bridge, type }: Network): ('bridge' | 'vxlan')[] {
  return [
    ...(bridge === undefined ? [] : (['bridge'] as const)),
    ...(type.kind === 'vxlan' ? (['vxlan'] as const) : []),
  ];
}

function calledAmong<N extends Network>(networks: readonly N[], name: string): N {
  const network = networks.find((candidate) => candidate.name === name || candidate.id === name);
  if (network !== undefined) return network;
  const names = networks.map((candidate) => candidate.name).join(', ') || 'none';
  throw new MeshError('MESH_NET_UNKNOWN', `there is no network ${JSON.stringify(name)} on this node`, {
    object: name,
    remedy: `It has: ${names}. A network that host0 keeps comes with the first port (\`mesh port plug NETWORK INTERFACE\`); on host0, \`mesh network show NETWORK\` names the nodes that have it.`,
  });
}
