/** `<ip>` and `<route>`: the subnets of a network, what serves them, and static routes. */

import { ipRange, ipToBigint } from '../../../model/address/ip-range.ts';
import { type Ipv4, ipv4Length, ipv4Subnet, ipv4ToNumber, isIpv4 } from '../../../model/address/ipv4.ts';
import { type Ipv6, ipv6Subnet } from '../../../model/address/ipv6.ts';
import type { NetworkRoute } from '../../../model/network/routing.ts';
import type { Subnet } from '../../../model/network/subnet.ts';
import {
  attribute,
  childOf,
  childrenOf,
  placeIn,
  refusal,
  typedAddress,
  whole,
  word,
  yesNo,
} from '../text/element-reader.ts';
import { LIBVIRT_CODE } from '../text/xml-error.ts';
import type { XmlAttribute, XmlElement } from '../text/xml-tree.ts';
import { readDhcp } from './dhcp-xml.ts';
import type { Notes } from './notes.ts';

const { unsupported } = LIBVIRT_CODE;
const BOTH = { rule: 'A subnet has a netmask or a prefix, not both.', remedy: 'Leave one of them out' };

/** The number of bits of a mask; undefined for a text that is none. */
export function maskLength(text: string): number | undefined {
  if (!isIpv4(text)) return undefined;
  const bits = ipv4ToNumber(text);
  const length = bits === 0 ? 0 : 32 - Math.log2(2 ** 32 - bits);
  return Number.isInteger(length) ? length : undefined;
}

/** The mask of a length, as 255.255.255.0. */
export function maskOf(length: number): string {
  return ipv4Subnet('255.255.255.255' as Ipv4, length).replace(/\/.*/, '');
}

/** The length that a class of addresses has, where a document names none. */
function classLength(address: Ipv4 | Ipv6): number {
  if (!isIpv4(address)) return 64;
  const first = Number(address.split('.', 1)[0]);
  return first < 128 ? 8 : first < 192 ? 16 : 24;
}

function subnetOf(address: Ipv4 | Ipv6, length: number): Subnet['cidr'] {
  return isIpv4(address) ? ipv4Subnet(address, length) : ipv6Subnet(address, length);
}

/** One `<ip>`. @throws XmlNetworkError */
export function readSubnet(element: XmlElement, notes: Notes): Subnet {
  const { name } = notes;
  const at = attribute(element, 'address');
  if (at === undefined) {
    const rule = 'A subnet has the address of the host in it.';
    throw refusal(`Missing required address attribute in network '${name}'`, { at: element, rule });
  }
  const address = typedAddress(at.value);
  if (address === undefined) {
    const rule = 'The address is an IPv4 or IPv6 address, as 10.1.2.1 or fd42::1.';
    throw refusal(`Invalid address '${at.value}' in network '${name}'`, { at, rule });
  }
  checkFamily(element, at, address, notes);
  const length = lengthOf(element, address, notes);
  const localPtr = yesNo(element, 'localPtr');
  const tftp = childOf(element, 'tftp');
  const subnet = { cidr: subnetOf(address, length), hostAddress: address };
  const root = tftp === undefined ? undefined : word(tftp, 'root');
  if (tftp !== undefined && !isIpv4(address)) {
    throw refusal(`Unsupported <tftp> element in an IPv6 element in network '${name}'`, {
      at: tftp,
      code: unsupported,
      rule: 'TFTP is served in an IPv4 subnet.',
    });
  }
  const dhcp = childOf(element, 'dhcp');
  const served = dhcp === undefined ? undefined : readDhcp(dhcp, { address, length }, notes);
  return {
    ...subnet,
    ...(served !== undefined && { dhcp: served }),
    ...(localPtr !== undefined && { localPtr }),
    ...(root !== undefined && { tftp: { root } }),
  };
}

