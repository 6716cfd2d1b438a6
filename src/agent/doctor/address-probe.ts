/** Looks for underlay addresses, of this machine and of members on its segments, that several network cards have. */

import type { KernelTables } from '../../kernel/mirror/kernel-tables.ts';
import { type Ipv4, ipv4InSubnet, ipv4Subnet } from '../../model/address/ipv4.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { NetworkView } from '../../protocol/documents/views.ts';
import type { SharedAddress, UnderlayLinkEvidence } from './evidence.ts';

/** What the probes need. */
export interface AddressProbeInput {
  readonly networks: readonly NetworkView[];
  readonly underlay: readonly UnderlayLinkEvidence[];
  readonly cache: KernelTables;
  /** Resolves with the Ethernet addresses that answer for each address (kernel/sockets/arp.ts). */
  readonly probe: (
    link: { readonly index: number; readonly mac: Mac },
    targets: readonly Ipv4[],
  ) => Promise<ReadonlyMap<Ipv4, ReadonlySet<Mac>>>;
}

/** A segment has seldom more members; each probe is a broadcast. */
const PROBED_MAX = 256;

/** Probes this machine's address on each segment, and those of the members there. */
export async function sharedAddresses({
  networks,
  underlay,
  cache,
  probe,
}: AddressProbeInput): Promise<SharedAddress[]> {
  const members = new Set(networks.flatMap((network) => network.members.map(({ ipv4 }) => ipv4)));
  const ownMacs = new Set([...cache.links.values()].map(({ mac }) => mac));
  const found = underlay.map(async ({ link, ipv4 }): Promise<SharedAddress[]> => {
    const length = [...cache.addresses.values()].find(
      (candidate) => candidate.address === ipv4 && candidate.link === link.index,
    )?.length;
    if (length === undefined) return [];
    const subnet = ipv4Subnet(ipv4, length);
    const others = [...members].filter((address) => address !== ipv4 && ipv4InSubnet(address, subnet));
    // A link that is down, or without Ethernet addresses, has a finding of its own, or none of these faults.
    const owners = await probe(link, [ipv4, ...others].slice(0, PROBED_MAX)).catch(() => new Map());
    return [...owners].flatMap(([address, answered]: readonly [Ipv4, ReadonlySet<Mac>]) => {
      // Another card of this machine on the same segment answers, too.
      const foreign = [...answered].filter((mac) => !ownMacs.has(mac));
      const macs = address === ipv4 ? [link.mac, ...foreign] : foreign;
      return macs.length > 1 ? [{ ipv4: address, device: link.name, macs }] : [];
    });
  });
  return (await Promise.all(found)).flat();
}
