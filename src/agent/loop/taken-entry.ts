/** Who has taken an entry of ours in a bridge: a machine behind a port that sends with the Ethernet address of a member. */

import type { KernelTables } from '../../kernel/mirror/kernel-tables.ts';
import type { Item } from '../items/item.ts';

/**
 * The remedy for an entry that does not stay, when it moves to a port; undefined when it does not.
 * @param cache as it was when the entry was missed
 */
export function takenEntryRemedy(cache: KernelTables, item: Item): string | undefined {
  if (item.kind !== 'fdb' || item.table !== 'master') return undefined;
  const vxlan = cache.linkNamed(item.link);
  for (const { table, mac, link } of cache.fdb.values()) {
    if (table !== 'master' || mac !== item.mac || link === vxlan?.index) continue;
    const port = cache.links.get(link);
    if (port === undefined || port.master !== vxlan?.master) continue;
    return `The machine behind ${port.name} sends with the Ethernet address ${mac}, which is a member's: look at it, or take it off with \`mesh port unplug ${port.name}\`.`;
  }
  return undefined;
}