function checkFamily(element: XmlElement, at: XmlAttribute, address: Ipv4 | Ipv6, { name, wrote }: Notes): void {
  const family = attribute(element, 'family');
  const rule = 'The family of an IPv6 address is ipv6; without a family the address is an IPv4 address.';
  const say = (message: string, code: number = unsupported, place: XmlAttribute = at) =>
    refusal(message, { at: place, code, rule, remedy: isIpv4(address) ? 'Leave family out' : "Write family='ipv6'" });
  const where = `address '${at.value}' in network '${name}'`;
  switch (family?.value) {
    case undefined:
      if (!isIpv4(address)) throw say(`no family specified for non-IPv4 ${where}`);
      return;
    case 'ipv4':
      if (!isIpv4(address)) throw say(`ipv4 family specified for non-IPv4 ${where}`);
      wrote(`family ${address}`, 'ipv4');
      return;
    case 'ipv6':
      if (isIpv4(address)) throw say(`Family 'ipv6' specified for non-IPv6 ${where}`);
      return;
    default:
      throw say(`Unrecognized family '${family?.value}' in network '${name}'`, LIBVIRT_CODE.xml, family);
  }
}

/** The length of the prefix, from either way to write it. Zero is as if nothing were written. */
function lengthOf(element: XmlElement, address: Ipv4 | Ipv6, { name, wrote }: Notes): number {
  const netmask = attribute(element, 'netmask');
  const prefix = whole(element, 'prefix');
  const at = placeIn(element, 'prefix');
  if (netmask !== undefined) {
    const mask = maskLength(netmask.value);
    if (!isIpv4(address)) {
      throw refusal(`netmask not allowed for IPv6 address '${address}' in network '${name}'`, {
        at: netmask,
        code: unsupported,
        rule: 'An IPv6 subnet has a prefix.',
        remedy: "Write prefix='64'",
      });
    }
    if (prefix !== undefined && prefix > 0) {
      const message = `Network '${name}' IP address cannot have both a prefix and a netmask`;
      throw refusal(message, { at: netmask, code: unsupported, ...BOTH });
    }
    if (mask === undefined) {
      const rule = 'A netmask is ones, and then zeros, as 255.255.255.0.';
      throw refusal(`Invalid netmask '${netmask.value}' in network '${name}'`, { at: netmask, rule });
    }
    wrote(`mask ${address}`, 'netmask');
    return mask;
  }
  if (prefix === undefined || prefix === 0) {
    const length = classLength(address);
    wrote(`mask ${address}`, 'none');
    return length;
  }
  const max = isIpv4(address) ? 32 : 128;
  if (prefix <= max) return prefix;
  throw refusal(`Invalid ${isIpv4(address) ? 'IPv4' : 'IPv6'} prefix '${prefix}' in network '${name}'`, {
    at,
    code: unsupported,
    rule: `A prefix has at most ${max} bits.`,
  });
}

