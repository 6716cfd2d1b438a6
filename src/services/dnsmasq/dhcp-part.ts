/** Which addresses dnsmasq gives, to whom and with which options. */
import type { Ipv4, Ipv4Range } from '../../model/address/ipv4.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import { type DhcpHost, LEASE_MAX_SEC, type SubnetDhcp } from '../../model/network/subnet.ts';
import { bracketed, type ConfLines, setting } from './setting.ts';

/** The addresses that dnsmasq gives in one subnet. */
export type DhcpRange =
  /** Dynamic addresses, both ends included. */
  | { readonly kind: 'dynamic4'; readonly first: Ipv4; readonly last: Ipv4; readonly mask: Ipv4 }
  | { readonly kind: 'dynamic6'; readonly first: Ipv6; readonly last: Ipv6; readonly length: number }
  /** Only addresses of reservations. */
  | { readonly kind: 'static4'; readonly subnet: Ipv4Range }
  | { readonly kind: 'static6'; readonly network: Ipv6; readonly length: number }
  /** None: another server gives the addresses, and dnsmasq adds boot files to its answers. */
  | { readonly kind: 'proxy'; readonly subnet: Ipv4Range };

/** The line of a range. @param sec how long a lease lasts; unused for a proxy, which gives no leases */
export function dhcpRange(range: DhcpRange, sec: number): string {
  const leaseSec = leaseWord(sec);
  switch (range.kind) {
    case 'dynamic4':
      return setting`dhcp-range=${[range.first, range.last, range.mask, leaseSec]}`;
    case 'dynamic6':
      return setting`dhcp-range=${[range.first, range.last, range.length, leaseSec]}`;
    case 'static4':
      return setting`dhcp-range=${[range.subnet.network, 'static', range.subnet.mask, leaseSec]}`;
    case 'static6':
      return setting`dhcp-range=${[range.network, 'static', range.length, leaseSec]}`;
    case 'proxy':
      return setting`dhcp-range=${[range.subnet.network, 'proxy', range.subnet.mask]}`;
  }
}

/** Where reservations come from, and where leases are kept. */
export interface LeaseFiles {
  /** How many leases there may be. Absent: ten thousand. */
  readonly leasesMax?: number;
  /** The file of reservations (host-file.ts), which dnsmasq reads again on SIGHUP. Absent: none. */
  readonly hostFile?: string;
  readonly leaseFile: string;
}

/** More than the subnet of any switch needs. */
const LEASES_MAX = 10_000;

/** The files of reservations and leases. */
export function leasePart({ hostFile, leaseFile, leasesMax = LEASES_MAX }: LeaseFiles): ConfLines {
  return [
    ...(hostFile === undefined ? [] : [setting`dhcp-hostsfile=${hostFile}`]),
    setting`dhcp-leasefile=${leaseFile}`,
    setting`dhcp-lease-max=${leasesMax}`,
  ];
}

/** One option of an answer. Without values it is left out of the answer, where dnsmasq would send it by itself. */
export interface DhcpOption {
  /** A number, or dnsmasq’s name with `option:` or `option6:` before it. */
  readonly option: string | number;
  readonly values?: readonly (string | number)[];
  /** Only to clients with these tags; `!tag`: without. */
  readonly tags?: readonly string[];
  /** Also to clients that did not ask for it. */
  readonly forced?: boolean;
}

/** The line of an option. */
export function dhcpOption({ option, values = [], tags = [], forced = false }: DhcpOption): string {
  const words = [...tags.map((tag) => `tag:${tag}`), option, ...values];
  return forced ? setting`dhcp-option-force=${words}` : setting`dhcp-option=${words}`;
}

/** The line of a reservation, which dnsmasq reads only when it starts. */
export function dhcpHost(host: DhcpHost, leaseSec: number): string {
  return setting`dhcp-host=${reservationWords(host, leaseSec)}`;
}

/** A line of the file of reservations (`dhcp-hostsfile`). Without a time of its own, the lease lasts as long as those of the range. */
export function reservationLine(host: DhcpHost): string {
  return setting`${reservationWords(host, host.leaseSec)}`;
}

/** The highest value of the field means for ever (RFC 2131 §3.3). */
function leaseWord(leaseSec: number): number | string {
  return leaseSec === LEASE_MAX_SEC ? 'infinite' : leaseSec;
}

function reservationWords({ mac, id, name, address }: DhcpHost, leaseSec?: number): readonly (string | number)[] {
  const place = address === undefined ? [] : [address.includes(':') ? bracketed(address) : address];
  const who = [...(mac === undefined ? [] : [mac]), ...(id === undefined ? [] : [`id:${id}`])];
  const lease = leaseSec === undefined ? [] : [leaseWord(leaseSec)];
  return [...who, ...place, ...(name === undefined ? [] : [name]), ...lease];
}

/** The line that names a boot file, and the server that has it. Absent: this machine. */
export function dhcpBoot({ file, server }: NonNullable<SubnetDhcp['bootp']>): string {
  return setting`dhcp-boot=${server === undefined ? [file] : [file, '', server]}`;
}

/** No other server gives addresses here: a client that asks for an address of another one gets a NAK at once. */
export const AUTHORITATIVE = 'dhcp-authoritative';
/** A client is known by its MAC. Its client id is not looked at. */
export const KNOWN_BY_MAC = 'dhcp-ignore-clid';
