/** The rules of a way out, as one nft table of the namespace of a network. */
import { createHash } from 'node:crypto';
import { VXLAN_PORT } from '../../model/network/types/vxlan.ts';
import { AGENT_PORT, CHANNEL_PORT, MEMBERSHIP_PORT, METRICS_PORTS } from '../../protocol/documents/tcp-ports.ts';
import { TRANSLATOR_LINK } from '../../services/tayga/tayga-conf.ts';
import { nftElements } from '../items/nft-text.ts';
import { OUTER_LINK, type OuterPlace } from '../items/space/outer-place.ts';
import { HELLO_PORT } from '../probe/hello.ts';

/** The name of the table. */
export const OUTER_TABLE = 'meshwork-outer';

const TCP_PORTS = [MEMBERSHIP_PORT, AGENT_PORT, ...Object.values(METRICS_PORTS), CHANNEL_PORT];
/** What a line does that judges or changes packets. */
const VERDICT = / (?:drop|snat) ?/g;

/** The script that makes the table, in place of an older one. */
export function outerScript(outer: OuterPlace): string {
  const body = bodyOf(outer);
  const table = `table inet ${OUTER_TABLE}`;
  return `${table}\ndelete ${table}\n${table} {\n  chain ${markOf(body)} {\n  }\n${body}}\n`;
}

/**
 * Whether the kernel has this table. nft writes rules in its own way, which differs between versions: an empty chain is named after
 * the text that was given to nft, and the rules are counted.
 * @param listed the table as nft lists it; undefined when there is none
 */
export function isOuterTable(outer: OuterPlace, listed: string | undefined): boolean {
  const body = bodyOf(outer);
  const count = (text: string) => text.match(VERDICT)?.length;
  return listed?.includes(`chain ${markOf(body)} `) === true && count(listed) === count(body);
}

/**
 * Guests without an address of their own share that of the router. Nothing else passes between outside and the network. What nodes
 * say to each other never passes: a node outside takes a VXLAN packet for one of another node, and a guest could write such a
 * packet. Guests offer to hosts outside what they like over TCP, also at the ports of Meshwork.
 */
function bodyOf({ address, vxlanPorts, translation: { pool, ipv4 } }: OuterPlace): string {
  const udp = numbers([VXLAN_PORT, HELLO_PORT, ...vxlanPorts]);
  return [
    '  chain source {',
    '    type nat hook postrouting priority srcnat; policy accept;',
    `    oifname "${OUTER_LINK}" ip saddr { ${pool}, ${ipv4} } snat to ${address}`,
    '  }',
    '  chain through {',
    '    type filter hook forward priority filter; policy accept;',
    `    oifname "${OUTER_LINK}" udp dport { ${udp} } drop`,
    `    iifname "${OUTER_LINK}" udp dport { ${udp} } drop`,
    `    oifname "${OUTER_LINK}" tcp dport { ${numbers(TCP_PORTS)} } drop`,
    `    iifname "${OUTER_LINK}" oifname != "${TRANSLATOR_LINK}" drop`,
    `    oifname "${OUTER_LINK}" iifname != "${TRANSLATOR_LINK}" drop`,
    '  }',
    '',
  ].join('\n');
}

/** Each once, in order: the same ports are the same text. */
function numbers(ports: readonly number[]): string {
  return nftElements([...new Set(ports)].sort((a, b) => a - b).map(String));
}

function markOf(body: string): string {
  return `made-${createHash('sha256').update(body).digest('hex').slice(0, 16)}`;
}
