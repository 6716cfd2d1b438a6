/**
 * dnsmasq's file of fixed addresses (`dhcp-hostsfile`): a line `MAC,IPV4` for each machine. dnsmasq reads the file again on
 * SIGHUP. The file is filled up with empty lines and overwritten in place, so that it can be changed on a full disk, too.
 */
import { chmodSync, closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs';
import { type Ipv4, isIpv4 } from '../../model/address/ipv4.ts';
import { type Mac, parseMac } from '../../model/address/mac.ts';

/** The file grows by so much: room for 1,600 machines. */
const STEP_BYTES = 65_536;

/** Reads the lines in their order. Lines that a power cut has spoilt are left out. */
export function parseHostFile(text: string): (readonly [Mac, Ipv4])[] {
  return text.split('\n').flatMap((line) => {
    const [mac = '', ipv4 = ''] = line.split(',');
    return /^(?:[0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(mac) && isIpv4(ipv4) ? [[parseMac(mac), ipv4] as const] : [];
  });
}

/** Overwrites the file. dnsmasq reads it as its own user, whatever the umask of host0. @throws an error of the file system */
export function writeHostFile(file: string, hosts: Iterable<readonly [Mac, Ipv4]>): void {
  const text = Array.from(hosts, ([mac, ipv4]) => `${mac},${ipv4}\n`).join('');
  const descriptor = openSync(file, constants.O_WRONLY | constants.O_CREAT, 0o644);
  try {
    chmodSync(file, 0o644);
    const least = Math.ceil(text.length / STEP_BYTES) * STEP_BYTES;
    const bytes = Buffer.alloc(Math.max(STEP_BYTES, least, fstatSync(descriptor).size), '\n');
    bytes.write(text);
    writeSync(descriptor, bytes, 0, bytes.length, 0);
  } finally {
    closeSync(descriptor);
  }
}
