/** The names that dnsmasq answers. */
import { type Ipv4, isIpv4 } from '../../model/address/ipv4.ts';
import { type Ipv6, isIpv6Text, parseIpv6 } from '../../model/address/ipv6.ts';
import type { DnsForwarder, NetworkDns } from '../../model/network/dns.ts';
import { type ConfLines, setting } from './setting.ts';

/** dnsmasq is no DNS server, and reads no file of this machine. */
export const NO_DNS: ConfLines = ['port=0', 'no-resolv', 'no-hosts'];

/** What is further to be said of names. */
export interface DnsSettings {
  /** Whether names in the domain are never forwarded. */
  readonly localOnly?: boolean;
  /** The file of further hosts (`hostsText`), which dnsmasq reads again on SIGHUP. */
  readonly hostsFile?: string;
  /** The file of the servers that are asked for other names (`serversText`), which dnsmasq reads again on SIGHUP. Absent: none is asked. */
  readonly serversFile?: string;
}

/** The names of a network, and who is asked for others. dnsmasq reads no file of this machine. */
export function dnsPart(
  { domain, hosts, srv, txt, forwarders, forwardPlainNames = true }: NetworkDns,
  { localOnly = true, hostsFile, serversFile }: DnsSettings = {},
): ConfLines {
  return [
    'no-resolv',
    'no-hosts',
    ...(serversFile === undefined ? [] : [setting`servers-file=${serversFile}`]),
    ...(domain === undefined
      ? []
      : [setting`domain=${domain}`, ...(localOnly ? [setting`local=/${domain}/`] : []), 'expand-hosts']),
    ...(hostsFile === undefined ? [] : [setting`addn-hosts=${hostsFile}`]),
    ...hosts.map(({ address, names }) => setting`host-record=${[...names, address]}`),
    ...srv.map((record) => {
      const { service, protocol, target, port = 1, priority = 0, weight = 0 } = record;
      const name = [`_${service}`, `_${protocol}`, ...(record.domain === undefined ? [] : [record.domain])].join('.');
      return target === undefined
        ? setting`srv-host=${name}`
        : setting`srv-host=${[name, target, port, priority, weight]}`;
    }),
    ...txt.map(({ name, value }) => setting`txt-record=${[name, value]}`),
    ...(forwardPlainNames ? [] : ['domain-needed', 'local=//']),
    ...forwarders.map(serverLine),
  ];
}

/** `#` stands for the servers that are asked for all other names. */
function serverLine({ address, port, domain }: DnsForwarder): string {
  const place = port === undefined || address === undefined ? (address ?? '#') : `${address}#${port}`;
  return domain === undefined ? setting`server=${place}` : setting`server=/${domain}/${place}`;
}

/** The text of the file of hosts. Names are words without blanks (`DomainNameShape`). */
export function hostsText(hosts: NetworkDns['hosts']): string {
  return hosts.map(({ address, names }) => `${address} ${names.join(' ')}\n`).join('');
}

/** The text of the file of servers. */
export function serversText(servers: readonly string[]): string {
  return servers.map((address) => `${setting`server=${address}`}\n`).join('');
}

/** The servers that a machine asks for names, as its resolv.conf(5) has them. An address of one link alone is left out. */
export function resolversIn(resolvConf: string): (Ipv4 | Ipv6)[] {
  const named = resolvConf.split('\n').flatMap((line) => /^\s*nameserver\s+(\S+)/.exec(line)?.[1] ?? []);
  return named.flatMap((text): (Ipv4 | Ipv6)[] => {
    if (isIpv4(text)) return [text];
    return isIpv6Text(text) ? [parseIpv6(text)] : [];
  });
}
