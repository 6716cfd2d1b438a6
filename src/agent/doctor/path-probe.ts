/** Echoes to other members, underlay and mesh apart: where one answers and the other does not, something is in between. */
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import { memberAddresses } from '../../model/network/member.ts';
import type { NetworkView } from '../../protocol/documents/views.ts';
import { proveMtu, type SizedEcho } from '../ping/path-mtu.ts';
import type { PathEvidence } from './evidence.ts';

/** On an idle network an answer takes less than one; a busy machine may take hundreds to send it. */
const TIMEOUT_MS = 1_000;
const ATTEMPTS = 2;
const PAYLOAD_BYTES = 56;
/** Enough to tell one bad machine from a bad segment, and few enough to be done in two seconds. */
const MEMBERS_PROBED = 8;
const NETWORKS_PROBED = 8;

/** host0 first, and on host0 the first members of each network. Networks that are not ready have findings of their own. */
export async function probePaths(views: readonly NetworkView[], echo: SizedEcho): Promise<PathEvidence[]> {
  const probes = views.slice(0, NETWORKS_PROBED).flatMap(({ network, members, self }) => {
    const host0 = memberAddresses(network, 'host0').ipv6;
    const others = members
      .filter(({ ipv6 }) => ipv6 !== self.ipv6)
      .sort((a, b) => Number(b.ipv6 === host0) - Number(a.ipv6 === host0));
    return others.slice(0, MEMBERS_PROBED).map(async (member): Promise<PathEvidence> => {
      const [underlay, mesh] = await Promise.all([answers(member.ipv4, echo), answers(member.ipv6, echo)]);
      // Between the two looks the way may have gone altogether: then nothing is proved.
      const provedBytes = mesh ? await proveMtu(member.ipv6, network.fabric.mtuBytes, echo).catch(() => 0) : 0;
      return { network, member, underlay, mesh, provedBytes };
    });
  });
  return Promise.all(probes);
}

async function answers(address: Ipv4 | Ipv6, echo: SizedEcho): Promise<boolean> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    // The kernel refuses to send where no route leads: that is no answer either.
    const rtt = await echo(address, TIMEOUT_MS, PAYLOAD_BYTES).catch(() => undefined);
    if (rtt !== undefined) return true;
  }
  return false;
}
