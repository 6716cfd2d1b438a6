/** The rules of a way out, as one nft table of the namespace of a network. */
import { createHash } from 'node:crypto';
import { isIpv6 } from '../../kernel/ip.ts';
import { VXLAN_PORT } from '../../model/network/types/vxlan.ts';
import {
  AGENT_PORT,
  CHANNEL_PORT,
  HELLO_PORT,
  MEMBERSHIP_PORT,
  METRICS_PORTS,
} from '../../protocol/documents/tcp-ports.ts';
import { TRANSLATOR_LINK } from '../../services/tayga/tayga-conf.ts';
import { nftElements, nftName } from '../items/nft-text.ts';
import { OUTER_LINK, type OuterPlace, type SourceNat } from '../items/space/outer-place.ts';
import { SPACE_LINK } from '../items/space/service-space.ts';

/** The name of the table. */
export const OUTER_TABLE = 'meshwork-outer';

const TCP_PORTS = [MEMBERSHIP_PORT, AGENT_PORT, ...Object.values(METRICS_PORTS), CHANNEL_PORT];
/** What a line does that judges or changes packets. */
const VERDICT = / (?:accept|drop|snat)\b/g;
const [OUTER, INNER, TRANSLATOR] = [OUTER_LINK, SPACE_LINK, TRANSLATOR_LINK].map(nftName);

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
 * Guests without an address of their own share those of the router. Only what is named here passes between outside and the network,
 * and the servers of the network do not answer outside. What nodes say to each other never passes: a node outside takes a VXLAN
 * packet for one of another node, and a guest could write such a packet. Guests offer to hosts outside what they like over TCP, also
 * at the ports of Meshwork.
 */
function bodyOf({ vxlanPorts, sources, routed, servers, translation }: OuterPlace): string {
  const udp = numbers([VXLAN_PORT, HELLO_PORT, ...vxlanPorts]);
  return [
    '  chain source {',
    '    type nat hook postrouting priority srcnat; policy accept;',
    ...[...translated(translation), ...sources].flatMap(sourceLines),
    '  }',
    '  chain through {',
    '    type filter hook forward priority filter; policy accept;',
    `    oifname ${OUTER} udp dport { ${udp} } drop`,
    `    iifname ${OUTER} udp dport { ${udp} } drop`,
    `    oifname ${OUTER} tcp dport { ${numbers(TCP_PORTS)} } drop`,
    ...(translation === undefined
      ? []
      : [`    iifname ${OUTER} oifname ${TRANSLATOR} accept`, `    oifname ${OUTER} iifname ${TRANSLATOR} accept`]),
    ...serverLines(servers),
    ...guestLines(sources, routed),
    `    iifname ${OUTER} drop`,
    `    oifname ${OUTER} drop`,
    '  }',
    '  chain into {',
    '    type filter hook input priority filter; policy accept;',
    `    iifname ${OUTER} ct state established,related accept`,
    `    iifname ${OUTER} meta l4proto { icmp, ipv6-icmp } accept`,
    `    iifname ${OUTER} drop`,
    '  }',
    '',
  ].join('\n');
}

/** Machines without an address of their own outside have one of the pool inside. */
function translated(translation: OuterPlace['translation']): SourceNat[] {
  if (translation === undefined) return [];
  const { pool, ipv4, shared } = translation;
  return [{ from: [pool, ipv4], to: { first: shared, last: shared } }];
}

/** A client keeps one address of a row (`persistent`). Protocols without ports get a rule of their own. */
function sourceLines({ from, to: { first, last }, ports }: SourceNat): string[] {
  const row = first === last ? nftElements([first]) : `${nftElements([first])}-${nftElements([last])}`;
  const flag = first === last ? '' : ' persistent';
  const match = `    oifname ${OUTER} ip saddr { ${nftElements(from)} }`;
  if (ports === undefined) return [`${match} snat ip to ${row}${flag}`];
  const range = `${numbers([ports.first])}-${numbers([ports.last])}`;
  return [`${match} meta l4proto { tcp, udp } snat ip to ${row}:${range}${flag}`, `${match} snat ip to ${row}${flag}`];
}

/**
 * A server on another router is reached through the network, where its own rules cannot tell outside from guests. It may ask outside,
 * as a resolver does.
 */
function serverLines(servers: OuterPlace['servers'] = []): string[] {
  return [false, true].flatMap((family) => {
    const list = servers.filter((address) => isIpv6(address) === family);
    if (list.length === 0) return [];
    const match = `${family ? 'ip6' : 'ip'} daddr { ${nftElements(list)} } ct state != { established, related }`;
    return [`    iifname ${OUTER} ${match} meta l4proto != { icmp, ipv6-icmp } drop`];
  });
}

/** Guests behind the router's addresses are answered, and are not called. Those that are routed are called as well. */
function guestLines(sources: OuterPlace['sources'], routed: OuterPlace['routed']): string[] {
  const out = `    iifname ${INNER} oifname ${OUTER}`;
  const into = `    iifname ${OUTER} oifname ${INNER}`;
  const hidden = sources.flatMap(({ from }) => from);
  const line = (list: readonly string[], text: (elements: string) => string) =>
    list.length === 0 ? [] : [text(nftElements(list))];
  return [
    ...line(hidden, (elements) => `${out} ip saddr { ${elements} } accept`),
    ...line(hidden, (elements) => `${into} ip daddr { ${elements} } ct state established,related accept`),
    ...[false, true].flatMap((family) => {
      const list = routed.filter((cidr) => cidr.includes(':') === family);
      const ip = family ? 'ip6' : 'ip';
      return [
        ...line(list, (elements) => `${out} ${ip} saddr { ${elements} } accept`),
        ...line(list, (elements) => `${into} ${ip} daddr { ${elements} } accept`),
      ];
    }),
  ];
}

/** Each once, in order: the same ports are the same text. */
function numbers(ports: readonly number[]): string {
  return nftElements([...new Set(ports)].sort((a, b) => a - b).map(String));
}

function markOf(body: string): string {
  return `made-${createHash('sha256').update(body).digest('hex').slice(0, 16)}`;
}
