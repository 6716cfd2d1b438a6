/** Which of host0's ports machines may boot on, and how the settings want them. Pure. */
import type { NicMode } from '../../formats/host0/host0-conf.ts';
import type { Link } from '../../kernel/rtnl/objects.ts';
import { BOOT_MODES, type WantedMode } from '../../protocol/documents/boot-views.ts';
import { isUnderlay, type LinkAddress } from './nic-address.ts';

export type NicLink = Pick<
  Link,
  'index' | 'name' | 'mac' | 'up' | 'running' | 'master' | 'kind' | 'loopback' | 'alias'
>;

export interface BootNic extends NicLink {
  /** What settings may call it: by its own name, or by that of any port of the bridge that it is. */
  readonly names: readonly string[];
}

/** What every link of ours carries at the front of its ifalias. */
const OUR_ALIAS = 'meshwork:';

/**
 * The links at which host0 takes part in a segment, up or not: those that are named, or else network cards (and ends of veth
 * pairs) that are in no bridge, and bridges of somebody else's in which a card is and where this host has an address. A
 * port of such a bridge hears and sends nothing by itself: whoever names it means the bridge. A bridge with virtual ports
 * only, as containers and virtual machines have, is nobody's segment unless it is named.
 */
export function bootNics(
  links: Iterable<NicLink>,
  addresses: Iterable<LinkAddress>,
  named: readonly string[] | undefined,
): BootNic[] {
  const all = [...links];
  const bridges = foreignBridges(all);
  const withCard = new Set(all.filter(isCard).map(({ master }) => master));
  const withAddress = new Set([...addresses].filter(isUnderlay).map(({ link }) => link));
  const isPort = (link: NicLink, names: readonly string[]) => {
    if (bridges.has(link.master)) return false;
    if (named !== undefined) return names.some((name) => named.includes(name));
    if (bridges.has(link.index)) return withCard.has(link.index) && withAddress.has(link.index);
    return isPhysical(link) && link.master === 0;
  };
  return all.flatMap((link) => {
    const ports = bridges.has(link.index) ? all.filter(({ master }) => master === link.index) : [];
    const names = [link, ...ports].map(({ name }) => name);
    return isPort(link, names) ? [{ ...link, names }] : [];
  });
}

/** What a scan looks at: the boot ports, and with the bridges of others that have a physical port these ports. */
export function scanNics(links: readonly NicLink[], boot: readonly BootNic[]): NicLink[] {
  const chosen = new Set(boot.map(({ index }) => index));
  const bridges = foreignBridges(links);
  const ports = links.filter((link) => isPhysical(link) && bridges.has(link.master));
  for (const { index, master } of ports) chosen.add(index).add(master);
  return links.filter(({ index }) => chosen.has(index)).sort((a, b) => a.index - b.index);
}

function foreignBridges(links: readonly NicLink[]): ReadonlySet<number> {
  const bridges = links.filter(({ kind, alias }) => kind === 'bridge' && !alias.startsWith(OUR_ALIAS));
  return new Set(bridges.map(({ index }) => index));
}

function isCard({ loopback, kind }: NicLink): boolean {
  return !loopback && kind === '';
}

function isPhysical(link: NicLink): boolean {
  return (isCard(link) || link.kind === 'veth') && !link.alias.startsWith(OUR_ALIAS);
}

/** A name that dnsmasq's configuration can hold and that is safe as part of a file's name. */
export function isServable(name: string): boolean {
  return /^[\w.@+-]+$/.test(name);
}

/** What the settings want of a segment: where they contradict each other, the most careful. */
export function wantedMode(ports: readonly string[], modes: readonly NicMode[]): WantedMode {
  const wanted = modes.filter(({ port }) => ports.includes(port)).map(({ mode }) => mode);
  const [careful] = BOOT_MODES.filter((mode) => wanted.includes(mode));
  return careful === 'server' && wanted.includes('auto') ? 'auto' : (careful ?? 'auto');
}
