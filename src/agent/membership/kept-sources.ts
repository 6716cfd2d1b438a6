/**
 * The senders of VXLAN packets that an earlier run of the agent knew. The rules accept packets from them until the member list
 * is complete.
 */

import type { KernelTables } from '../../kernel/mirror/kernel-tables.ts';
import { type Ipv4, isIpv4 } from '../../model/address/ipv4.ts';
import type { Mesh } from '../../model/network/mesh.ts';
import type { NetworkId } from '../../model/network/number.ts';
import type { Attachment } from '../desired/assignment.ts';

/** Reads the entries of each mesh once, at the first pass with an incomplete list. */
export class KeptSources {
  readonly #sources = new Map<NetworkId, readonly Ipv4[]>();

  /** The attachment with the earlier senders. @param isSettled whether the member list is complete */
  addTo(attachment: Attachment, cache: KernelTables, isSettled: boolean): Attachment {
    const { id } = attachment.network;
    if (isSettled) {
      this.#sources.delete(id);
      return attachment;
    }
    const keptSources = this.#sources.get(id) ?? sourcesOf(attachment.network, cache);
    this.#sources.set(id, keptSources);
    return { ...attachment, keptSources };
  }
}

/** The remote VTEPs of a network's marked FDB entries in the kernel. */
function sourcesOf({ type }: Mesh, cache: KernelTables): Ipv4[] {
  const vxlan = cache.linkNamed(type.device)?.index;
  const sources = new Set<Ipv4>();
  for (const { link, table, externLearn, remoteVtep } of cache.fdb.values()) {
    if (link !== vxlan || table !== 'self' || !externLearn) continue;
    if (remoteVtep !== undefined && isIpv4(remoteVtep)) sources.add(remoteVtep);
  }
  return [...sources];
}
