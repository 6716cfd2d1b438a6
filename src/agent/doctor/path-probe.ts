/**
 * Sends echoes to other members, both on the underlay and in the mesh. If only the underlay answers, VXLAN packets are
 * blocked between the machines.
 */
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import { memberAddresses } from '../../model/network/member.ts';
import type { NetworkView } from '../../protocol/documents/views.ts';
import { proveMtu, type SizedEcho } from '../ping/path-mtu.ts';
import type { PathEvidence } from './evidence.ts';

/** On an idle network an answer takes less than 1 ms; a busy machine may need hundreds. */
const TIMEOUT_MS = 1_000;
const ATTEMPTS = 2;
const PAYLOAD_BYTES = 56;
/** Enough to tell one bad machine from a bad segment, and few enough to be done in two seconds. */
const MEMBERS_PROBED = 8;
const NETWORKS_PROBED = 8;

/**
 * Probes up to 8 members of up to 8 networks, in parallel, with host0 first. A network that is not ready also has a
 * finding of its own.
 */
export async function probePaths(views: readonly NetworkView[], echo: SizedEcho): Promise<PathEvidence[]> {
  const probes = views.slice(0, NETWORKS_PROBED).flatMap(({ network, members, self }) => {
    const host0 = memberAddresses(network, 'host0').ipv6;
    const others = members
      .filter(({ ipv6 }) => ipv6 !== self.ipv6)
      .sort((a, b) => Number(b.ipv6 === host0) - Number(a.ipv6 === host0));
    return others.slice(0, MEMBERS_PROBED).map(async (member): Promise<PathEvidence> => {
      const [underlay, mesh] = await Promise.all([answers(member.ipv4, echo), answers(member.ipv6, echo)]);
      // The path may be lost between the two probes. Nothing is proved then.
      const provedBytes = mesh ? await proveMtu(member.ipv6, network.fabric.mtuBytes, echo).catch(() => 0) : 0;
      return { network, member, underlay, mesh, provedBytes };
    });
  });
  return Promise.all(probes);
}

async function answers(address: Ipv4 | Ipv6, echo: SizedEcho): Promise<boolean> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    // Without a route the kernel refuses to send, which counts as no answer.
    const rtt = await echo(address, TIMEOUT_MS, PAYLOAD_BYTES).catch(() => undefined);
    if (rtt !== undefined) return true;
  }
  return false;
}
