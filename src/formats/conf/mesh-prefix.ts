/** The `prefix` of a mesh: an IPv6 /64 of unicast addresses (RFC 4291 §2.4). */

import { type Ipv6, type Ipv6Cidr, ipv6InSubnet, ipv6Subnet, parseIpv6 } from '../../model/address/ipv6.ts';
import { MeshError } from '../../model/error.ts';
import type { ConfEntry } from './conf-file.ts';
import { quoted } from './conf-keys.ts';

const LENGTH = 64;
/**
 * The remedy for a value that nothing is known of. A constant as example would be copied, and two sites with one prefix
 * could never be joined.
 */
export const AS_ON_HOST0 =
  'Copy the line from the file of this mesh on host0; for a new mesh, `mesh network conf NAME` prints one';

/** Subnets that no mesh can use. The narrowest comes first, because the message is that of the first match. */
const UNUSABLE: readonly (readonly [subnet: string, what: string])[] = [
  ['::/128', 'is the unspecified address'],
  ['::1/128', 'is the loopback address'],
  ['::ffff:0:0/96', 'holds IPv4-mapped addresses'],
  ['::/64', 'is reserved'],
  ['fe80::/10', 'is link-local'],
  ['ff00::/8', 'is multicast'],
];

/** The subnet in a `prefix=` entry, or the error with the text to write instead. */
export function parseMeshPrefix(entry: ConfEntry): Ipv6Cidr | MeshError {
  const { value } = entry;
  const fault = faultAt(entry);
  const [text = '', length, ...rest] = value.split('/');
  const address = addressOf(text);
  if (address === undefined || rest.length > 0 || !/^[0-9]*$/.test(length ?? '')) {
    const remedy = address === undefined ? AS_ON_HOST0 : `Write prefix=${ipv6Subnet(address, LENGTH)}`;
    return fault(
      'MESH_NET_PREFIX_INVALID',
      value === '' ? 'is empty' : `${quoted(value)} is not an IPv6 network`,
      remedy,
    );
  }
  const unusable = UNUSABLE.find(([subnet]) => ipv6InSubnet(address, subnet as Ipv6Cidr));
  if (unusable !== undefined) return fault('MESH_NET_PREFIX_SCOPE', `${quoted(value)} ${unusable[1]}`, AS_ON_HOST0);

  const subnet = ipv6Subnet(address, LENGTH);
  const remedy = `Write prefix=${subnet}`;
  if (Number(length || Number.NaN) !== LENGTH) return fault('MESH_NET_PREFIX_NOT_64', 'is not a /64', remedy);
  if (length !== String(LENGTH)) return fault('MESH_NET_NUMBER_FORM', 'length has leading zeros', remedy);
  if (subnet !== `${address}/${LENGTH}`) return fault('MESH_NET_PREFIX_HOST_BITS', 'has host bits set', remedy);
  return subnet;
}

const RULES = {
  MESH_NET_PREFIX_INVALID: 'A prefix is an IPv6 address, a slash and 64.',
  MESH_NET_PREFIX_SCOPE: 'A prefix is a network of unicast addresses, unique local (fd00::/8) or global.',
  MESH_NET_PREFIX_NOT_64: "A mesh's prefix is an IPv6 network of exactly 64 bits.",
  MESH_NET_NUMBER_FORM: 'A number is written without leading zeros.',
  MESH_NET_PREFIX_HOST_BITS: 'The last 64 bits of a prefix are zero: each member gets its own.',
} as const;

function faultAt({ valuePlace: place }: ConfEntry) {
  return (code: keyof typeof RULES, what: string, remedy: string) =>
    new MeshError(code, `prefix ${what}`, { rule: RULES[code], remedy, place });
}

function addressOf(text: string): Ipv6 | undefined {
  try {
    return parseIpv6(text);
  } catch {
    return undefined;
  }
}
