/** A machine on a segment of a lab that takes part in nothing: what it may reach, anybody on the underlay may. */
import { netnsPath } from '../../src/kernel/netns.ts';
import type { Lab } from '../../src/lab/cluster/lab.ts';
import { type Ipv4, parseIpv4 } from '../../src/model/address/ipv4.ts';
import { type Ipv6, parseIpv6 } from '../../src/model/address/ipv6.ts';
import { inside } from '../kit/namespaces.ts';
import { BareHost } from './bare-host.ts';

/** Behind the addresses of a lab's own hosts. */
const NUMBER = 200;

/** Has an IPv4 address of its segment, an IPv6 address of its own, and a link-local one, on `eth0`. */
export class Stranger extends BareHost {
  readonly ipv4: Ipv4;
  readonly ipv6: Ipv6;

  private constructor(segment: number) {
    super();
    this.ipv4 = parseIpv4(`10.11.${segment}.${NUMBER}`);
    this.ipv6 = parseIpv6(`fd77:${segment}::${NUMBER}`);
  }

  /** One for each segment. */
  static on(lab: Lab, segment: number): Stranger {
    const stranger = new Stranger(segment);
    const underlay = netnsPath(lab.topology.underlay);
    const peer = ['peer', 'name', 'eth0', 'netns', stranger.netns];
    inside(
      underlay,
      'ip',
      'link',
      'add',
      `stranger${segment}`,
      'master',
      `seg${segment}`,
      'up',
      'type',
      'veth',
      ...peer,
    );
    stranger.run('ip', 'link', 'set', 'eth0', 'addrgenmode', 'none');
    const addresses = [`${stranger.ipv4}/24`, `${stranger.ipv6}/64`, `fe80::${NUMBER}/64`];
    for (const address of addresses) stranger.run('ip', 'address', 'add', address, 'dev', 'eth0', 'nodad');
    stranger.run('ip', 'link', 'set', 'eth0', 'up');
    return stranger;
  }
}
