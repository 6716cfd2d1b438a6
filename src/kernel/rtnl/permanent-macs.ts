/** The Ethernet addresses that network cards were made with, whatever an administrator has set since. */
import type { Mac } from '../../model/address/mac.ts';
import type { Link } from './objects.ts';

/** Those of the links that have one: bridges, VXLAN devices and taps do not. */
export function permanentMacs(
  links: Iterable<Pick<Link, 'index' | 'name' | 'permanentMac'>>,
): { readonly index: number; readonly name: string; readonly mac: Mac }[] {
  return Array.from(links).flatMap(({ index, name, permanentMac: mac }) =>
    mac === undefined ? [] : [{ index, name, mac }],
  );
}
