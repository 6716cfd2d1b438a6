/**
 * What the node adds to the table `inet meshwork` where it forwards for its networks alone. Linux forwards what comes in on a link, wherever it
 * goes: without these rules, a machine with a NAT network would be a router between its own cards.
 */
import { nftName } from '../../../items/nft-text.ts';
import type { ForeignLink } from '../../../kernel/foreign-links.ts';
import type { RuleContribution, SetShare } from '../contribution.ts';
import { INET_PLACE } from '../inet-table.ts';

type Links = readonly Pick<ForeignLink, 'device' | 'kind'>[];

/** The links on which only the agent has switched forwarding on, by the family of packets. */
export interface LentForwarding {
  readonly ip: Links;
  readonly ip6: Links;
}

const WITHIN_SET = 'within_lent';

/** The contribution of the node. What goes to a network, or comes from one, has been judged before. */
export function lentRules(lent: LentForwarding): RuleContribution {
  const families = (['ip', 'ip6'] as const).filter((family) => lent[family].length > 0);
  const bridges = new Set([...lent.ip, ...lent.ip6].flatMap(({ device, kind }) => (kind === 'bridge' ? [device] : [])));
  const sets = families.map((family) => setOf(`lent_${family}`, 'type ifname', lent[family].map(nameOf)));
  const pairs = Array.from(bridges, (device) => `${nftName(device)} . ${nftName(device)}`);
  return {
    number: 0,
    what: 'lent forwarding',
    inet: {
      sets: pairs.length === 0 ? sets : [...sets, setOf(WITHIN_SET, 'type ifname . ifname', pairs)],
      chains: [
        {
          name: INET_PLACE.lent,
          rules: [
            // With br_netfilter, frames between the ports of a bridge pass here.
            ...(pairs.length === 0 ? [] : [`meta iifkind "bridge" iifname . oifname @${WITHIN_SET} accept`]),
            ...families.map(
              (family) => `meta nfproto ${family === 'ip' ? 'ipv4' : 'ipv6'} iifname @lent_${family} drop`,
            ),
          ],
        },
      ],
    },
  };
}

function nameOf({ device }: Links[number]): string {
  return nftName(device);
}

function setOf(name: string, declaration: string, elements: readonly string[]): SetShare {
  return { name, declaration, elements, kind: 'sized' };
}