/** One `<route>`. @throws XmlNetworkError */
export function readStaticRoute(element: XmlElement, notes: Notes): NetworkRoute {
  const { name, wrote } = notes;
  const family = word(element, 'family');
  const say = (message: string, at: string, rule: string) =>
    refusal(`${name}: ${message}`, { at: placeIn(element, at), rule });
  if (family !== undefined && family !== 'ipv4' && family !== 'ipv6') {
    throw say(`Unrecognized family '${family}' in route definition`, 'family', 'A family is ipv4 or ipv6.');
  }
  const isIpv6 = family === 'ipv6';
  const zero = isIpv6 ? '::' : '0.0.0.0';
  const written = word(element, 'address');
  const address = typedAddress(written ?? zero);
  const gatewayText = word(element, 'gateway');
  const netmask = word(element, 'netmask');
  const prefix = whole(element, 'prefix');
  const metric = whole(element, 'metric', { isZeroAllowed: false });
  if (gatewayText === undefined) {
    const rule = 'A route leads through a guest, whose address is the gateway.';
    throw say('Missing required gateway attribute in route definition', 'gateway', rule);
  }
  if (address === undefined) {
    throw say(`Bad network address '${written}' in route definition`, 'address', 'The address is that of a subnet.');
  }
  const gateway = typedAddress(gatewayText);
  if (gateway === undefined) {
    throw say(`Bad gateway address '${gatewayText}' in route definition`, 'gateway', 'The gateway is an address.');
  }
  const words = 'An IPv6 route has the family ipv6, an IPv6 address and an IPv6 gateway; others have none.';
  if (isIpv4(address) === isIpv6) {
    const message = isIpv6
      ? `ipv6 family specified for non-IPv6 address '${address}' in route definition`
      : family === undefined
        ? `No family specified for non-IPv4 address '${address}' in route definition`
        : `ipv4 family specified for non-IPv4 address '${address}' in route definition`;
    throw say(message, 'address', words);
  }
  if (isIpv4(gateway) === isIpv6) {
    const message = isIpv6
      ? `ipv6 specified for non-IPv6 gateway address '${gateway}' in route definition`
      : family === undefined
        ? `No family specified for non-IPv4 gateway '${address}' in route definition`
        : `ipv4 family specified for non-IPv4 gateway '${address}' in route definition`;
    throw say(message, 'gateway', words);
  }
  if (isIpv6 && netmask !== undefined) {
    const message = `Specifying netmask invalid for IPv6 address '${address}' in route definition`;
    throw say(message, 'netmask', 'An IPv6 route has a prefix.');
  }
  const mask = netmask === undefined ? undefined : maskLength(netmask);
  if (netmask !== undefined && mask === undefined) {
    throw say(`Bad netmask address '${netmask}' in route definition`, 'netmask', 'A netmask is as 255.255.255.0.');
  }
  if (netmask !== undefined && prefix !== undefined) {
    throw say('Route definition cannot have both a prefix and a netmask', 'prefix', BOTH.rule);
  }
  const max = isIpv6 ? 128 : 32;
  if (prefix !== undefined && prefix > max) {
    const message = `Invalid prefix ${prefix} specified in route definition, must be 0 - ${max}`;
    throw say(message, 'prefix', `A prefix has at most ${max} bits.`);
  }
  const length = mask ?? prefix ?? (written === undefined || address === zero ? 0 : classLength(address));
  const cidr = subnetOf(address, length);
  if (cidr !== `${address}/${length}`) {
    const message = `Address '${address}' in route definition is not a network address`;
    throw say(message, 'address', `The subnet of this length begins at ${cidr.replace(/\/.*/, '')}.`);
  }
  const key = `route ${cidr} ${gateway}`;
  if (written === undefined) wrote(`${key} address`, 'none');
  if (netmask !== undefined) wrote(`${key} mask`, 'netmask');
  else if (prefix === undefined) wrote(`${key} mask`, 'none');
  if (family === 'ipv4') wrote(`${key} family`, 'ipv4');
  return { cidr, via: gateway, ...(metric !== undefined && { metric }) };
}

/** The gateway of a route is in one of the subnets. @throws XmlNetworkError */
export function checkGateway(
  element: XmlElement,
  { via }: NetworkRoute,
  subnets: readonly Subnet[],
  { name }: Notes,
): void {
  const value = ipToBigint(via);
  const isReached = subnets.some(({ cidr }) => {
    const { first, last, family } = ipRange(cidr);
    return family === (isIpv4(via) ? 'ipv4' : 'ipv6') && value >= first && value <= last;
  });
  if (isReached) return;
  throw refusal(`unreachable static route gateway '${via}' specified for network '${name}'`, {
    at: placeIn(element, 'gateway'),
    code: unsupported,
    rule: 'The gateway of a route is a guest, whose address is in a subnet of the network.',
  });
}

/** Reverse look-ups are answered for whole labels of a name. @throws XmlNetworkError */
export function checkLocalPtr(element: XmlElement, { cidr, localPtr }: Subnet, { name }: Notes): void {
  if (localPtr !== true) return;
  const isFour = !cidr.includes(':');
  const length = isFour ? ipv4Length(cidr as Parameters<typeof ipv4Length>[0]) : Number(cidr.split('/')[1]);
  const step = isFour ? 8 : 4;
  if (length % step === 0) return;
  throw refusal(`localPtr not supported for network prefix '${cidr}' of network '${name}'`, {
    at: placeIn(element, 'localPtr'),
    code: unsupported,
    rule: `The prefix of a subnet whose reverse look-ups are local is a multiple of ${step}.`,
  });
}

/** The `<ip>` elements of a network. */
export function subnetElements(root: XmlElement): readonly XmlElement[] {
  return childrenOf(root, 'ip');
}
