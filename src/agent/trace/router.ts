/** host0's part of a path between two of its segments: it forwards the VXLAN packets. Pure. */
import type { Link } from '../../kernel/rtnl/objects.ts';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { PathPart, TraceHop } from '../../protocol/documents/trace.ts';
import type { End } from './end.ts';
import { foreignHops, forwardingHop } from './firewall-hop.ts';
import { differs, fine } from './hop.ts';
import type { PathState } from './path-state.ts';
import { unlisted } from './sender.ts';
import { outerOf, routeText, underlayHop } from './underlay-hop.ts';

/** host0's hops for packets from one end to the other, by its routes to both. */
export function routerPart(pathState: PathState, from: End, to: End): PathPart {
  for (const end of [from, to]) if (end.member === undefined) return { hops: [unlisted(pathState, end)] };
  const comesIn = linkTo(pathState, from.member?.ipv4);
  const goesOut = linkTo(pathState, to.member?.ipv4);
  const hops: TraceHop[] = [underlayHop(pathState, comesIn)];
  if (comesIn !== undefined) hops.push(settingHop(pathState, comesIn));
  if (comesIn !== undefined && goesOut !== undefined) {
    hops.push(forwardingHop(pathState, [comesIn.name, goesOut.name]));
    const packet = { from: comesIn.name, to: goesOut.name, ...outerOf(from.member?.ipv4, to.member?.ipv4) };
    hops.push(...foreignHops(pathState, packet, 'forward'), ...foreignHops(pathState, packet, 'postrouting'));
  }
  hops.push(routeHop(pathState, to.member?.ipv4), underlayHop(pathState, goesOut));
  return { hops };
}

function linkTo({ routes, kernel }: PathState, ipv4: Ipv4 | undefined): Link | undefined {
  const index = ipv4 === undefined ? undefined : routes.get(ipv4)?.link;
  return index === undefined ? undefined : kernel.links.get(index);
}

function settingHop({ node }: PathState, { name, forwards }: Link): TraceHop {
  if (forwards) return fine(node, 'forwarding', `packets that come in on ${name} are forwarded`);
  const remedy = `On ${node}: \`sysctl net.ipv4.conf.${name}.forwarding=1\`, or \`mesh doctor --fix\`.`;
  const held = `packets that come in on ${name} are not forwarded`;
  return differs(node, 'forwarding', held, 'they are forwarded', remedy);
}

function routeHop(pathState: PathState, to: Ipv4 | undefined): TraceHop {
  const route = to === undefined ? undefined : pathState.routes.get(to);
  if (route !== undefined) return fine(pathState.node, 'route', `${to} ${routeText(pathState, route)}`);
  const remedy = `Give ${pathState.node} an address on the segment of ${to}, or a route to it.`;
  return differs(pathState.node, 'route', `there is no route to ${to}`, `there is a route to ${to}`, remedy);
}
