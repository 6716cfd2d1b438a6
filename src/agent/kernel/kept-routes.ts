/** The routes that an agent reads. */
import type { Route } from '../../kernel/rtnl/objects.ts';
import { OUR_PROTOCOL } from '../items/mark.ts';

/** A route to more than a mesh's /64 comes after the mesh's own. */
const MESH_PREFIX_LENGTH = 64;

/**
 * Whether the agent keeps a route: our own, default routes, and IPv6 routes that can lead a part of a mesh elsewhere. A
 * router has hundreds of thousands of others.
 */
export function isKeptRoute({ family, protocol, destination }: Route): boolean {
  const length = Number(destination.slice(destination.indexOf('/') + 1));
  // The links of default routes cannot be ports.
  return length === 0 || protocol === OUR_PROTOCOL || (family === 6 && length >= MESH_PREFIX_LENGTH);
}
