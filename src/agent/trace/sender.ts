/** The sender's part of a path: from the sender's bridge to the segment. Pure. */
import { type Ipv4, ipv4InSubnet, isIpv4 } from '../../model/address/ipv4.ts';
import { FLOOD_MAC, type Mac } from '../../model/address/mac.ts';
import type { Member } from '../../model/network/member.ts';
import type { VxlanNetwork } from '../../model/network/vxlan-network.ts';
import type { PathPart, TraceHop } from '../../protocol/documents/trace.ts';
import { itemKey } from '../items/item.ts';
import { type End, linksOf, portOf } from './end.ts';
import { foreignHops } from './firewall-hop.ts';
import { differs, fine, itemDifferences, remedyOf, wantedItem } from './hop.ts';
import { linkHop } from './link-hop.ts';
import type { PathState } from './path-state.ts';
import { linkWith, outerOf, routeText, underlayHop } from './underlay-hop.ts';

/** The sender's hops. @param own this node's end: the node itself, or a guest on its bridge */
export function senderPart(pathState: PathState, own: End, to: End): PathPart {
  const { member } = to;
  if (member === undefined || to.mac === undefined) return { hops: [unlisted(pathState, to)] };
  const hops: TraceHop[] = [linkHop(pathState, 'bridge')];
  // A guest has a neighbour table of its own.
  if (!own.guest) hops.push(neighbourHop(pathState, to));
  hops.push(bridgeEntryHop(pathState, to, to.mac), linkHop(pathState, 'vxlan'));
  const entry = vxlanEntry(pathState, to.mac);
  hops.push(vxlanEntryHop(pathState, member, to, entry), floodEntryHop(pathState, member));

  const sendsTo = entry ?? member.ipv4;
  const route = pathState.routes.get(sendsTo);
  hops.push(routeHop(pathState, sendsTo));
  if (route === undefined) return { hops, sendsTo };
  const sendsFrom = localOf(pathState) ?? route.source;
  const underlayLink = route.link === undefined ? undefined : pathState.kernel.links.get(route.link);
  if (!underlayLink?.loopback) hops.push(underlayHop(pathState, underlayLink ?? linkWith(pathState, member.ipv4)));
  const packet = { ...(underlayLink !== undefined && { to: underlayLink.name }), ...outerOf(undefined, sendsTo) };
  hops.push(...foreignHops(pathState, packet, 'output'));
  if (pathState.silent.has(member.ipv6)) hops.push(silentHop(pathState, member));
  return {
    hops,
    sendsTo,
    ...(sendsFrom !== undefined && isIpv4(sendsFrom) && { sendsFrom }),
    ...(route.gateway !== undefined && isIpv4(route.gateway) && { via: route.gateway }),
  };
}

/** The tables may all be as wanted, and a switch or a firewall between the machines drop the packets. */
function silentHop({ node, network }: PathState, { name, ipv4 }: Member): TraceHop {
  return differs(
    node,
    'agent',
    `${name} answers no ping of ${node} in ${network.name}`,
    `${name} answers`,
    `If every other hop is as wanted, the packets are lost between ${node} and ${name} (${ipv4}): \`mesh doctor\` on both; \`mesh capture ${network.name} --nodes ${node},${name}\` on host0 shows which side sends what.`,
  );
}

/** The only hop when this node does not know the member of an end. */
export function unlisted({ node }: PathState, { memberIpv6 }: End): TraceHop {
  return differs(
    node,
    'member list',
    `${memberIpv6} is not on the list of ${node}`,
    'it is a member',
    `See \`mesh node list\` on host0. If it is there: \`mesh events\` on ${node} shows when it last heard from host0.`,
  );
}

/** The source address of outer packets, if the VXLAN device has a fixed one. */
function localOf(pathState: PathState): string | undefined {
  return linksOf(pathState).vxlan?.vxlan?.local;
}

function neighbourHop(pathState: PathState, to: End): TraceHop {
  const { node, kernel, network } = pathState;
  const { bridge } = linksOf(pathState);
  const { name: link } = network.bridge;
  if (to.ipv6 === undefined)
    return fine(node, 'neighbour', `no IPv6 address of ${to.mac} is known: not needed for frames to it`);
  const held = [...kernel.neighbours.values()].find(
    (entry) => entry.link === bridge?.index && entry.address === to.ipv6,
  );
  const text =
    held === undefined
      ? `there is no entry for ${to.ipv6}`
      : `${to.ipv6} is at ${held.mac ?? 'no known address'} on ${link}, ${held.state}`;
  const item = wantedItem(pathState, 'neighbour', `neighbour:${link} ${to.ipv6}`);
  if (held?.mac === to.mac && (item === undefined || itemDifferences(pathState, itemKey(item)).length === 0)) {
    return fine(node, 'neighbour', text);
  }
  // A missing entry is fine for host0, which the kernel solicits while host0 does not answer, and for a guest.
  if (item === undefined && (held === undefined || held.mac === undefined) && held?.state !== 'failed') {
    return fine(node, 'neighbour', `${text}: the kernel asks for it when needed`);
  }
  return differs(
    node,
    'neighbour',
    text,
    `${to.ipv6} is at ${to.mac} on ${link}`,
    item === undefined ? askedInVain(node, network, to) : remedyOf(pathState, itemKey(item)),
  );
}

