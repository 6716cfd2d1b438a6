/** On which of host0's NICs a network card is heard, as the kernel's neighbour table has it. */
import type { Link, Neighbour } from '../../kernel/rtnl/objects.ts';
import type { Mac } from '../../model/address/mac.ts';

/** @returns the name of the NIC by the MAC of the card; of two NICs that hear one card, the one whose entry comes last */
export function heardAt(
  neighbours: Iterable<Pick<Neighbour, 'mac' | 'link' | 'state'>>,
  links: Iterable<Pick<Link, 'index' | 'name'>>,
): ReadonlyMap<Mac, string> {
  const names = new Map(Array.from(links, ({ index, name }) => [index, name]));
  const heard = new Map<Mac, string>();
  for (const { mac, link, state } of neighbours) {
    const name = names.get(link);
    if (mac !== undefined && name !== undefined && state !== 'failed') heard.set(mac, name);
  }
  return heard;
}
