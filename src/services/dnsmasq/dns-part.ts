/** The names that dnsmasq answers. */
import type { NetworkDns } from '../../model/network/dns.ts';
import { type ConfLines, setting } from './setting.ts';

/** dnsmasq is no DNS server, and reads no file of this machine. */
export const NO_DNS: ConfLines = ['port=0', 'no-resolv', 'no-hosts'];

/** The names of a network, and who is asked for others. dnsmasq reads no file of this machine. */
export function dnsPart({ domain, hosts, srv, txt, forwarders }: NetworkDns): ConfLines {
  return [
    'no-resolv',
    'no-hosts',
    ...(domain === undefined ? [] : [setting`domain=${domain}`, setting`local=/${domain}/`, 'expand-hosts']),
    ...hosts.map(({ address, names }) => setting`host-record=${[...names, address]}`),
    ...srv.map((record) => {
      const { service, protocol, target, port, priority = 0, weight = 0 } = record;
      const name = [`_${service}`, `_${protocol}`, ...(record.domain === undefined ? [] : [record.domain])].join('.');
      return setting`srv-host=${[name, target, port, priority, weight]}`;
    }),
    ...txt.map(({ name, value }) => setting`txt-record=${[name, value]}`),
    ...forwarders.map(({ address, domain: only }) =>
      only === undefined ? setting`server=${address}` : setting`server=/${only}/${address}`,
    ),
  ];
}
