/** The network cards of this machine. */
import { bootNics } from '../boot/nics/boot-nic.ts';
import { Rtnl } from '../kernel/rtnl/rtnl.ts';
import type { OwnNic } from './nic-map.ts';

/** All cards, by name, each with the Ethernet address from its maker where the kernel knows it. @throws MESH_KERNEL_REFUSED */
export async function ownNics(): Promise<readonly OwnNic[]> {
  const rtnl = await Rtnl.open();
  try {
    const links = [...(await rtnl.links())];
    const permanent = new Map(links.map(({ index, permanentMac, mac }) => [index, permanentMac ?? mac]));
    return bootNics(links, [], undefined)
      .map(({ index, name, mac }) => ({ name, mac: permanent.get(index) ?? mac }))
      .toSorted((one, other) => (one.name < other.name ? -1 : 1));
  } finally {
    await rtnl.close();
  }
}
