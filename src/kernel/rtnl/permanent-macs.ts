/** The MAC addresses that NICs were made with, whatever an administrator has set since. */
import type { Mac } from '../../model/address/mac.ts';
import type { Link } from './objects.ts';

/** Lists the permanent MAC of each link that has one: bridges, VXLAN devices and taps have none. */
export function permanentMacs(
  links: Iterable<Pick<Link, 'index' | 'name' | 'permanentMac'>>,
): { readonly index: number; readonly name: string; readonly mac: Mac }[] {
  return Array.from(links).flatMap(({ index, name, permanentMac: mac }) =>
    mac === undefined ? [] : [{ index, name, mac }],
  );
}
