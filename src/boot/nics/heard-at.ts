/** On which of host0's NICs a machine's network card is heard, from the kernel's neighbour table. */
import type { Link, Neighbour } from '../../kernel/rtnl/objects.ts';
import type { Mac } from '../../model/address/mac.ts';

/**
 * Maps the MAC of each card to the name of the NIC that hears it. If two NICs hear one card, the one whose neighbour entry comes
 * last counts. Failed entries are left out.
 */
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
