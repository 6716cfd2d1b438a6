/** What the node itself adds to the table `inet meshwork`: its way to host0, or on host0 its segments. */
import { VXLAN_PORT } from '../../../model/network/types/vxlan.ts';
import { nftName } from '../../items/nft-text.ts';
import { OUTSIDER_CHAIN, OUTSIDERS_SET } from '../../items/outsider.ts';
import type { OnLinkSubnet } from '../../kernel/shared-subnets.ts';
import type { Host0Stance } from '../assignment.ts';
import { behindHost0 } from '../vxlan-way.ts';
import type { ChainShare, RuleContribution } from './contribution.ts';
import { ELSEWHERE, INET_PLACE } from './inet-table.ts';

/** The VNI: the 24 bits after the UDP header (64 bits) and the VXLAN flags (32 bits), RFC 7348 §5. */
export const VNI = '@th,96,24';

/** Name of the chain that drops VXLAN packets which came in where their source is not. */
export const WRONG_NIC_CHAIN = 'wrong-nic';

/** How VXLAN packets of strangers are dropped: on host0, where nodes ask to join, their senders are counted. */
export function dropStranger(role: Host0Stance['role']): string {
  return role === 'host0' ? `goto ${OUTSIDER_CHAIN}` : 'drop';
}

/**
 * The contribution of the node.
 * @param onLink subnets that several NICs are on, by NIC
 * @param routes the administrator has enabled IP forwarding: traffic from a segment to other links is left alone
 */
export function underlayRules(host0: Host0Stance, onLink: readonly OnLinkSubnet[], routes: boolean): RuleContribution {
  const segments = host0.role === 'host0' ? host0.segments : (host0.leads?.segments ?? []);
  // Any machine on a segment may ask to join.
  const open = segments.flatMap(({ device, also = [], subnet }) =>
    [device, ...also].map((nic) => `udp dport ${VXLAN_PORT} iifname ${nftName(nic)} ip saddr ${subnet} accept`),
  );
  const separated = segments.length > 1 ? segments.map(({ device }) => nftName(device)) : [];
  const believed = [...onLink, ...behindHost0(host0)];
  return {
    number: 0,
    what: 'underlay',
    inet: {
      sets: [
        { name: 'segments', declaration: 'type ifname', elements: separated, kind: 'sized' },
        // VXLAN packets leave by these NICs only if they came in where their source is.
        {
          name: 'underlay',
          declaration: 'type ifname',
          elements: segments.map(({ device }) => nftName(device)),
          kind: 'sized',
        },
        ...(separated.length === 0
          ? []
          : [
              {
                name: 'within_segments',
                declaration: 'type ifname . ifname',
                elements: separated.map((name) => `${name} . ${name}`),
                kind: 'sized' as const,
              },
            ]),
      ],
      filled: host0.role === 'host0' ? [OUTSIDERS] : [],
      chains: [
        ...(host0.role === 'host0' ? [OUTSIDER] : []),
        { name: INET_PLACE.open, rules: open },
        {
          name: WRONG_NIC_CHAIN,
          // A source address is easily made up. It is believed on the NIC that the route to it uses, so that nobody on another
          // NIC sends as a member. Where two NICs are on one segment, the route uses one of them, and packets come in by both.
          // A source without any route is none that can be answered: a node that has just started gets its routes in a moment.
          rules: [`fib saddr oif exists counter name ${ELSEWHERE}`, dropStranger(host0.role)],
        },
        {
          name: ELSEWHERE,
          rules: believed.map(({ device, subnet }) => `iifname ${nftName(device)} ip saddr ${subnet} return`),
        },
        {
          name: INET_PLACE.within,
          // A segment may be on a bridge of the administrator.
          rules: separated.length === 0 ? [] : ['meta iifkind "bridge" iifname . oifname @within_segments accept'],
        },
        {
          name: INET_PLACE.underlay,
          rules: [`iifname @segments ${routes ? 'oifname @segments ' : ''}drop`],
        },
      ],
    },
  };
}

/** Senders can make up addresses, so their number is limited. A packet that finds no place is dropped all the same. */
const OUTSIDERS = {
  name: OUTSIDERS_SET,
  declaration: `typeof iifname . ip saddr . ${VNI}; size 64; flags dynamic,timeout; timeout 10m;`,
};
const OUTSIDER: ChainShare = {
  name: OUTSIDER_CHAIN,
  rules: [`update @${OUTSIDERS_SET} { iifname . ip saddr . ${VNI} counter }`, 'drop'],
};
