/** Prints `<ip>` and `<route>`. */
import type { NetworkRoute } from '../../../model/network/routing.ts';
import {
  type DhcpHost,
  type DynamicRange,
  LEASE_MAX_SEC,
  type Subnet,
  type SubnetDhcp,
} from '../../../model/network/subnet.ts';
import { type XmlLines, xmlContainer, xmlElement } from '../text/xml-text.ts';
import { leaseUnit, UNIT_SEC } from './dhcp-xml.ts';
import { type Kept, writtenAs } from './kept.ts';
import { maskOf } from './subnet-xml.ts';

/** A subnet with the address of its host. @param hasDhcp whether DHCP is said here */
export function subnetElement(
  { cidr, hostAddress, dhcp, localPtr, tftp }: Subnet,
  kept: Kept,
  hasDhcp: boolean,
): XmlLines {
  const length = Number(cidr.split('/')[1]);
  const isSix = cidr.includes(':');
  const mask = writtenAs(kept, `mask ${hostAddress ?? ''}`);
  const attributes = {
    family: isSix ? 'ipv6' : writtenAs(kept, `family ${hostAddress ?? ''}`),
    address: hostAddress,
    netmask: mask === 'netmask' && !isSix ? maskOf(length) : undefined,
    prefix: mask === undefined || (mask === 'netmask' && isSix) ? length : undefined,
    localPtr: localPtr === undefined ? undefined : localPtr ? 'yes' : 'no',
  };
  return xmlElement('ip', attributes, [
    ...(tftp === undefined || isSix ? [] : [xmlElement('tftp', { root: tftp.root })]),
    ...(dhcp === undefined || !hasDhcp ? [] : dhcpElement(dhcp, kept, isSix)),
  ]);
}

function dhcpElement({ ranges, hosts, bootp }: SubnetDhcp, kept: Kept, isSix: boolean): XmlLines[] {
  if (ranges.length === 0 && hosts.length === 0) return [];
  return [
    xmlContainer('dhcp', {}, [
      ...ranges.map((range) => rangeElement(range, kept)),
      ...hosts.map((host) => hostElement(host, kept)),
      ...(bootp === undefined || isSix ? [] : [xmlElement('bootp', { file: bootp.file, server: bootp.server })]),
    ]),
  ];
}

/** A range of dynamic addresses. */
export function rangeElement({ first, last, leaseSec }: DynamicRange, kept: Kept): XmlLines {
  return xmlElement('range', { start: first, end: last }, leaseElement(leaseSec, writtenAs(kept, `lease ${first}`)));
}

/** A reservation. */
export function hostElement({ mac, id, name, address, leaseSec }: DhcpHost, kept: Kept): XmlLines {
  const typed = mac === undefined ? undefined : (writtenAs(kept, `mac ${mac}`) ?? mac);
  const lease = leaseElement(leaseSec, writtenAs(kept, `lease ${address ?? ''}`));
  return xmlElement('host', { mac: typed, id, name, ip: address }, lease);
}

function leaseElement(leaseSec: number | undefined, typed: string | undefined): XmlLines[] {
  if (leaseSec === undefined) return [];
  if (leaseSec === LEASE_MAX_SEC) return [xmlElement('lease', { expiry: 0 })];
  const isFit = typed !== undefined && leaseSec % (UNIT_SEC[typed] ?? leaseSec + 1) === 0;
  const unit = isFit ? typed : leaseUnit(leaseSec);
  return [xmlElement('lease', { expiry: leaseSec / (UNIT_SEC[unit] ?? 1), unit })];
}

/** A static route. */
export function routeElement({ cidr, via, metric }: NetworkRoute, kept: Kept): XmlLines {
  const [address = '', length = ''] = cidr.split('/');
  const isSix = cidr.includes(':');
  const key = `route ${cidr} ${via}`;
  const mask = writtenAs(kept, `${key} mask`);
  return xmlElement('route', {
    family: isSix ? 'ipv6' : writtenAs(kept, `${key} family`),
    address: writtenAs(kept, `${key} address`) === 'none' ? undefined : address,
    netmask: mask === 'netmask' ? maskOf(Number(length)) : undefined,
    prefix: mask === undefined ? length : undefined,
    gateway: via,
    metric,
  });
}
