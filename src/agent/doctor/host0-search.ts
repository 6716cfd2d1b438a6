/** Looks for machines on the underlay that answer as host0 of this node's meshes and are not the known host0. */

import type { KernelTables } from '../../kernel/mirror/kernel-tables.ts';
import type { InquiryLink } from '../../kernel/sockets/inquiry.ts';
import type { Solicitation } from '../../kernel/sockets/solicitation.ts';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import { ipv4FromNumber, ipv4ToNumber } from '../../model/address/ipv4.ts';
import { genid } from '../../model/genid.ts';
import type { MachineId, MachineWord } from '../../model/machine.ts';
import { memberAddresses } from '../../model/network/member.ts';
import type { NetworkView } from '../../protocol/documents/views.ts';
import type { Evidence, UnderlayLinkEvidence } from './evidence.ts';

/** What the search needs. */
export interface Host0Search {
  /** This machine: a machine id or `host0`. */
  readonly machine: MachineWord;
  readonly networks: readonly NetworkView[];
  readonly underlay: readonly UnderlayLinkEvidence[];
  readonly cache: KernelTables;
  /** The underlay addresses of the known host0. */
  readonly known: readonly Ipv4[];
  /**
   * Broadcasts a neighbour solicitation inside a VXLAN packet, and resolves with the underlay addresses that answered.
   */
  /** The next machine on the way to an underlay address: a router, or the machine itself. */
  readonly nextHop: (ipv4: Ipv4) => Promise<Ipv4>;
  /** Makes the kernel look up the Ethernet address of a machine on a segment. */
  readonly ping: (ipv4: Ipv4) => Promise<unknown>;
  readonly askUnderlay: (link: InquiryLink, solicitation: Solicitation) => Promise<readonly Ipv4[]>;
}

/** A machine has few meshes; more are not searched, so that the doctor stays quick. */
const NETWORKS_ASKED = 8;

/** Solicits host0's address of each network on each underlay link. Answers from unknown addresses are other host0s. */
export async function otherHost0s(search: Host0Search): Promise<Evidence['otherHost0s']> {
  const links = search.underlay.flatMap((nic) => inquiryLinkOf(nic, search.cache));
  const found = search.networks.slice(0, NETWORKS_ASKED).flatMap(({ network }) => {
    const { bridgeMac: mac, ipv6 } = memberAddresses(network, askerOf(search.machine));
    const target = memberAddresses(network, 'host0').ipv6;
    return links.map(async (link) => {
      const question = { vni: network.type.vni, from: { mac, ipv6 }, target };
      // A link that is down sends nothing, and no other host0 can be reached through it.
      const answers = await search.askUnderlay(link, question).catch(() => []);
      const others = answers.filter((ipv4) => !search.known.includes(ipv4));
      return Promise.all(
        others.map(async (ipv4) => ({ network, ipv4, isKnownMachine: await isKnownMachine(ipv4, link, search) })),
      );
    });
  });
  return (await Promise.all(found)).flat();
}

/** Whether an address on the link is another one of the known host0, as the Ethernet addresses of both tell. */
async function isKnownMachine(ipv4: Ipv4, { index }: InquiryLink, search: Host0Search): Promise<boolean> {
  const hops = await Promise.all(search.known.map(search.nextHop));
  if (hops.includes(ipv4)) return true;
  await Promise.all([ipv4, ...hops].map(search.ping));
  const macOf = (address: Ipv4) => search.cache.neighbourOn(index, address)?.mac;
  const mac = macOf(ipv4);
  return mac !== undefined && hops.some((hop) => macOf(hop) === mac);
}

/**
 * host0 asks with the addresses of an invented machine: no machine answers a solicitation from the solicited address.
 */
function askerOf(machine: MachineWord): MachineWord {
  return machine === 'host0' ? (genid(['machine', 'host0 looking for another'], 8) as MachineId) : machine;
}

function inquiryLinkOf({ link, ipv4 }: UnderlayLinkEvidence, cache: KernelTables): InquiryLink[] {
  const length = [...cache.addresses.values()].find(
    (candidate) => candidate.address === ipv4 && candidate.link === link.index,
  )?.length;
  // A /31 or /32 has no broadcast address, and no room for a third machine.
  if (length === undefined || length > 30) return [];
  const hosts = 2 ** (32 - length) - 1;
  return [
    { device: link.name, index: link.index, ipv4, broadcast: ipv4FromNumber((ipv4ToNumber(ipv4) | hosts) >>> 0) },
  ];
}
