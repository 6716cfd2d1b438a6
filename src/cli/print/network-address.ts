/** The addresses of a network, as a cell of a table has room for them. */
import type { Network } from '../../model/network/network.ts';
import type { GivenNetworkView, NetworkView } from '../../protocol/documents/views.ts';

/** The prefix from which nodes have their addresses, or the first subnet of the guests; a dash where there is none. */
export function prefixText({ hostAddress, subnets }: Pick<Network, 'hostAddress' | 'subnets'>): string {
  if (hostAddress.kind === 'derived') return hostAddress.prefix;
  return firstOf(subnets.map(({ cidr }) => cidr));
}

/** The address of this machine in a network: one that all can reach, or else the one of its link. */
export function ownAddressText({
  ipv6,
  addresses = [],
}: (NetworkView | GivenNetworkView)['self'] & Pick<GivenNetworkView['self'], 'addresses'>): string {
  return firstOf(addresses.length === 0 ? [ipv6] : addresses);
}

/** A cell of a table has room for one, and says how many more there are. */
function firstOf([first = '–', ...more]: readonly string[]): string {
  return more.length === 0 ? first : `${first} +${more.length}`;
}