function bridgeEntryHop(pathState: PathState, { guest }: End, mac: Mac): TraceHop {
  const { node, network } = pathState;
  const { device: vxlan } = network.type;
  const port = portOf(pathState, mac);
  if (port?.name === vxlan) return fine(node, 'bridge entry', `${mac} is behind ${vxlan}`);
  if (port !== undefined) {
    const remedy = `Something behind ${port.name} of ${node} sends as ${mac}: see \`mesh explain ${port.name}\`.`;
    return differs(node, 'bridge entry', `${mac} is behind ${port.name}`, `${mac} is behind ${vxlan}`, remedy);
  }
  const held = `there is no entry for ${mac}`;
  if (guest) return fine(node, 'bridge entry', `${held}: frames go to every port`);
  return differs(
    node,
    'bridge entry',
    held,
    `${mac} is behind ${vxlan}`,
    remedyOf(pathState, `fdb:${vxlan} master ${mac}`),
  );
}

function askedInVain(node: string, { name }: VxlanNetwork, to: End): string {
  return `The kernel of ${node} asks for it and gets no answer: \`mesh doctor\` on ${node}, and \`mesh ping ${name} ${to.member?.name ?? to.memberIpv6}\` there.`;
}

/** The entry was learnt from frames, and the next frame of the guest changes it. */
function movedGuest(node: string, { name }: VxlanNetwork): string {
  return `${node} has seen frames of this guest from there. If the guest has moved, its next frame changes that; else \`mesh capture ${name}\` shows who sends as it.`;
}

/** The remote VTEP that the VXLAN device's FDB has for an Ethernet address. */
function vxlanEntry(pathState: PathState, mac: Mac): Ipv4 | undefined {
  const { vxlan } = linksOf(pathState);
  for (const { link, table, mac: other, remoteVtep } of pathState.kernel.fdb.values()) {
    if (link !== vxlan?.index || table !== 'self' || other !== mac) continue;
    if (remoteVtep !== undefined && isIpv4(remoteVtep)) return remoteVtep;
  }
  return undefined;
}

function vxlanEntryHop(pathState: PathState, member: Member, to: End, entry: Ipv4 | undefined): TraceHop {
  const { node, network } = pathState;
  const wanted = `${to.mac} leads to ${member.ipv4}`;
  const key = `fdb:${network.type.device} self ${to.mac}`;
  if (entry === undefined) {
    const held = `there is no entry for ${to.mac}`;
    if (to.guest) return fine(node, 'vxlan entry', `${held}: frames go to every member`);
    return differs(node, 'vxlan entry', held, wanted, remedyOf(pathState, key));
  }
  const differences = to.guest ? [] : itemDifferences(pathState, key);
  const held = `${to.mac} leads to ${entry}`;
  if (entry !== member.ipv4)
    return differs(node, 'vxlan entry', held, wanted, to.guest ? movedGuest(node, network) : remedyOf(pathState, key));
  if (differences.length > 0)
    return differs(node, 'vxlan entry', `${held} (${differences.join(', ')})`, wanted, remedyOf(pathState, key));
  return fine(node, 'vxlan entry', held);
}

/**
 * The flood entry of the member in the VXLAN device's FDB. Without it, broadcast and multicast frames do not reach the
 * member, so guests behind it are not found by neighbour solicitations.
 */
function floodEntryHop(pathState: PathState, { ipv4, name }: Member): TraceHop {
  const { node, network } = pathState;
  const key = `fdb:${network.type.device} self ${FLOOD_MAC} ${ipv4}`;
  if (pathState.observed.has(key)) return fine(node, 'flood entry', `flooded frames go to ${ipv4} too`);
  return differs(
    node,
    'flood entry',
    `flooded frames do not go to ${name}`,
    `they go to ${ipv4}`,
    remedyOf(pathState, key),
  );
}

function routeHop(pathState: PathState, to: Ipv4): TraceHop {
  const { node, routes, desired } = pathState;
  const route = routes.get(to);
  const item = [...desired.values()]
    .filter((item) => item.kind === 'route')
    .find(({ destination }) => ipv4InSubnet(to, destination));
  const gateway = item?.gateway;
  const wanted = gateway === undefined ? `there is a route to ${to}` : `${to} goes via ${gateway}`;
  if (route === undefined) {
    const remedy =
      item === undefined
        ? `Give ${node} a route to ${to}: \`mesh status\` there shows its network cards.`
        : remedyOf(pathState, itemKey(item));
    return differs(node, 'route', `there is no route to ${to}`, wanted, remedy);
  }
  const held = `${to} ${routeText(pathState, route)}`;
  if (item !== undefined && route.gateway !== gateway)
    return differs(node, 'route', held, wanted, remedyOf(pathState, itemKey(item)));
  return fine(node, 'route', held);
}
