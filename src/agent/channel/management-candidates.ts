/** The meshes in which a node looks for host0's endpoint for channels. host0.conf names the mesh; a node does not have that file. */
import type { Mesh } from '../../model/network/mesh.ts';

const USUAL_NAME = 'manage';

/** All meshes, with the one first that host0 most often uses. */
export function byLikelihood(networks: readonly Mesh[]): readonly Mesh[] {
  return networks.toSorted((a, b) => Number(b.name === USUAL_NAME) - Number(a.name === USUAL_NAME));
}
