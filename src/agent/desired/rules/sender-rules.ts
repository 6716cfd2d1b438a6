/** What a VXLAN network adds to the tables for its VXLAN: whose packets are taken, and by which NIC. */
import type { Network } from '../../../model/network/network.ts';
import type { VxlanType } from '../../../model/network/types/vxlan.ts';
import { isNftName, nftName } from '../../items/nft-text.ts';
import type { Host0Stance } from '../assignment.ts';
import { VXLANS_SET } from './bridge-table.ts';
import type { ChainShare, RuleContribution } from './contribution.ts';
import { ELSEWHERE, FROM_ELSEWHERE, INET_PLACE } from './inet-table.ts';
import { dropStranger, VNI, WRONG_NIC_CHAIN } from './underlay-rules.ts';

/**
 * Whose VXLAN packets are taken: those of the addresses in the network's set, which come and go with peers; or all that
 * come in by one link from its subnets.
 */
export type Senders = 'listed' | { readonly device: string; readonly subnets: readonly string[] };

/** The contribution of a VXLAN network. */
export function senderRules(
  network: Network,
  type: VxlanType,
  senders: Senders,
  role: Host0Stance['role'],
): RuleContribution {
  const { vni, udpPort, underlay } = type;
  const paths = pathsSet(type);
  return {
    number: network.number,
    what: 'senders',
    inet: {
      // Single addresses, never intervals: after the table is replaced, a set of intervals matches nothing for a moment (one
      // packet was lost in thirty replacements, Linux 6.18).
      sets:
        senders === 'listed'
          ? [{ name: sourceSet(network), declaration: `type ${underlay}_addr`, elements: [], kind: 'late' }]
          : [],
      filled: [
        {
          name: paths,
          declaration: `typeof ${path(type)}; size 4096; flags dynamic,timeout; timeout 5s;`,
          remembers: true,
        },
      ],
      chains: [
        // One rule for all networks: with a rule for each, writing 500 networks took half as long again.
        { name: ELSEWHERE, verdicts: { key: VNI, elements: [`${vni} : goto ${WRONG_NIC_CHAIN}`] } },
        judgement(network, type, senders, dropStranger(role)),
        {
          name: `vxlan-${udpPort}`,
          rules: [FROM_ELSEWHERE],
          verdicts: { key: VNI, elements: [`${vni} : jump ${sourceChain(network)}`] },
        },
        { name: INET_PLACE.known, rules: [`udp dport ${udpPort} ${path(type)} @${paths} accept`] },
        { name: INET_PLACE.senders, rules: [`udp dport ${udpPort} jump vxlan-${udpPort}`] },
      ],
    },
    bridge: { sets: [{ ...VXLANS_SET, elements: [nftName(type.device)] }] },
  };
}

/** Drops VXLAN packets of the network from others than its senders. */
function judgement(network: Network, type: VxlanType, senders: Senders, drop: string): ChainShare {
  const name = sourceChain(network);
  const source = sourceField(type);
  const remember = `${RESERVED} 0 add @${pathsSet(type)} { ${path(type)} }`;
  if (senders === 'listed') {
    // What comes in by a bridge is judged by further rules.
    return { name, rules: [`${source} != @${sourceSet(network)} ${drop}`, `iifname != @bridges ${remember}`] };
  }
  const { device, subnets } = senders;
  const from = (subnet: string) => `iifname ${nftName(device)} ${source} ${subnet} ${remember} return`;
  // Rules, and no set of intervals: see above.
  return { name, rules: [...(isNftName(device) ? subnets.map(from) : []), 'drop'] };
}

/**
 * Name of the set that remembers by which NIC which senders' VXLAN packets come in, for one UDP port and address family:
 * those that have passed all rules. The agent empties the set when a member goes, and when a way changes
 * (`loop/remembered-senders.ts`). While no agent runs, a changed route counts after five seconds: until then packets are taken by
 * the NIC that was right before. Without the set, each packet costs two look-ups of a route and two of sets.
 */
function pathsSet({ udpPort, underlay }: VxlanType): string {
  return `paths_${udpPort}_${underlay}`;
}

/**
 * What is remembered of a packet. Each part has 32 bits, which the kernel loads fastest: the index of the NIC in place of its name,
 * and the VNI with the byte behind it.
 */
function path(type: VxlanType): string {
  return `iif . ${sourceField(type)} . @th,96,32`;
}

/**
 * The reserved byte behind the VNI (RFC 7348 §5). Linux drops packets with another value than 0. They are not remembered, so that no
 * sender fills the set with 256 of them.
 */
const RESERVED = '@th,120,8';

function sourceField({ underlay }: VxlanType): string {
  return underlay === 'ipv4' ? 'ip saddr' : 'ip6 saddr';
}

function sourceChain({ number }: Network): string {
  return `from-${number}`;
}

/** Name of the set with the underlay addresses of a network's members. */
export function sourceSet({ number }: Network): string {
  return `sources_${number}`;
}
