/** The names of a network. */
import { IpShape } from '../address/address-shapes.ts';
import type { Ipv4 } from '../address/ipv4.ts';
import type { Ipv6 } from '../address/ipv6.ts';
import * as form from '../form.ts';
import { LineShape, NamesShape, NETWORK_LIST_MAX, PortNumberShape } from './words.ts';

/** What the DNS server of a network answers. */
export interface NetworkDns {
  /** The domain of the network's guests. */
  readonly domain?: string;
  readonly hosts: readonly { readonly address: Ipv4 | Ipv6; readonly names: readonly string[] }[];
  readonly srv: readonly SrvRecord[];
  readonly txt: readonly { readonly name: string; readonly value: string }[];
  /** Servers for other names. With a domain, only for names in that domain. */
  readonly forwarders: readonly { readonly address: Ipv4 | Ipv6; readonly domain?: string }[];
}

/** A service and the host that has it (RFC 2782). */
export interface SrvRecord {
  readonly service: string;
  readonly protocol: 'tcp' | 'udp';
  readonly domain?: string;
  readonly target: string;
  readonly port: number;
  readonly priority?: number;
  readonly weight?: number;
}

const SrvShape: form.Shape<SrvRecord> = form.object({
  service: LineShape,
  protocol: form.oneOf(['tcp', 'udp']),
  domain: form.exactOptional(LineShape),
  target: LineShape,
  port: PortNumberShape,
  priority: form.exactOptional(form.int(0, 65_535)),
  weight: form.exactOptional(form.int(0, 65_535)),
});

/** A list that is empty where the document has none. */
function listOf<T>(shape: form.Shape<T>) {
  return form.defaulted(form.listOf(shape, NETWORK_LIST_MAX), []);
}

/** The form of names in documents. */
export const NetworkDnsShape: form.Shape<NetworkDns> = form.object({
  domain: form.exactOptional(LineShape),
  hosts: listOf(form.object({ address: IpShape, names: NamesShape })),
  srv: listOf(SrvShape),
  txt: listOf(form.object({ name: LineShape, value: LineShape })),
  forwarders: listOf(form.object({ address: IpShape, domain: form.exactOptional(LineShape) })),
});
