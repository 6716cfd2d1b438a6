/** A guest behind a host of a lab: a namespace with one end of a veth pair, the other end of which is the host's to plug in. */

import { netnsPath, type TemporaryNetns, temporaryNetns } from '../../src/kernel/netns.ts';
import type { LabHost } from '../../src/lab/hosts/lab-host.ts';
import { type Ipv6, parseIpv6 } from '../../src/model/address/ipv6.ts';
import { inside } from '../kit/namespaces.ts';

export class Guest implements Disposable {
  readonly #namespace: TemporaryNetns;
  readonly address: Ipv6;
  /** The host's end. */
  readonly port: string;

  private constructor(namespace: TemporaryNetns, port: string, address: Ipv6) {
    this.#namespace = namespace;
    this.port = port;
    this.address = address;
  }

  /** Made, up, and not plugged into anything. @param mac of the host's end; the kernel's choice when absent */
  static behind(host: LabHost, port: string, ipv6: string, mac?: string): Guest {
    const namespace = temporaryNetns();
    const address = parseIpv6(ipv6);
    const guest = new Guest(namespace, port, address);
    const own = mac === undefined ? [] : ['address', mac];
    const outside = (...words: string[]) => inside(netnsPath(host.netns), 'ip', 'link', ...words);
    outside('add', port, ...own, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace.path);
    guest.run('ip', 'address', 'add', `${address}/64`, 'dev', 'eth0', 'nodad');
    guest.run('ip', 'link', 'set', 'eth0', 'mtu', '1380', 'up');
    outside('set', port, 'mtu', '1380', 'up');
    return guest;
  }

  get netns(): string {
    return this.#namespace.path;
  }

  run(...command: readonly string[]): string {
    return inside(this.netns, ...command);
  }

  [Symbol.dispose](): void {
    this.#namespace.close();
  }
}
