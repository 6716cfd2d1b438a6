/** The management mesh: the one mesh that host0 and the nodes use to talk. */

/** The name that the management mesh has where `management` in host0.conf says nothing, and there are several meshes. */
const USUAL_NAME = 'manage';

/**
 * Picks the management mesh.
 * @param named `management` of host0.conf
 * @returns undefined while there is no such mesh
 */
export function managementMesh<Mesh extends { readonly network: { readonly name: string } }>(
  meshes: readonly Mesh[],
  named: string | undefined,
): Mesh | undefined {
  if (named === undefined && meshes.length === 1) return meshes[0];
  return meshes.find(({ network }) => network.name === (named ?? USUAL_NAME));
}
