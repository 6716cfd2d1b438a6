/**
 * Which of host0's links nodes may be behind. Where machines boot is another question: a link without an address may have
 * machines that boot, and a VLAN or bond with an address may have nodes that boot from their own disks. Pure.
 */
import { type BootNic, bootNics, isOurs, type NicLink } from './boot-nic.ts';
import { isNodeAddress, type LinkAddress } from './nic-address.ts';

/** Kinds of links that lead to a physical network through a network card, or through several. */
const OVER_CARDS: ReadonlySet<string> = new Set(['vlan', 'bond', 'team', 'macvlan', 'macvtap', 'ipvlan']);

/**
 * The links that can be segments, up or down. With `named`: these. Without: the boot NICs, and also VLANs, bonds, teams,
 * macvlans and bridges over these, if they have an address of this host.
 */
export function joinNics(
  links: Iterable<NicLink>,
  addresses: Iterable<LinkAddress>,
  named: readonly string[] | undefined,
): BootNic[] {
  const all = [...links];
  const known = [...addresses];
  const boot = bootNics(all, known, named);
  if (named !== undefined) return boot;
  const withAddress = new Set(known.filter(isNodeAddress).map(({ link }) => link));
  const overCards = new Set(all.filter(({ kind }) => OVER_CARDS.has(kind)).map(({ master }) => master));
  const chosen = new Set(boot.map(({ index }) => index));
  const others = all.filter((link) => {
    if (chosen.has(link.index) || !withAddress.has(link.index) || isOurs(link) || link.master !== 0) return false;
    return OVER_CARDS.has(link.kind) || (link.kind === 'bridge' && overCards.has(link.index));
  });
  return [...boot, ...others.map((link) => ({ ...link, names: [link.name] }))];
}

/**
 * Whether the link shares the physical network of one of `uplinks` (ifindexes): it is one, or it is a macvlan or ipvlan of
 * one. A VLAN is a network of its own.
 */
export function isOfUplink({ index, kind, lower }: NicLink, uplinks: ReadonlySet<number>): boolean {
  return uplinks.has(index) || (kind !== 'vlan' && lower !== undefined && uplinks.has(lower));
}
