/** host0's part of a path between two of its segments: it forwards the VXLAN packets. Pure. */
import type { Link } from '../../kernel/rtnl/objects.ts';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { PathPart, TraceHop } from '../../protocol/documents/trace.ts';
import type { End } from './end.ts';
import type { PathFacts } from './facts.ts';
import { forwardingHop } from './firewall-hop.ts';
import { differs, fine } from './hop.ts';
import { unlisted } from './sender.ts';
import { routeText, underlayHop } from './underlay-hop.ts';

export function routerPart(facts: PathFacts, from: End, to: End): PathPart {
  for (const end of [from, to]) if (end.member === undefined) return { hops: [unlisted(facts, end)] };
  const comesIn = linkTo(facts, from.member?.ipv4);
  const goesOut = linkTo(facts, to.member?.ipv4);
  const hops: TraceHop[] = [underlayHop(facts, comesIn)];
  if (comesIn !== undefined) hops.push(settingHop(facts, comesIn));
  if (comesIn !== undefined && goesOut !== undefined) hops.push(forwardingHop(facts, [comesIn.name, goesOut.name]));
  hops.push(routeHop(facts, to.member?.ipv4), underlayHop(facts, goesOut));
  return { hops };
}

function linkTo({ routes, kernel }: PathFacts, ipv4: Ipv4 | undefined): Link | undefined {
  const index = ipv4 === undefined ? undefined : routes.get(ipv4)?.link;
  return index === undefined ? undefined : kernel.links.get(index);
}

function settingHop({ node }: PathFacts, { name, forwards }: Link): TraceHop {
  if (forwards) return fine(node, 'forwarding', `what comes in on ${name} is forwarded`);
  const remedy = `On ${node}: \`sysctl net.ipv4.conf.${name}.forwarding=1\`, or \`mesh doctor --fix\`.`;
  return differs(node, 'forwarding', `what comes in on ${name} is not forwarded`, 'it is', remedy);
}

function routeHop(facts: PathFacts, to: Ipv4 | undefined): TraceHop {
  const route = to === undefined ? undefined : facts.routes.get(to);
  if (route !== undefined) return fine(facts.node, 'route', `${to} ${routeText(facts, route)}`);
  const remedy = `Give ${facts.node} an address on the segment of ${to}, or a route to it.`;
  return differs(facts.node, 'route', `there is no route to ${to}`, `there is a route to ${to}`, remedy);
}
