/** An agent's part of a path: as the sender, as the receiver, or, on host0, as the router between segments. Pure. */
import type { PathPart, PathQuery, PathView } from '../../protocol/documents/trace.ts';
import { type End, endOf } from './end.ts';
import type { PathState } from './path-state.ts';
import { guestHop, receiverPart } from './receiver.ts';
import { routerPart } from './router.ts';
import { senderPart } from './sender.ts';

/** The answer to `GET /path`: this node's hops in both directions. */
export function pathView(pathState: PathState, query: PathQuery): PathView {
  const from = endOf(pathState, query.from);
  const to = endOf(pathState, query.to);
  return { node: pathState.node, forth: partOf(pathState, from, to), back: partOf(pathState, to, from) };
}

function partOf(pathState: PathState, from: End, to: End): PathPart {
  const own = pathState.self.ipv6;
  if (from.memberIpv6 === own && to.memberIpv6 === own) {
    return { hops: [from, to].filter(({ guest }) => guest).map((end) => guestHop(pathState, end)) };
  }
  if (from.memberIpv6 === own) return senderPart(pathState, from, to);
  if (to.memberIpv6 === own) return receiverPart(pathState, from, to);
  return routerPart(pathState, from, to);
}
