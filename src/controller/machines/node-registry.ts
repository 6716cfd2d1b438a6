/** The list of nodes, derived from the members of all meshes: one node for each machine. */
import type { Mesh } from '../../model/network/mesh.ts';
import type { NodeView } from '../../protocol/documents/views.ts';
import type { MemberPresence } from '../membership/membership.ts';

/** A mesh with its present and recent members. */
export interface MeshPresences {
  readonly network: Mesh;
  readonly presences: readonly MemberPresence[];
}

/** All nodes but host0, by name. A node that is a member of any mesh now is online. */
export function nodesOf(meshes: readonly MeshPresences[], nowMs: number): readonly NodeView[] {
  const byNode = new Map<string, { readonly network: Mesh; readonly presence: MemberPresence }[]>();
  for (const { network, presences } of meshes) {
    for (const presence of presences) {
      // A poller that never gave a machine id: its members in several meshes have only the name in common.
      const key = presence.record.machine ?? `poller ${presence.record.name}`;
      const same = byNode.get(key);
      if (same === undefined) byNode.set(key, [{ network, presence }]);
      else same.push({ network, presence });
    }
  }
  return [...byNode.values()].map((seen) => nodeOf(seen, nowMs)).sort((a, b) => (a.name < b.name ? -1 : 1));
}

function nodeOf(
  seen: readonly { readonly network: Mesh; readonly presence: MemberPresence }[],
  nowMs: number,
): NodeView {
  const latest = seen.map(({ presence }) => presence).reduce((a, b) => (fresher(b, a) ? b : a));
  const { machine, name, ipv4 } = latest.record;
  return {
    name,
    ...(machine !== undefined && { machine }),
    role: 'node',
    online: latest.online,
    ipv4,
    lastSeenMsAgo: Math.round(nowMs - latest.heardMs),
    meshes: seen
      .filter(({ presence }) => presence.online === latest.online)
      .map(({ network, presence: { record, state } }) => ({
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
