/** The list of nodes, derived from the members of all meshes: one node for each machine. */
import type { Network } from '../../model/network/network.ts';
import type { NodeView } from '../../protocol/documents/views.ts';
import type { MemberPresence } from '../membership/membership.ts';

/** A mesh with its present and recent members. */
export interface MeshSightings {
  readonly network: Network;
  readonly sightings: readonly MemberPresence[];
}

/** All nodes but host0, by name. A node that is a member of any mesh now is online. */
export function nodesOf(meshes: readonly MeshSightings[], nowMs: number): readonly NodeView[] {
  const byNode = new Map<string, { readonly network: Network; readonly sighting: MemberPresence }[]>();
  for (const { network, sightings } of meshes) {
    for (const sighting of sightings) {
      // A poller that never gave a machine id: its members in several meshes have only the name in common.
      const key = sighting.record.machine ?? `poller ${sighting.record.name}`;
      const same = byNode.get(key);
      if (same === undefined) byNode.set(key, [{ network, sighting }]);
      else same.push({ network, sighting });
    }
  }
  return [...byNode.values()].map((seen) => nodeOf(seen, nowMs)).sort((a, b) => (a.name < b.name ? -1 : 1));
}

function nodeOf(
  seen: readonly { readonly network: Network; readonly sighting: MemberPresence }[],
  nowMs: number,
): NodeView {
  const latest = seen.map(({ sighting }) => sighting).reduce((a, b) => (fresher(b, a) ? b : a));
  const { machine, name, ipv4 } = latest.record;
  return {
    name,
    ...(machine !== undefined && { machine }),
    role: 'node',
    online: latest.online,
    ipv4,
    lastSeenMsAgo: Math.round(nowMs - latest.heardMs),
    meshes: seen
      .filter(({ sighting }) => sighting.online === latest.online)
      .map(({ network, sighting: { record, state } }) => ({
        network: network.id,
        name: network.name,
        mac: record.mac,
        ipv6: record.ipv6,
        state,
      })),
  };
}

function fresher(a: MemberPresence, b: MemberPresence): boolean {
  return a.online === b.online ? a.heardMs > b.heardMs : a.online;
}
