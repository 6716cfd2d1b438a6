/** Which of host0's NICs machines may boot on, and which mode the settings want for them. Pure. */
import type { NicMode } from '../../formats/host0/host0-conf.ts';
import type { Link } from '../../kernel/rtnl/objects.ts';
import { BOOT_MODES, type WantedMode } from '../../protocol/documents/boot-views.ts';
import { isDnsmasqName } from '../../services/dnsmasq/setting.ts';
import { isUnderlay, type LinkAddress } from './nic-address.ts';

/** What the choice of NICs needs to know of a link. */
export type NicLink = Pick<
  Link,
  'index' | 'name' | 'mac' | 'up' | 'running' | 'master' | 'lower' | 'kind' | 'loopback' | 'alias'
>;

/** A link on which host0 takes part in a segment: a network card, a bridge, or any device that the settings name. */
export interface BootNic extends NicLink {
  /** The names by which settings may mean this NIC: its own and, if the NIC is a bridge, those of the bridge's ports. */
  readonly names: readonly string[];
}

/** How the ifalias of every link begins that Meshwork made. */
const OUR_ALIAS = 'meshwork:';

/**
 * Chooses the links on which host0 takes part in a segment, up or down.
 * - With `named`: these links.
 * - Without `named`: network cards (`physicalAmong`) that are in no bridge, and foreign bridges that have a network card as a port
 *   and an address of this host. A bridge with virtual ports only, as containers and virtual machines use, is not a segment.
 *
 * A port of a foreign bridge is never chosen, because the bridge sends and receives for the port. If `named` has such a port,
 * the bridge is chosen.
 */
export function bootNics(
  links: Iterable<NicLink>,
  addresses: Iterable<LinkAddress>,
  named: readonly string[] | undefined,
): BootNic[] {
  const all = [...links];
  const bridges = foreignBridges(all);
  const isPhysical = physicalAmong(all);
  const withCard = new Set(all.filter(isCard).map(({ master }) => master));
  const withAddress = new Set([...addresses].filter(isUnderlay).map(({ link }) => link));
  const isChosen = (link: NicLink, names: readonly string[]) => {
    if (bridges.has(link.master)) return false;
    if (named !== undefined) return names.some((name) => named.includes(name));
    if (bridges.has(link.index)) return withCard.has(link.index) && withAddress.has(link.index);
    return isPhysical(link) && link.master === 0;
  };
  return all.flatMap((link) => {
    const ports = bridges.has(link.index) ? all.filter(({ master }) => master === link.index) : [];
    const names = [link, ...ports].map(({ name }) => name);
    return isChosen(link, names) ? [{ ...link, names }] : [];
  });
}

/** The links that a scan covers, by ifindex: the boot NICs, and each foreign bridge that has NICs as ports, with these NICs. */
export function scanNics(links: readonly NicLink[], boot: readonly BootNic[]): NicLink[] {
  const chosen = new Set(boot.map(({ index }) => index));
  const bridges = foreignBridges(links);
  const isPhysical = physicalAmong(links);
  const ports = links.filter((link) => isPhysical(link) && bridges.has(link.master));
  for (const { index, master } of ports) chosen.add(index).add(master);
  return links.filter(({ index }) => chosen.has(index)).sort((a, b) => a.index - b.index);
}

/** The ifindexes of the bridges that Meshwork did not make. */
function foreignBridges(links: readonly NicLink[]): ReadonlySet<number> {
  const bridges = links.filter((link) => link.kind === 'bridge' && !isOurs(link));
  return new Set(bridges.map(({ index }) => index));
}

/** A network card: a link that has no kind in rtnetlink and is not the loopback. */
function isCard({ loopback, kind }: NicLink): boolean {
  return !loopback && kind === '';
}

/**
 * Which of these links lead to other machines: the network cards. On a machine, a veth end leads to a container or pod of the
 * same machine. Only in a namespace without any card, as that of a lab or of a container, the veth ends are the cards.
 */
function physicalAmong(links: readonly NicLink[]): (link: NicLink) => boolean {
  const hasCards = links.some(isCard);
  return (link) => isCard(link) || (!hasCards && link.kind === 'veth' && !isOurs(link));
}

/** Whether Meshwork made the link. */
export function isOurs({ alias }: NicLink): boolean {
  return alias.startsWith(OUR_ALIAS);
}

/** Whether dnsmasq's configuration can hold this interface name, and whether the name is safe as part of a file name. */
export function isServable(name: string): boolean {
  return isDnsmasqName(name);
}

/**
 * The mode that the settings want for a segment; `unnamed` if they name none of its NICs. If they contradict each other, the
 * most careful mode wins: off, observe, proxy, auto, server.
 */
export function wantedMode(
  nics: readonly string[],
  modes: readonly NicMode[],
  unnamed: WantedMode = 'auto',
): WantedMode {
  const wanted = modes.filter(({ port }) => nics.includes(port)).map(({ mode }) => mode);
  const [careful] = BOOT_MODES.filter((mode) => wanted.includes(mode));
  return careful === 'server' && wanted.includes('auto') ? 'auto' : (careful ?? unnamed);
}

/**
 * The mode of a NIC that no line names, and that host0 has not served yet: usually `auto`. While a line that permits less names
 * a device that is not there, the NIC may be that device under another name, so that it gets no more than the line permits.
 * For `off`, host0 observes: whether nodes may join there is not for this line to say.
 */
export function unnamedMode(modes: readonly NicMode[], links: Iterable<Pick<NicLink, 'name'>>): WantedMode {
  const present = new Set(Array.from(links, ({ name }) => name));
  const absent = modes.filter(({ port }) => !present.has(port)).map(({ mode }) => mode);
  if (absent.includes('off') || absent.includes('observe')) return 'observe';
  return absent.includes('proxy') ? 'proxy' : 'auto';
}
