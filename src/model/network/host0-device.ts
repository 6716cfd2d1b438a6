/** The device of the host0 that leads, where several machines can be host0. */
import type { Mesh } from './mesh.ts';

/**
 * The macvlan on the bridge of a mesh that has host0's addresses. The bridge keeps those of its own node, so that nothing changes for
 * the others when another machine begins to lead.
 */
export function host0DeviceOf({ type }: Pick<Mesh, 'type'>): string {
  return `host0-${type.vni}`;
}
