/** The names of a network. */
import type { Ipv4 } from '../address/ipv4.ts';
import type { Ipv6 } from '../address/ipv6.ts';

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
