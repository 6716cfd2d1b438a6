/** Where on a node the packets of a network can be seen: its VXLAN device, and the ports that its packets go through. */
import { framesWithout, vxlanWithout } from '../../kernel/sockets/capture-filter.ts';
import type { FilterStep } from '../../kernel/sockets/packet-filter.ts';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import { MeshError } from '../../model/error.ts';
import type { Network } from '../../model/network/network.ts';
import { AGENT_PORT } from '../../protocol/documents/tcp-ports.ts';
import type { Agent } from '../agent.ts';

export interface CapturePoint {
  readonly device: string;
  readonly index: number;
  readonly side: 'inner' | 'outer';
  /** For the kernel. A capture that is on its way through the mesh does not see itself. */
  readonly filter: readonly FilterStep[];
}

/** @throws MESH_NET_UNKNOWN while the network has no device here */
export function capturePoints(agent: Agent, network: Network): CapturePoint[] {
  const { cache } = agent.reconciler;
  const vxlan = cache.linkNamed(network.devices.vxlan);
  if (vxlan === undefined) {
    throw new MeshError('MESH_NET_UNKNOWN', `${agent.input.name} has no ${network.devices.vxlan} now`, {
      object: network.name,
      remedy: 'See `mesh status` there.',
      retryable: true,
    });
  }
  const inner: CapturePoint = {
    device: vxlan.name,
    index: vxlan.index,
    side: 'inner',
    filter: framesWithout(AGENT_PORT),
  };
  const outer = underlayPorts(agent).map(
    ({ name: device, index }): CapturePoint => ({
      device,
      index,
      side: 'outer',
      filter: vxlanWithout(AGENT_PORT, network.fabric.vni),
    }),
  );
  return [inner, ...outer];
}

/** The links that have an address from which VXLAN packets leave. */
function underlayPorts({ source, reconciler: { cache } }: Agent): { name: string; index: number }[] {
  const view = source.host0Stance();
  const locals: readonly (Ipv4 | undefined)[] =
    view.role === 'host0' ? view.segments.map(({ ipv4 }) => ipv4) : [view.local];
  const indexes = [...cache.addresses.values()].flatMap(({ address, link }) =>
    locals.some((local) => local === address) ? [link] : [],
  );
  return [...new Set(indexes)].flatMap((index) => cache.links.get(index) ?? []);
}
