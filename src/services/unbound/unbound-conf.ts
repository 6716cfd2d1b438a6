/** The configuration of an unbound that answers guests of one network with addresses behind NAT64 (DNS64, RFC 6147). Pure. */
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Ipv6, Ipv6Cidr } from '../../model/address/ipv6.ts';

/** What an unbound answers. */
export interface Resolution {
  /** The address at which it listens. */
  readonly address: Ipv6;
  /** The subnets of the guests that it answers. */
  readonly guests: readonly Ipv6Cidr[];
  /** The /96 of the translator. */
  readonly prefix: Ipv6Cidr;
  /** The resolvers that it asks. Empty: it asks the servers of the domains itself. */
  readonly forwarders: readonly (Ipv4 | Ipv6)[];
  /** Whom it becomes; `nobody` when absent. */
  readonly user?: string;
}

/**
 * The text of the file. An AAAA record of a name wins over one that is made up. Names of guests belong into the forwarder:
 * unbound makes up nothing for records of its own (`local-data`).
 */
export function unboundConf({ address, guests, prefix, forwarders, user = 'nobody' }: Resolution): string {
  return [
    '# Made by Meshwork; changes are overwritten.',
    'server:',
    `  interface: ${address}`,
    // The address comes with the active router, and may come after unbound.
    '  ip-freebind: yes',
    ...guests.map((guest) => `  access-control: ${guest} allow`),
    '  module-config: "dns64 iterator"',
    `  dns64-prefix: ${prefix}`,
    // 4 MB of answers for a network: unbound takes 17 MB in all.
    '  msg-cache-size: 1m',
    '  rrset-cache-size: 2m',
    '  num-threads: 1',
    '  do-daemonize: no',
    '  use-syslog: no',
    '  logfile: ""',
    '  verbosity: 1',
    // unbound binds to its port first, and then is root no more.
    `  username: "${user}"`,
    '  chroot: ""',
    '  directory: "/"',
    '  pidfile: ""',
    '  do-not-query-localhost: no',
    'remote-control:',
    '  control-enable: no',
    ...(forwarders.length === 0
      ? []
      : ['forward-zone:', '  name: "."', ...forwarders.map((to) => `  forward-addr: ${to}`)]),
    '',
  ].join('\n');
}
