/**
 * What the firewalls of other programs do with VXLAN packets. A packet must pass the chains of all tables at its hook: one
 * that drops is enough.
 */
import { VXLAN_PORT } from '../../model/network/types/vxlan.ts';
import { type Chain, chainText } from './chain.ts';
import type { Packet } from './packet.ts';
import { effectsOf } from './rule.ts';

/** The hooks that a VXLAN packet meets. */
export type Hook = 'input' | 'output' | 'forward' | 'postrouting';

/** A chain that does not let a VXLAN packet through as it is. */
export interface FirewallBlock {
  /** The chain at the hook. */
  readonly base: Chain;
  /** The chain with the rule; `base` itself for its policy. */
  readonly chain: Chain;
  /** The rule in nft's words, or `policy drop`. */
  readonly rule: string;
  readonly does: 'drop' | 'rewrite';
  /** Whether it surely happens: not every rule can be judged from outside. */
  readonly certain: boolean;
  /** An nft command that lets the packet through. */
  readonly command: string;
}

/** The end of a packet's way through a chain. */
interface Outcome {
  readonly does: 'accept' | 'drop' | 'rewrite' | 'pass';
  readonly chain: Chain;
  readonly rule: string;
}

/** Where Docker leaves room for rules of the administrator: it writes its other chains again at each start. */
const ROOM = 'DOCKER-USER';
/** A chain may jump no deeper (NFT_JUMP_STACK_SIZE, linux/netfilter/nf_tables.h). */
const DEPTH_MAX = 16;

/** The chains at the hook that drop the packet, or rewrite its source, by the chain's family and table. */
export function firewallBlocks(packet: Packet, hook: Hook, chains: readonly Chain[]): FirewallBlock[] {
  return chains.flatMap((base) => {
    if (base.hook !== hook || (base.family !== 'ip' && base.family !== 'inet')) return [];
    const outcomes = outcomesOf(base, packet, chains);
    const [first] = outcomes.filter(hinders);
    if (first === undefined) return [];
    const { does, chain, rule } = first;
    if (does !== 'drop' && does !== 'rewrite') return [];
    return [{ base, chain, rule, does, certain: outcomes.every(hinders), command: commandFor(base, packet, chains) }];
  });
}

/** `ip filter FORWARD: policy drop`. */
export function blockText({ chain, rule }: Pick<FirewallBlock, 'chain' | 'rule'>): string {
  return `${chainText(chain)}: ${rule}`;
}

function hinders({ does }: Outcome): boolean {
  return does === 'drop' || does === 'rewrite';
}

/** The first place for an accepting rule with which the packet passes. */
function commandFor(base: Chain, packet: Packet, chains: readonly Chain[]): string {
  const rule = `udp dport ${VXLAN_PORT} accept`;
  const rooms = chains.filter(({ family, table, name }) => {
    return family === base.family && table === base.table && name === ROOM;
  });
  const place = rooms.find((room) => {
    const mended = chains.map((chain) => (chain === room ? { ...chain, rules: [rule, ...chain.rules] } : chain));
    return !outcomesOf(base, packet, mended).some(hinders);
  });
  return `nft insert rule ${chainText(place ?? base)} ${rule}`;
}

/** What may become of the packet in a base chain. */
function outcomesOf(base: Chain, packet: Packet, chains: readonly Chain[]): Outcome[] {
  return walk(base, packet, chains, 0).map((outcome) => {
    if (outcome.does !== 'pass') return outcome;
    return { does: base.policy ?? 'accept', chain: base, rule: `policy ${base.policy ?? 'accept'}` };
  });
}

function walk(chain: Chain, packet: Packet, chains: readonly Chain[], depth: number): Outcome[] {
  const pass: Outcome = { does: 'pass', chain, rule: '' };
  if (depth > DEPTH_MAX) return [pass];
  const outcomes: Outcome[] = [];
  for (const rule of chain.rules) {
    for (const { match, verdict } of effectsOf(rule, packet)) {
      if (match === 'no') continue;
      if (verdict.does === 'jump' || verdict.does === 'goto') {
        const target = chains.find(({ family, table, name }) => {
          return family === chain.family && table === chain.table && name === verdict.chain;
        });
        const inside = target === undefined ? [] : walk(target, packet, chains, depth + 1);
        const goesOn = verdict.does === 'jump' ? inside.filter(({ does }) => does !== 'pass') : inside;
        outcomes.push(...goesOn);
        const isOver = inside.length > 0 && goesOn.length === inside.length;
        if (match === 'yes' && isOver) return outcomes;
      } else {
        outcomes.push(verdict.does === 'return' ? pass : { does: verdict.does, chain, rule });
        if (match === 'yes') return outcomes;
      }
    }
  }
  return [...outcomes, pass];
}
