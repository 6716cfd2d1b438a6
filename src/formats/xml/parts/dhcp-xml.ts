/** `<dhcp>` of a subnet: ranges, reservations and what machines boot. */

import { ipRange, ipToBigint } from '../../../model/address/ip-range.ts';
import { type Ipv4, isIpv4 } from '../../../model/address/ipv4.ts';
import type { Ipv6 } from '../../../model/address/ipv6.ts';
import { FLOOD_MAC, isUnicastMac, type Mac } from '../../../model/address/mac.ts';
import { type DhcpHost, type DynamicRange, LEASE_MAX_SEC, type SubnetDhcp } from '../../../model/network/subnet.ts';
import {
  attribute,
  childOf,
  childrenOf,
  choice,
  placeIn,
  refusal,
  typedAddress,
  whole,
  word,
} from '../text/element-reader.ts';
import { LIBVIRT_CODE } from '../text/xml-error.ts';
import type { XmlElement } from '../text/xml-tree.ts';
import type { Notes } from './notes.ts';

/** The subnet around a `<dhcp>`. */
export interface ServedSubnet {
  readonly address: Ipv4 | Ipv6;
  readonly length: number;
}

const { internal, system, unsupported } = LIBVIRT_CODE;
const UNITS = ['seconds', 'minutes', 'hours'] as const;
/** Seconds in each unit of a lease. */
export const UNIT_SEC: Readonly<Record<string, number>> = { seconds: 1, minutes: 60, hours: 3_600 };
const RANGE_MAX = 65_535n;

/** What DHCP gives; undefined where nothing is to be given, which libvirt forgets, too. @throws XmlNetworkError */
export function readDhcp(element: XmlElement, subnet: ServedSubnet, notes: Notes): SubnetDhcp | undefined {
  const ranges = childrenOf(element, 'range').map((one) => readRange(one, subnet, notes));
  const hosts = childrenOf(element, 'host').map((one) => readHost(one, subnet, notes));
  const bootp = childOf(element, 'bootp');
  const file = bootp && isIpv4(subnet.address) ? word(bootp, 'file') : undefined;
  const server = bootp && word(bootp, 'server');
  if (bootp !== undefined && file !== undefined && server !== undefined && typedAddress(server) === undefined) {
    throw refusal(`Cannot parse socket address '${server}': Name or service not known`, {
      at: placeIn(bootp, 'server'),
      code: system,
      domain: 0,
      rule: 'The server of a boot file is named by its address.',
    });
  }
  if (ranges.length === 0 && hosts.length === 0) return undefined;
  return {
    ranges,
    hosts,
    options: [],
    ...(file !== undefined && { bootp: { file, ...(server !== undefined && { server }) } }),
  };
}

/** One `<range>`. @throws XmlNetworkError */
export function readRange(element: XmlElement, subnet: ServedSubnet | undefined, { name, wrote }: Notes): DynamicRange {
  const [first, last] = ['start', 'end'].map((which) => {
    const found = attribute(element, which);
    if (found === undefined) {
      const rule = 'A range has a first and a last address, start and end.';
      throw refusal(`Missing '${which}' attribute in dhcp range for network '${name}'`, { at: element, rule });
    }
    const address = typedAddress(found.value);
    if (address !== undefined) return address;
    const rule = 'The ends of a range are addresses of its subnet.';
    const message = `Cannot parse socket address '${found.value}': Name or service not known`;
    throw refusal(message, { at: found, code: system, domain: 0, rule });
  });
  if (first === undefined || last === undefined) throw new Error('a range without ends');
  if (subnet !== undefined) checkRange(element, first, last, subnet);
  const leaseSec = readLease(element, `lease ${first}`, wrote);
  return { first, last, ...(leaseSec !== undefined && { leaseSec }) };
}

/** libvirt's virSocketAddrGetRange. */
function checkRange(
  element: XmlElement,
  first: Ipv4 | Ipv6,
  last: Ipv4 | Ipv6,
  { address, length }: ServedSubnet,
): void {
  const text = `range ${first} - ${last}`;
  const say = (message: string, rule: string, at = 'start') =>
    refusal(message, { at: placeIn(element, at), code: internal, domain: 0, rule });
  const inside = 'A range is in its subnet.';
  if (isIpv4(first) !== isIpv4(last) || isIpv4(first) !== isIpv4(address)) {
    throw say(`mismatch of address family in ${text} for network ${address}`, inside);
  }
  const subnet = ipRange(`${address}/${length}`);
  const [start, end] = [ipToBigint(first), ipToBigint(last)];
  if (start > end) throw say(`${text} is reversed `, 'The first address of a range is not above the last.');
  if (end - start > RANGE_MAX) {
    throw say(`${text} is too large (> ${RANGE_MAX})`, 'A range has at most 65536 addresses.', 'end');
  }
  if (start < subnet.first || end > subnet.last) {
    const at = start < subnet.first || start > subnet.last ? 'start' : 'end';
    throw say(`${text} is not entirely within network ${address}/${length}`, inside, at);
  }
  if (!isIpv4(address) || length >= 31) return;
  const where = `${text} in network ${address}/${length}`;
  const rule = 'The first and the last address of an IPv4 subnet are no addresses of hosts.';
  if (start === subnet.first) throw say(`start of ${where} is the network address`, rule);
  if (end === subnet.last) throw say(`end of ${where} is the broadcast address`, rule, 'end');
}

