/** A machine on a segment of a lab that is in no mesh: it stands for any other machine on the underlay. */
import { netnsPath } from '../../src/kernel/netns.ts';
import type { Lab } from '../../src/lab/cluster/lab.ts';
import { type Ipv4, parseIpv4 } from '../../src/model/address/ipv4.ts';
import { type Ipv6, parseIpv6 } from '../../src/model/address/ipv6.ts';
import { inside } from '../kit/namespaces.ts';
import { BareHost } from './bare-host.ts';

/** The number in its addresses; the hosts of a lab have lower ones. */
const NUMBER = 200;

/** On `eth0` it has an IPv4 address of its segment, an IPv6 address, and a link-local address. */
export class Stranger extends BareHost {
  readonly ipv4: Ipv4;
  readonly ipv6: Ipv6;

  private constructor(segment: number) {
    super();
    this.ipv4 = parseIpv4(`10.11.${segment}.${NUMBER}`);
    this.ipv6 = parseIpv6(`fd77:${segment}::${NUMBER}`);
  }

  /** Makes the stranger of a segment; a segment can have one. */
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
