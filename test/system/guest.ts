/** A guest behind a host of a lab: a namespace with one end of a veth pair. The other end is on the host, to be plugged in. */
import { netnsPath } from '../../src/kernel/netns.ts';
import type { LabHost } from '../../src/lab/hosts/lab-host.ts';
import { type Ipv6, parseIpv6 } from '../../src/model/address/ipv6.ts';
import { inside } from '../kit/namespaces.ts';
import { BareHost } from './bare-host.ts';

/** The guest's device is `eth0`, with an address in the mesh's prefix and the MTU of a mesh. */
export class Guest extends BareHost {
  readonly address: Ipv6;
  /** The device at the host's end. */
  readonly port: string;

  private constructor(port: string, address: Ipv6) {
    super();
    this.port = port;
    this.address = address;
  }

  /** Makes a guest that is up, and not plugged into any bridge. @param mac of the host's end; by default the kernel chooses */
  static behind(host: LabHost, port: string, ipv6: string, mac?: string): Guest {
    const address = parseIpv6(ipv6);
    const guest = new Guest(port, address);
    const own = mac === undefined ? [] : ['address', mac];
    const outside = (...words: string[]) => inside(netnsPath(host.netns), 'ip', 'link', ...words);
    outside('add', port, ...own, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', guest.netns);
    guest.run('ip', 'address', 'add', `${address}/64`, 'dev', 'eth0', 'nodad');
    guest.run('ip', 'link', 'set', 'eth0', 'mtu', '1380', 'up');
    outside('set', port, 'mtu', '1380', 'up');
    return guest;
  }
}
