/**
 * Multicast groups that services use everywhere (IANA, "IPv6 Multicast Address Space Registry", groups of variable scope). A
 * network whose number names such a group gets the packets of that service, and the service those of the network.
 */

/** By the last 32 bits of the group. */
const GROUPS: readonly { readonly first: number; readonly last: number; readonly service: string }[] = [
  { first: 0x1, last: 0x1, service: 'all nodes' },
  { first: 0x2, last: 0x2, service: 'all routers' },
  { first: 0xc, last: 0xc, service: 'SSDP (UPnP)' },
  { first: 0xfb, last: 0xfb, service: 'multicast DNS' },
  { first: 0x101, last: 0x101, service: 'NTP' },
  { first: 0x181, last: 0x184, service: 'PTP' },
  { first: 0x1_0003, last: 0x1_0003, service: 'DHCP servers' },
  { first: 0x1_1000, last: 0x1_13ff, service: 'SLP' },
];

/** Numbers from here on, up to `WELL_KNOWN.end`, and those below 0x1000 are left out by the allocator. */
const LEFT_OUT = { first: 0x1_0000, last: 0x1_ffff };
const FIRST_FREE = 0x1000;

/** Whose group `ff05::<number>` is; undefined for a group that is free to use. */
export function wellKnownGroup(number: number): string | undefined {
  const known = GROUPS.find(({ first, last }) => number >= first && number <= last)?.service;
  if (known !== undefined) return known;
  const isReserved = number < FIRST_FREE || (number >= LEFT_OUT.first && number <= LEFT_OUT.last);
  return isReserved ? 'well-known services' : undefined;
}
