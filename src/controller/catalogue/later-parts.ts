/**
 * The parts of networks that came with the second version of records. A host0 that knows only the first would take such a network up
 * without them, or write over the record; a document of a later version is left alone.
 */
import type { NetworkGuests } from '../../model/network/guests.ts';
import type { Network } from '../../model/network/network.ts';

/** Whether a network has a part that the first version of records cannot say. */
export function hasLaterParts({ type, bridge, routing, guests, guestIpv6, bandwidth, ...rest }: Network): boolean {
  return (
    type.kind === 'macvtap' ||
    type.kind === 'hostdev' ||
    [bridge?.zone, routing.nat, guestIpv6, bandwidth, rest.dnsmasqOptions].some((part) => part !== undefined) ||
    routing.rules.some(({ forwardTo }) => forwardTo !== undefined && 'guest' in forwardTo) ||
    hasLaterNames(rest) ||
    hasLaterLimits(guests) ||
    hasLaterLeases(rest)
  );
}

function hasLaterNames({ dns }: Pick<Network, 'dns'>): boolean {
  if (dns === undefined) return false;
  return (
    [dns.enabled, dns.localOnly, dns.register, dns.forwardPlainNames].some((part) => part !== undefined) ||
    dns.forwarders.some(({ address, port }) => address === undefined || port !== undefined) ||
    dns.srv.some(({ protocol, target, port }) => {
      return !['tcp', 'udp'].includes(protocol) || target === undefined || port === undefined;
    })
  );
}

function hasLaterLimits(guests: NetworkGuests | undefined): boolean {
  if (guests === undefined) return false;
  return [guests, ...guests.portGroups].some(({ trunk }) => trunk !== undefined);
}

function hasLaterLeases({ subnets }: Pick<Network, 'subnets'>): boolean {
  const parts = subnets.flatMap(({ dhcp }) => (dhcp === undefined ? [] : [...dhcp.ranges, ...dhcp.hosts]));
  return parts.some(({ leaseSec }) => leaseSec !== undefined);
}
