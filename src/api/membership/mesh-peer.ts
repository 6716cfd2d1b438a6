/** Who is at the other end of a connection inside a mesh. */
import type { Membership } from '../../controller/membership/membership.ts';
import type { SourceVerification } from '../../controller/membership/source-verification.ts';
import type { Origin } from '../../protocol/http/place-pool.ts';
import { meshAddressOf } from './membership-api.ts';

/** Whether an address is a member's. @param peer `remoteAddress` of a connection */
export function isMemberOf(mesh: Membership, peer: string): boolean {
  const address = meshAddressOf({ mesh, peer });
  return address !== undefined && mesh.isMember(address);
}

/** Where the frames of a peer come from, by host0's kernel. */
export async function originIn(mesh: Membership, peer: string, verification: SourceVerification): Promise<Origin> {
  const address = meshAddressOf({ mesh, peer });
  if (address === undefined) return {};
  const { mac, ipv4, localPort } = await verification.verify(mesh.network, address);
  const behind = localPort ?? ipv4;
  return { ...(mac !== undefined && { mac }), ...(behind !== undefined && { behind }) };
}
