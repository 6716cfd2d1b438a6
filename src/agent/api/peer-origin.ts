/** Where the frames of a peer in a mesh come from, by this node's kernel. */
import type { Rtnl } from '../../kernel/rtnl/rtnl.ts';
import { parseIpv6 } from '../../model/address/ipv6.ts';
import type { Mesh } from '../../model/network/mesh.ts';
import type { Origin } from '../../protocol/http/place-pool.ts';

/**
 * Asks the kernel for the entries of a peer.
 * @param nameOf the name of the link with an ifindex
 * @param peer `remoteAddress` of a connection; link-local ones carry their device, and have no origin here
 */
export async function peerOrigin(
  rtnl: Pick<Rtnl, 'neighbour' | 'fdbEntry'>,
  nameOf: (index: number) => string | undefined,
  { bridge: { name: bridge }, type: { device: vxlan } }: Mesh,
  peer: string,
): Promise<Origin> {
  if (peer === '' || peer.includes('%')) return {};
  const mac = (await rtnl.neighbour(bridge, parseIpv6(peer)))?.mac;
  if (mac === undefined) return {};
  const [own, remote] = await Promise.all([rtnl.fdbEntry(vxlan, mac, 'master'), rtnl.fdbEntry(vxlan, mac)]);
  const port = own && nameOf(own.link);
  const behind = port === undefined || port === vxlan ? remote?.remoteVtep : port;
  return { mac, ...(behind !== undefined && { behind }) };
}
