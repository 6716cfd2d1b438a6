/** The receiver's part of a path: from the segment to the receiver's bridge, and to the guest's port. Pure. */
import type { PathPart, TraceHop } from '../../protocol/documents/trace.ts';
import { widePortRemedy } from '../view/port-findings.ts';
import { type End, linksOf, portOf } from './end.ts';
import { foreignHops, receivingHop } from './firewall-hop.ts';
import { differs, fine, remedyOf } from './hop.ts';
import { linkHop } from './link-hop.ts';
import type { PathState } from './path-state.ts';
import { unlisted } from './sender.ts';
import { linkWith, outerOf, ownIpv4s, underlayHop } from './underlay-hop.ts';

/** The receiver's hops. @param own this node's end: the node itself, or a guest on its bridge */
export function receiverPart(pathState: PathState, from: End, own: End): PathPart {
  if (from.member === undefined) return { hops: [unlisted(pathState, from)], receivesAt: ownIpv4s(pathState) };
  const { ipv4 } = from.member;
  const route = pathState.routes.get(ipv4);
  const local = linksOf(pathState).vxlan?.vxlan?.local;
  const underlayLink =
    (route?.link === undefined ? undefined : pathState.kernel.links.get(route.link)) ??
    linkWith(pathState, own.member?.ipv4);
  const hops: TraceHop[] = [underlayHop(pathState, underlayLink)];
  if (local !== undefined && !ownIpv4s(pathState).some((address) => address === local)) {
    hops.push(
      differs(
        pathState.node,
        'underlay',
        `no link has ${local}`,
        `${local} is an address of this machine`,
        addressRemedy(pathState, local),
      ),
    );
  }
  const packet = { ...(underlayLink !== undefined && { from: underlayLink.name }), ...outerOf(ipv4, own.member?.ipv4) };
  hops.push(receivingHop(pathState, ipv4), ...foreignHops(pathState, packet, 'input'));
  hops.push(linkHop(pathState, 'vxlan'), linkHop(pathState, 'bridge'));
  hops.push(own.guest ? guestHop(pathState, own) : addressHop(pathState));
  return { hops, receivesAt: ownIpv4s(pathState), receivesFrom: ipv4 };
}

/** The agent follows a changed address of its machine, and gives no address back. */
function addressRemedy({ node }: PathState, address: string): string {
  return `Give ${node} the address ${address} again, or another one on that segment, which its agent follows: \`mesh status\` on ${node} shows its network cards.`;
}

/** The last hop to a guest on this node's own bridge. */
export function guestHop(pathState: PathState, { mac }: End): TraceHop {
  const { node, network } = pathState;
  const port = mac === undefined ? undefined : portOf(pathState, mac);
  const wanted = `${mac} is behind a port of ${network.bridge.name} that is up`;
  if (port === undefined || port.name === network.type.device) {
    const held = port === undefined ? `the bridge has no entry for ${mac}` : `${mac} is behind ${port.name}`;
    return differs(node, 'port', held, wanted, `See \`mesh port list\` on ${node}, and whether the guest runs.`);
  }
  const state = port.up && port.running ? 'up' : 'down';
  const held = `${mac} is behind ${port.name}, which is ${state}, MTU ${port.mtuBytes}`;
  const { mtuBytes } = network;
  if (state === 'up' && port.mtuBytes > mtuBytes) {
    return differs(
      node,
      'port',
      held,
      `MTU ${mtuBytes} at most, which ${network.name} carries`,
      `On ${node}: ${widePortRemedy(port.name, mtuBytes)}`,
    );
  }
  if (state === 'up') return fine(node, 'port', held);
  return differs(node, 'port', held, wanted, `Take it up on ${node}: \`ip link set ${port.name} up\`.`);
}

function addressHop(pathState: PathState): TraceHop {
  const { node, self, network, kernel } = pathState;
  const { bridge } = linksOf(pathState);
  const has = [...kernel.addresses.values()].some(
    ({ address, link, tentative }) => address === self.ipv6 && link === bridge?.index && !tentative,
  );
  const wanted = `${self.ipv6} is on ${network.bridge.name}`;
  const key = `address:${network.bridge.name} ${self.ipv6}/64`;
  return has
    ? fine(node, 'address', wanted)
    : differs(node, 'address', `${network.bridge.name} does not have ${self.ipv6}`, wanted, remedyOf(pathState, key));
}
