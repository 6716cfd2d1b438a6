/** Host addresses: which nodes have an address of their own on the bridge of a network. */
import { IpShape, Ipv6CidrShape } from '../address/address-shapes.ts';
import type { Ipv4 } from '../address/ipv4.ts';
import type { Ipv6, Ipv6Cidr } from '../address/ipv6.ts';
import * as form from '../form.ts';

/** Each member has an IPv6 address in one /64, derived from its machine id (`memberAddresses`). */
export interface DerivedHostAddress {
  readonly kind: 'derived';
  /** The seed's `key`, in canonical decimal: addresses are derived from its text. */
  readonly key: string;
  /** The IPv6 /64 that members take their addresses from. */
  readonly prefix: Ipv6Cidr;
}

/** Who has an address on the bridge. */
export type HostAddress =
  | DerivedHostAddress
  /** The home node has the `hostAddress` of each subnet. */
  | { readonly kind: 'given' }
  /** Each node that serves the network has an address of its own in each subnet, which host0 allocates. */
  | { readonly kind: 'per-node' }
  /** Nobody: the bridge has its link-local address alone. */
  | { readonly kind: 'none' };

/** An address of a node on the bridge of a network, with the length of the prefix of its subnet. */
export interface HostInterface {
  readonly address: Ipv4 | Ipv6;
  readonly length: number;
}

/** The form of an address on a bridge. */
export const HostInterfaceShape: form.Shape<HostInterface> = form.object({
  address: IpShape,
  length: form.int(0, 128),
});

/** The form of a `key`, which fits into 64 bits so that shell scripts can compute with it. */
export const AddressKeyShape: form.Shape<string> = form.guard<string>(
  (value) => typeof value === 'string' && /^(0|[1-9][0-9]{0,19})$/.test(value) && BigInt(value) < 2n ** 64n,
  { rule: 'A key is a text of decimal digits, from "0" to "18446744073709551615", without leading zeros.' },
  form.TEXT,
);

/** The form of a prefix from which members take their addresses. */
export const MeshPrefixShape: form.Shape<Ipv6Cidr> = form.worded(
  form.refined(Ipv6CidrShape, (prefix) => prefix.endsWith('/64')),
  'The prefix of members is an IPv6 /64 in its shortest form, as fd42:2345:1234:9abc::/64.',
);

/** The form of host addresses in documents. */
export const HostAddressShape: form.Shape<HostAddress> = form.variants('kind', [
  form.object({ kind: form.literal('derived'), key: AddressKeyShape, prefix: MeshPrefixShape }),
  form.object({ kind: form.literal('given') }),
  form.object({ kind: form.literal('per-node') }),
  form.object({ kind: form.literal('none') }),
]);