function readLease(element: XmlElement, part: string, wrote: Notes['wrote']): number | undefined {
  const lease = childOf(element, 'lease');
  const expiry = lease && whole(lease, 'expiry');
  if (lease === undefined || expiry === undefined) return undefined;
  const unit = choice(lease, 'unit', UNITS) ?? 'minutes';
  if (expiry === 0) return LEASE_MAX_SEC;
  const leaseSec = expiry * (UNIT_SEC[unit] ?? 60);
  if (unit !== leaseUnit(leaseSec)) wrote(part, unit);
  if (leaseSec < 120) {
    throw refusal('The minimum lease time should be greater than 2 minutes', {
      at: placeIn(lease, 'expiry'),
      code: unsupported,
      rule: 'A lease lasts for two minutes or more, or for ever: 0.',
    });
  }
  if (leaseSec < LEASE_MAX_SEC) return leaseSec;
  throw refusal(`the lease time ${expiry} ${unit} is too long`, {
    at: placeIn(lease, 'expiry'),
    code: unsupported,
    rule: 'DHCP counts seconds with 32 bits.',
    remedy: "Write expiry='0', for ever",
  });
}

/** The unit in which a lease is printed, unless another was written. */
export function leaseUnit(leaseSec: number): (typeof UNITS)[number] {
  if (leaseSec % 3_600 === 0) return 'hours';
  return leaseSec % 60 === 0 ? 'minutes' : 'seconds';
}

/** One `<host>`. @param isPartial whether parts may be missing, as where a host is looked for. @throws XmlNetworkError */
export function readHost(
  element: XmlElement,
  subnet: ServedSubnet | undefined,
  { name, wrote }: Notes,
  isPartial = false,
): DhcpHost {
  const at = (which: string) => ({ at: placeIn(element, which) });
  const typedMac = word(element, 'mac');
  const id = word(element, 'id');
  const host = word(element, 'name');
  const ip = word(element, 'ip');
  const isSix = subnet !== undefined && !isIpv4(subnet.address);
  const mac = typedMac === undefined ? undefined : readMac(element, typedMac, isSix, name);
  if (id !== undefined) {
    const odd = /[^0-9a-fA-F:]/.exec(id)?.[0];
    if (odd !== undefined && isSix) {
      const rule = 'An id is a DUID: bytes in hexadecimal with colons between them.';
      throw refusal(`Invalid character '${odd}' in id '${id}' of network '${name}'`, { ...at('id'), rule });
    }
  }
  if (host !== undefined && !/^[A-Za-z0-9]/.test(host)) {
    const rule = 'A name begins with a letter or a digit.';
    throw refusal(`Cannot use host name '${host}' in network '${name}'`, { ...at('name'), rule });
  }
  const address = ip === undefined ? undefined : typedAddress(ip);
  if (!isPartial || ip !== undefined) {
    const rule = 'A reservation has the address that the guest gets.';
    if (ip === undefined) {
      throw refusal(`Missing IP address in static host definition for network '${name}'`, { ...at('ip'), rule });
    }
    if (address === undefined) {
      throw refusal(`Invalid IP address in static host definition for network '${name}'`, { ...at('ip'), rule });
    }
  }
  const known = isSix ? id : typedMac;
  if (!isPartial && known === undefined && host === undefined) {
    const key = isSix ? 'id' : 'mac';
    throw refusal(
      `Static host definition in ${isSix ? 'IPv6' : 'IPv4'} network '${name}' must have ${key} or name attribute`,
      { at: element, rule: `A guest is known by its ${key} or by its name.` },
    );
  }
  const leaseSec = readLease(element, `lease ${ip ?? ''}`, wrote);
  if (mac !== undefined && typedMac !== undefined && mac !== typedMac) wrote(`mac ${mac}`, typedMac);
  return {
    ...(mac !== undefined && { mac }),
    ...(id !== undefined && { id }),
    ...(host !== undefined && { name: host }),
    ...(address !== undefined && { address }),
    ...(leaseSec !== undefined && { leaseSec }),
  };
}

/** An Ethernet address as people write it: a byte may have one digit. */
export function macOf(text: string): Mac | undefined {
  if (!/^[0-9a-fA-F]{1,2}(:[0-9a-fA-F]{1,2}){5}$/.test(text)) return undefined;
  return text
    .toLowerCase()
    .split(':')
    .map((byte) => byte.padStart(2, '0'))
    .join(':') as Mac;
}

function readMac(element: XmlElement, typed: string, isSix: boolean, name: string): Mac {
  const at = placeIn(element, 'mac');
  const rule = 'An Ethernet address is that of one card: six bytes in hexadecimal with colons between them.';
  if (isSix) {
    throw refusal(`Invalid to specify MAC address '${typed}' in network '${name}' IPv6 static host definition`, {
      at,
      rule: 'A guest of an IPv6 subnet is known by its id or its name.',
    });
  }
  const mac = macOf(typed);
  if (mac === undefined) throw refusal(`Cannot parse MAC address '${typed}' in network '${name}'`, { at, rule });
  if (mac !== FLOOD_MAC && !isUnicastMac(mac)) {
    throw refusal(`expected unicast mac address, found multicast '${typed}' in network '${name}'`, { at, rule });
  }
  return mac;
}
