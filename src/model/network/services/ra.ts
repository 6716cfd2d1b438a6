/** Router advertisements (RFC 4861): each node that serves announces itself and the network's IPv6 /64 subnets. */
import { Ipv6Shape } from '../../address/address-shapes.ts';
import type { Ipv6, Ipv6Cidr } from '../../address/ipv6.ts';
import * as form from '../../form.ts';
import type { Network } from '../network.ts';
import { SearchDomainShape } from './search-domain.ts';
import { SERVICE_NODES, type ServiceNodes } from './service-nodes.ts';

/** More resolvers or search domains than hosts take (RFC 8106 §5.3.1 asks hosts to keep three). */
const RESOLVERS_MAX = 8;

/** What is wanted of the advertisements. The prefixes are those of the network's subnets. */
export interface RaService extends ServiceNodes {
  readonly kind: 'ra';
  /** The resolvers that guests are told (RFC 8106). Absent: none. */
  readonly resolvers?: readonly Ipv6[];
  /** The domains in which guests look for short names. Absent: none. */
  readonly searchDomains?: readonly string[];
}

/** The form of the service in documents. */
export const RaServiceShape = form.object({
  kind: form.literal('ra'),
  ...SERVICE_NODES,
  resolvers: form.exactOptional(form.listOf(Ipv6Shape, RESOLVERS_MAX)),
  searchDomains: form.exactOptional(form.listOf(SearchDomainShape, RESOLVERS_MAX)),
});

/** The prefixes that routers of the network advertise: guests form addresses in a /64 alone (RFC 4862 §5.5.3). */
export function prefixesOf({ subnets }: Pick<Network, 'subnets'>): readonly Ipv6Cidr[] {
  return subnets.flatMap(({ cidr, ra }) => (isPrefix(cidr) && ra !== false ? [cidr] : []));
}

function isPrefix(cidr: string): cidr is Ipv6Cidr {
  return cidr.includes(':') && cidr.endsWith('/64');
}
