/** Reads one rule in nft's words: whether it matches a VXLAN packet, and its verdict. What it cannot read, it says. */
import { addressMatches, any, both, linkMatches, type Match, negated, type Packet, portMatches } from './packet.ts';

/** What a rule does with a packet that it matches. */
export type Verdict =
  | { readonly does: 'accept' | 'drop' | 'return' | 'rewrite' }
  | { readonly does: 'jump' | 'goto'; readonly chain: string };

/** A verdict, and whether the packet meets it. A rule with a verdict map has several. */
export interface Effect {
  readonly match: Match;
  readonly verdict: Verdict;
}

const REWRITES = new Set(['masquerade', 'snat']);
/** Selectors whose protocol is not UDP over IPv4. */
const OTHER_PROTOCOLS = new Set([
  'tcp',
  'icmp',
  'icmpv6',
  'sctp',
  'dccp',
  'udplite',
  'esp',
  'ah',
  'comp',
  'ip6',
  'arp',
]);
const UDP: ReadonlySet<string> = new Set(['udp', '17']);
const IPV4: ReadonlySet<string> = new Set(['ipv4', 'ip', '2']);

type Selector = (pattern: string) => Match;

/** The effects of a rule on the packet, in order; none for a rule that only counts or logs. */
export function effectsOf(rule: string, packet: Packet): Effect[] {
  const words = rule.match(/"[^"]*"|\{[^}]*\}|[^\s]+/g) ?? [];
  let match: Match = 'yes';
  for (let at = 0; at < words.length; ) {
    const word = words[at] ?? '';
    const verdict = verdictOf(words, at);
    if (verdict !== undefined) return [{ match, verdict }];
    const aside = asideLength(words, at);
    if (aside > 0) {
      at += aside;
      continue;
    }
    const selected = selectorAt(words, at, packet);
    if (selected === 'other protocol') return [];
    if (selected === undefined) {
      match = both(match, 'maybe');
      // A map whose key is unknown may have any of its verdicts.
      if (word === 'vmap') return mapEffects(words[at + 1], () => 'maybe', match);
      at++;
      continue;
    }
    at += selected.words;
    if (words[at] === 'vmap') return mapEffects(words[at + 1], selected.select, match);
    const isNot = words[at] === '!=';
    if (isNot || words[at] === '==') at++;
    const value = valueMatch(words[at] ?? '', selected.select);
    match = both(match, isNot ? negated(value) : value);
    at++;
    if (match === 'no') return [];
  }
  return [];
}

function verdictOf(words: readonly string[], at: number): Verdict | undefined {
  const word = words[at] ?? '';
  if (word === 'accept' || word === 'drop' || word === 'return') return { does: word };
  if (word === 'reject') return { does: 'drop' };
  if (REWRITES.has(word)) return { does: 'rewrite' };
  if (word === 'jump' || word === 'goto') return { does: word, chain: words[at + 1] ?? '' };
  return undefined;
}

/** Number of words that count, log or comment. */
function asideLength(words: readonly string[], at: number): number {
  const word = words[at] ?? '';
  if (word === 'counter') {
    if (words[at + 1] === 'packets') return 5;
    return words[at + 1] === 'name' ? 3 : 1;
  }
  if (word === 'comment') return 2;
  if (word !== 'log') return 0;
  let end = at + 1;
  while (end < words.length && verdictOf(words, end) === undefined) end++;
  return end - at;
}

/** What the words from `at` on select of a packet; undefined where this program does not know. */
function selectorAt(
  words: readonly string[],
  at: number,
  { from, to, source, destination }: Packet,
): { readonly words: number; readonly select: Selector } | 'other protocol' | undefined {
  const word = words[at] ?? '';
  const next = words[at + 1] ?? '';
  if (OTHER_PROTOCOLS.has(word)) return 'other protocol';
  const [key, length] = word === 'meta' ? [next, 2] : [word, 1];
  switch (key) {
    case 'iifname':
    case 'iif':
      return { words: length, select: (name) => linkMatches(name, from) };
    case 'oifname':
    case 'oif':
      return { words: length, select: (name) => linkMatches(name, to) };
    case 'l4proto':
      return { words: length, select: (name) => (UDP.has(name) ? 'yes' : 'no') };
    case 'nfproto':
      return { words: length, select: (name) => (IPV4.has(name) ? 'yes' : 'no') };
  }
  switch (`${word} ${next}`) {
    case 'ip saddr':
      return { words: 2, select: (pattern) => addressMatches(pattern, source) };
    case 'ip daddr':
      return { words: 2, select: (pattern) => addressMatches(pattern, destination) };
    case 'ip protocol':
      return { words: 2, select: (name) => (UDP.has(name) ? 'yes' : 'no') };
    case 'udp dport':
    case 'th dport':
      return { words: 2, select: portMatches };
    case 'ct state':
      return { words: 2, select: (states) => any(states.split(',').map((state) => (state === 'new' ? 'yes' : 'no'))) };
    case 'ct status':
      // A new flow has no status yet, and its destination was not changed.
      return { words: 2, select: () => 'no' };
  }
  return undefined;
}

/** @param value a single value, a list, or a set in braces; a named set can hold anything */
function valueMatch(value: string, select: Selector): Match {
  if (value.startsWith('@')) return 'maybe';
  return any(elementsOf(value).map(select));
}

function elementsOf(value: string): string[] {
  if (!value.startsWith('{')) return [value.replaceAll('"', '')];
  return value
    .slice(1, -1)
    .split(',')
    .map((element) => element.trim().replaceAll('"', ''))
    .filter((element) => element !== '');
}

function mapEffects(map: string | undefined, select: Selector, match: Match): Effect[] {
  if (map === undefined || !map.startsWith('{')) return [];
  return elementsOf(map).flatMap((element) => {
    const [key = '', ...words] = element.split(/\s+:\s+|\s+/);
    const verdict = verdictOf(words, 0);
    const selected = both(match, select(key));
    return verdict === undefined || selected === 'no' ? [] : [{ match: selected, verdict }];
  });
}
