/**
 * Where on a node the packets of a network can be captured: its VXLAN device, and the underlay links of its VXLAN
 * packets.
 */
import { framesWithout, vxlanWithout } from '../../kernel/sockets/capture-filter.ts';
import type { FilterStep } from '../../kernel/sockets/packet-filter.ts';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import { MeshError } from '../../model/error.ts';
import type { VxlanNetwork } from '../../model/network/vxlan-network.ts';
import { AGENT_PORT, CHANNEL_PORT } from '../../protocol/documents/tcp-ports.ts';
import type { Agent } from '../agent.ts';

/** The ports by which captures of nodes come to host0: on their channels, or from agents without one. */
const CAPTURE_PORTS = [AGENT_PORT, CHANNEL_PORT];

/** One device to capture on. */
export interface CapturePoint {
  readonly device: string;
  readonly index: number;
  /** `inner`: frames of the network; `outer`: VXLAN packets on the underlay. */
  readonly side: 'inner' | 'outer';
  /** Runs in the kernel. Leaves out the packets of captures that are sent through the mesh. */
  readonly filter: readonly FilterStep[];
}

/**
 * The network's VXLAN device first, then its underlay links: one on a node, one for each segment on host0.
 * @throws MESH_NET_UNKNOWN while the network has no device here
 */
export function capturePoints(agent: Agent, network: VxlanNetwork): CapturePoint[] {
  const { cache } = agent.reconciler;
  const vxlan = cache.linkNamed(network.type.device);
  if (vxlan === undefined) {
    throw new MeshError('MESH_NET_UNKNOWN', `${agent.input.name} has no ${network.type.device} now`, {
      object: network.name,
      remedy: 'See `mesh status` there.',
      retryable: true,
    });
  }
  const inner: CapturePoint = {
    device: vxlan.name,
    index: vxlan.index,
    side: 'inner',
    filter: framesWithout(CAPTURE_PORTS),
  };
  const outer = underlayLinks(agent).map(
    ({ name: device, index }): CapturePoint => ({
      device,
      index,
      side: 'outer',
      filter: vxlanWithout(CAPTURE_PORTS, network.type.vni),
    }),
  );
  return [inner, ...outer];
}

/** The links with an address that VXLAN packets are sent from. */
function underlayLinks({ source, reconciler: { cache } }: Agent): { name: string; index: number }[] {
  const stance = source.host0Stance();
  const locals: readonly (Ipv4 | undefined)[] =
    stance.role === 'host0' ? stance.segments.map(({ ipv4 }) => ipv4) : [stance.local];
  const indexes = [...cache.addresses.values()].flatMap(({ address, link }) =>
    locals.some((local) => local === address) ? [link] : [],
  );
  return [...new Set(indexes)].flatMap((index) => cache.links.get(index) ?? []);
}
