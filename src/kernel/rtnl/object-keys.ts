/** What identifies an object of the kernel among those of its kind. */
import { FLOOD_MAC } from '../../model/address/mac.ts';
import type { Address, FdbEntry, Neighbour, Route, Rule } from './objects.ts';

/** The fields that identify an FDB entry. */
export type EntryIdentity = Pick<FdbEntry, 'link' | 'table' | 'mac' | 'remoteVtep' | 'udpPort'>;

/** Two prefix lengths of one address are two addresses. */
export function addressKey({ link, address, length }: Pick<Address, 'link' | 'address' | 'length'>): string {
  return `${link} ${address}/${length}`;
}

/** The two routes of a destination differ in metric, link or gateway. */
export function routeKey({ family, table, destination, metric, link, gateway }: Route): string {
  return `${family} ${table} ${destination} ${metric} ${link} ${gateway}`;
}

/** A link has one entry for an address. */
export function neighbourObjectKey({ link, address }: Pick<Neighbour, 'link' | 'address'>): string {
  return `${link} ${address}`;
}

/**
 * Only flood entries are identified by their remote VTEP, with its UDP port where that is not the device's. Another entry keeps its key when it moves to another VTEP.
 */
export function entryKey({ link, table, mac, remoteVtep, udpPort }: EntryIdentity): string {
  if (mac !== FLOOD_MAC) return `${link} ${table} ${mac}`;
  return `${link} ${table} ${mac} ${remoteVtep}${udpPort === undefined ? '' : ` port ${udpPort}`}`;
}

/** Two programs may have the same rule. */
export function ruleKey({ priority, table, protocol, udp }: Rule): string {
  return `${priority} ${table} ${protocol} ${udp?.from} ${udp?.to}`;
}
