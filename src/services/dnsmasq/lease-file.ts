/** dnsmasq's lease file: one line `EXPIRY MAC IPV4 NAME CLIENTID` per lease. `*` is an unknown value; EXPIRY 0 means never. */
import { isIpv4 } from '../../model/address/ipv4.ts';
import { parseMac } from '../../model/address/mac.ts';
import type { LeaseView } from '../../protocol/documents/boot-views.ts';

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
