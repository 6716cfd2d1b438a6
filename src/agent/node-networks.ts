/** The networks of one node: the meshes of its source, and those that host0 has given it. */
import { MeshError } from '../model/error.ts';
import type { Mesh } from '../model/network/mesh.ts';
import type { Network } from '../model/network/network.ts';
import type { NodeAttachment } from '../protocol/documents/node-assignment.ts';
import type { NodeAssignments } from './assignment/node-assignments.ts';
import type { Source } from './membership/source.ts';

const NONE_GIVEN: readonly NodeAttachment[] = [];

/** One list of both, and names that lead to networks. */
export class NodeNetworks {
  readonly #source: Source;
  readonly #assignments: NodeAssignments | undefined;
  #known: { meshes: readonly Mesh[]; given: readonly NodeAttachment[]; all: readonly Network[] } | undefined;

  constructor(source: Source, assignments: NodeAssignments | undefined) {
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

  /** The mesh with this name or identifier. @throws MESH_NET_UNKNOWN */
  meshCalled(name: string): Mesh {
    return calledAmong(this.#source.networks, name);
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
    remedy: `It has: ${names}.`,
  });
}
