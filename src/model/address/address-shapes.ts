/** The forms of addresses in documents: canonical text only, so that one address has one spelling. */
import * as form from '../form.ts';
import { type Ipv4, type Ipv4Cidr, isIpv4, parseIpv4Cidr } from './ipv4.ts';
import { type Ipv6, type Ipv6Cidr, ipv6Subnet, parseIpv6, parseIpv6Interface } from './ipv6.ts';
import { isUnicastMac, type Mac } from './mac.ts';

/** The longest text of an address has 43 characters, with its prefix length. */
const LENGTH_MAX = 64;

function address<T extends string>(is: (text: string) => boolean, rule: string): form.Shape<T> {
  return form.guard<T>(
    (value) => typeof value === 'string' && value.length <= LENGTH_MAX && is(value),
    { rule },
    form.TEXT,
  );
}

/** Whether the text is an IPv4 subnet without host bits. */
export function isIpv4Cidr(text: string): text is Ipv4Cidr {
  return isParsed(text, parseIpv4Cidr);
}

/** Whether the parser takes the text, and gives back the same text. */
function isParsed(text: string, parse: (text: string) => string): boolean {
  try {
    return parse(text) === text;
  } catch {
    return false;
  }
}

function isIpv6Cidr(text: string): boolean {
  return isParsed(text, (cidr) => {
    const { address, length } = parseIpv6Interface(cidr);
    return ipv6Subnet(address, length);
  });
}

/** Any IPv4 address. */
export const Ipv4Shape: form.Shape<Ipv4> = address<Ipv4>(isIpv4, 'An IPv4 address, as 10.11.0.1.');
/** Any IPv4 subnet without host bits. */
export const Ipv4CidrShape: form.Shape<Ipv4Cidr> = address<Ipv4Cidr>(
  isIpv4Cidr,
  'An IPv4 subnet without host bits, as 10.11.0.0/24.',
);
/** An IPv6 address in its canonical form. */
export const Ipv6Shape: form.Shape<Ipv6> = address<Ipv6>(
  (text) => isParsed(text, parseIpv6),
  'An IPv6 address in its shortest form, lower case, as fd42:2345:1234:9abc::1.',
);
/** An IPv6 subnet in its canonical form, without host bits. */
export const Ipv6CidrShape: form.Shape<Ipv6Cidr> = address<Ipv6Cidr>(
  isIpv6Cidr,
  'An IPv6 subnet without host bits, in its shortest form, as fd42:2345:1234:9abc::/64.',
);
/** The Ethernet address of one card. */
export const MacShape: form.Shape<Mac> = address<Mac>(
  isUnicastMac,
  'An Ethernet address of one card, lower case, as 02:2f:55:d5:07:f4.',
);
/** An address of either family. */
export const IpShape: form.Shape<Ipv4 | Ipv6> = form.worded(
  form.union([Ipv4Shape, Ipv6Shape]),
  'An IPv4 address, or an IPv6 address in its shortest form.',
);
/** A subnet of either family. */
export const CidrShape: form.Shape<Ipv4Cidr | Ipv6Cidr> = form.worded(
  form.union([Ipv4CidrShape, Ipv6CidrShape]),
  'A subnet without host bits, as 10.11.0.0/24 or fd42:2345:1234:9abc::/64.',
);
