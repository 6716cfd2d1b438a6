/**
 * Sends echoes to other members, both on the underlay and in the mesh. If only the underlay answers, VXLAN packets are
 * blocked between the machines.
 */
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import { type Member, memberAddresses } from '../../model/network/member.ts';
import type { Mesh } from '../../model/network/mesh.ts';
import type { NetworkView } from '../../protocol/documents/views.ts';
import { proveMtu, type SizedEcho } from '../ping/path-mtu.ts';
import type { PathEvidence } from './evidence.ts';

/** On an idle network an answer takes less than 1 ms; a busy machine may need hundreds. */
const TIMEOUT_MS = 1_000;
/** Echoes to an address before it counts as silent. */
export const ATTEMPTS = 2;
const PAYLOAD_BYTES = 56;
/** Enough to tell a narrow path from a narrow segment, and few enough to be done in two seconds. */
const PATHS_MEASURED = 8;
/** A machine has few meshes; more are not probed, so that the doctor stays quick. */
const NETWORKS_PROBED = 8;

/** What the probes need. */
export interface PathProbeInput {
  readonly echo: SizedEcho;
  /** The router on the way to an underlay address; undefined when there is none, or no route. */
  readonly via: (ipv4: Ipv4) => Promise<Ipv4 | undefined>;
}

/**
 * Probes all members of up to 8 networks, in parallel. The result has the first eight members of each network, host0 among
 * them, with the size that their path carries, and every further member that does not answer in the mesh. A network that is
 * not ready also has a finding of its own.
 */
export async function probePaths(views: readonly NetworkView[], input: PathProbeInput): Promise<PathEvidence[]> {
  const probes = views.slice(0, NETWORKS_PROBED).flatMap(({ network, members, self }) => {
    const host0 = memberAddresses(network, 'host0').ipv6;
    const others = members
      .filter(({ ipv6 }) => ipv6 !== self.ipv6)
      .sort((a, b) => Number(b.ipv6 === host0) - Number(a.ipv6 === host0));
    return others.map(async (member, index): Promise<PathEvidence[]> => {
      const mesh = await answers(member.ipv6, input.echo);
      if (mesh && index >= PATHS_MEASURED) return [];
      return [await pathTo(network, member, mesh, input)];
    });
  });
  return (await Promise.all(probes)).flat();
}

async function pathTo(
  network: Mesh,
  member: Member,
  mesh: boolean,
  { echo, via }: PathProbeInput,
): Promise<PathEvidence> {
  const [underlay, router, provedBytes] = await Promise.all([
    answers(member.ipv4, echo),
    via(member.ipv4),
    // The path may be lost between the two probes. Nothing is proved then.
    mesh ? proveMtu(member.ipv6, network.mtuBytes, echo).catch(() => 0) : 0,
  ]);
  return { network, member, underlay, mesh, provedBytes, ...(router !== undefined && { via: router }) };
}

async function answers(address: Ipv4 | Ipv6, echo: SizedEcho): Promise<boolean> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    // Without a route the kernel refuses to send, which counts as no answer.
    const rtt = await echo(address, TIMEOUT_MS, PAYLOAD_BYTES).catch(() => undefined);
    if (rtt !== undefined) return true;
  }
  return false;
}
