/** The names of a network. */
import { IpShape } from '../address/address-shapes.ts';
import type { Ipv4 } from '../address/ipv4.ts';
import type { Ipv6 } from '../address/ipv6.ts';
import * as form from '../form.ts';
import { LineShape, NamesShape, NETWORK_LIST_MAX, PortNumberShape } from './words.ts';

/** What the DNS server of a network answers. */
export interface NetworkDns {
  /** Whether the names are served. Absent: yes. */
  readonly enabled?: boolean;
  /** The domain of the network's guests. */
  readonly domain?: string;
  /** Whether names in the domain are answered here alone, and never forwarded. */
  readonly localOnly?: boolean;
  /** Whether the host of the network asks its server for names in the domain (systemd-resolved). */
  readonly register?: boolean;
  /** Whether names without a dot are forwarded. Absent: yes. */
  readonly forwardPlainNames?: boolean;
  readonly hosts: readonly { readonly address: Ipv4 | Ipv6; readonly names: readonly string[] }[];
  readonly srv: readonly SrvRecord[];
  readonly txt: readonly { readonly name: string; readonly value: string }[];
  readonly forwarders: readonly DnsForwarder[];
}

/** A server for other names. With a domain, only for names in that domain. */
export interface DnsForwarder {
  /** Absent: the servers that the host itself asks. Then there is a domain. */
  readonly address?: Ipv4 | Ipv6;
  /** Absent: 53. */
  readonly port?: number;
  readonly domain?: string;
}

/** A service and the host that has it (RFC 2782). */
export interface SrvRecord {
  readonly service: string;
  /** One word, as `tcp` or `udp`. */
  readonly protocol: string;
  readonly domain?: string;
  /** Absent: the service is not offered. */
  readonly target?: string;
  /** Only with a target. Absent: 1. */
  readonly port?: number;
  readonly priority?: number;
  readonly weight?: number;
}

const SrvShape: form.Shape<SrvRecord> = form.object({
  service: LineShape,
  protocol: form.worded(form.string({ pattern: /^[A-Za-z0-9+/-]{1,63}$/ }), 'One word, as tcp or udp.'),
  domain: form.exactOptional(LineShape),
  target: form.exactOptional(LineShape),
  port: form.exactOptional(PortNumberShape),
  priority: form.exactOptional(form.int(0, 65_535)),
  weight: form.exactOptional(form.int(0, 65_535)),
});

const ForwarderShape: form.Shape<DnsForwarder> = form.object({
  address: form.exactOptional(IpShape),
  port: form.exactOptional(PortNumberShape),
  domain: form.exactOptional(LineShape),
});

/** A list that is empty where the document has none. */
function listOf<T>(shape: form.Shape<T>) {
  return form.defaulted(form.listOf(shape, NETWORK_LIST_MAX), []);
}

/** The form of names in documents. */
export const NetworkDnsShape: form.Shape<NetworkDns> = form.object({
  enabled: form.exactOptional(form.boolean()),
  domain: form.exactOptional(LineShape),
  localOnly: form.exactOptional(form.boolean()),
  register: form.exactOptional(form.boolean()),
  forwardPlainNames: form.exactOptional(form.boolean()),
  hosts: listOf(form.object({ address: IpShape, names: NamesShape })),
  srv: listOf(SrvShape),
  txt: listOf(form.object({ name: LineShape, value: LineShape })),
  forwarders: listOf(
    form.worded(
      form.refined(ForwarderShape, ({ address, domain }) => address !== undefined || domain !== undefined),
      'A forwarder has an address, or a domain for which the servers of the host are asked.',
    ),
  ),
});
