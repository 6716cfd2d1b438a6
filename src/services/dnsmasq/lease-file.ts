/**
 * dnsmasq's lease file: one line `EXPIRY MAC IPV4 NAME CLIENTID` per lease, then the line `duid` of the server, and a line
 * `EXPIRY IAID IPV6 NAME DUID` for each of DHCPv6. `*` is an unknown value; EXPIRY 0 means never.
 */
import { isIpv4 } from '../../model/address/ipv4.ts';
import { isIpv6Text, parseIpv6 } from '../../model/address/ipv6.ts';
import { parseMac } from '../../model/address/mac.ts';
import type { LeaseView } from '../../protocol/documents/boot-views.ts';
import type { GuestLease } from '../../protocol/documents/service/guest-lease.ts';

/** The leases that are in force at `now`. Other lines, such as those of DHCPv6 or one that a crash cut off, are left out. */
export function parseLeases(text: string, now: Date): LeaseView[] {
  return text.split('\n').flatMap((line) => {
    const [expiry = '', mac = '', ipv4 = '', name = '*'] = line.split(' ');
    if (!/^\d{1,12}$/.test(expiry) || !/^(?:[0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(mac) || !isIpv4(ipv4)) return [];
    const expires = new Date(Number(expiry) * 1000);
    if (Number(expiry) !== 0 && expires <= now) return [];
    return [{ mac: parseMac(mac), ipv4, expires: expires.toISOString(), ...(name !== '*' && { name }) }];
  });
}

/** The leases of guests that are in force at `now`, of both families. */
export function parseGuestLeases(text: string, now: Date): GuestLease[] {
  const four = parseLeases(text, now).map(({ ipv4, expires, ...guest }): GuestLease => {
    return { ...guest, address: ipv4, ...(Date.parse(expires) !== 0 && { expires }) };
  });
  const six = text.split('\n').flatMap((line): GuestLease[] => {
    const [expiry = '', iaid = '', address = '', name = '*', duid = ''] = line.split(' ');
    if (!/^\d{1,12}$/.test(expiry) || !/^T?\d+$/.test(iaid) || !isIpv6Text(address)) return [];
    if (!/^[0-9a-f]{2}(?::[0-9a-f]{2})*$/.test(duid)) return [];
    const expires = new Date(Number(expiry) * 1000);
    if (Number(expiry) !== 0 && expires <= now) return [];
    const until = Number(expiry) === 0 ? {} : { expires: expires.toISOString() };
    return [{ address: parseIpv6(address), duid, ...(name !== '*' && { name }), ...until }];
  });
  return [...four, ...six];
}
