/** What an agent answers when it is asked for its part of a path: as sender, as receiver, or, on host0, in between. Pure. */
import type { PathPart, PathQuery, PathView } from '../../protocol/documents/trace.ts';
import { type End, endOf } from './end.ts';
import type { PathFacts } from './facts.ts';
import { guestHop, receiverPart } from './receiver.ts';
import { routerPart } from './router.ts';
import { senderPart } from './sender.ts';

export function pathView(facts: PathFacts, query: PathQuery): PathView {
  const from = endOf(facts, query.from);
  const to = endOf(facts, query.to);
  return { node: facts.node, forth: partOf(facts, from, to), back: partOf(facts, to, from) };
}

function partOf(facts: PathFacts, from: End, to: End): PathPart {
  const own = facts.self.ipv6;
  if (from.memberIpv6 === own && to.memberIpv6 === own) {
    return { hops: [from, to].filter(({ guest }) => guest).map((end) => guestHop(facts, end)) };
  }
  if (from.memberIpv6 === own) return senderPart(facts, from, to);
  if (to.memberIpv6 === own) return receiverPart(facts, from, to);
  return routerPart(facts, from, to);
}
