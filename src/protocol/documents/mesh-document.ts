/**
 * A mesh as JSON. Beside the parts of the network it has the fields `devices` and `fabric`, by which the version before knew
 * a mesh: an agent and scripts of that version go on reading them. This version reads them in no document that has the parts.
 */
import type { Mesh } from '../../model/network/mesh.ts';

/** A mesh with the fields of the version before. */
export interface MeshDocument extends Mesh {
  readonly devices: { readonly vxlan: string; readonly bridge: string };
  readonly fabric: FormerFabric;
}

/** What carries a mesh, in documents of the version before. */
export interface FormerFabric extends Pick<Mesh['hostAddress'], 'key' | 'prefix'>, Pick<Mesh, 'mtuBytes'> {
  readonly kind: 'mesh';
  readonly vni: Mesh['type']['vni'];
}

/** The document of a mesh. */
export function meshDocument(mesh: Mesh): MeshDocument {
  const { bridge, type, hostAddress, mtuBytes } = mesh;
  const { key, prefix } = hostAddress;
  return {
    ...mesh,
    devices: { vxlan: type.device, bridge: bridge.name },
    fabric: { kind: 'mesh', vni: type.vni, key, prefix, mtuBytes },
  };
}
