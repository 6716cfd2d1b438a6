/** The member lists as text. Askers share one text, so that many who do not read their answers take no memory each. */
import type { Membership } from '../../controller/membership/membership.ts';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import { formatMemberList, formatVersion } from '../../protocol/documents/membership.ts';

/** The text of one version. */
interface ListText {
  readonly version: string;
  readonly text: Buffer;
}

/** Keeps the last text for each address of host0, which is the first line of a list. */
export class ListTexts {
  readonly #texts = new WeakMap<Membership, Map<Ipv4 | undefined, ListText>>();

  /**
   * The list of a mesh as a node at `viewer` sees it.
   * @throws MESH_HOST0_STARTING
   */
  of(mesh: Membership, viewer: Ipv4 | undefined): Buffer {
    const members = mesh.members(viewer);
    const host0 = members[0]?.ipv4;
    const version = formatVersion(mesh.version);
    const texts = this.#texts.get(mesh) ?? new Map<Ipv4 | undefined, ListText>();
    this.#texts.set(mesh, texts);
    const known = texts.get(host0);
    if (known?.version === version) return known.text;
    const text = Buffer.from(formatMemberList(members));
    texts.set(host0, { version, text });
    return text;
  }
}
