/** The addresses and routes of a simulated kernel (devinet.c, fib_frontend.c, addrconf.c). */
import type { Address, KernelEvent, Link, Route } from '../../src/kernel/rtnl/objects.ts';
import { type Ipv4, type Ipv4Cidr, ipv4InSubnet, ipv4Subnet } from '../../src/model/address/ipv4.ts';
import { type Ipv6, ipv6InSubnet, ipv6Subnet } from '../../src/model/address/ipv6.ts';
import type { Errno, Of } from './sim-operation.ts';

const MAIN_TABLE = 254;
/** rtnetlink.h: RTPROT_KERNEL. */
const PROTOCOL_KERNEL = 2;

/** Adds and deletes addresses and routes, and announces changes as the real kernel does. */
export class SimAddresses {
  readonly addresses = new Map<string, Address>();
  readonly routes = new Map<string, Route>();
  readonly #emit: (event: KernelEvent) => void;

  constructor(emit: (event: KernelEvent) => void) {
    this.#emit = emit;
  }

  addIpv4(link: number, ipv4: Ipv4, length: number): void {
    const common = { scope: 'global', tentative: false, nodad: false, protocol: 0 } as const;
    const address: Address = { family: 4, link, address: ipv4, length, ...common };
    this.addresses.set(`${link} ${ipv4}`, address);
    this.#emit({ type: 'address', removed: false, address, echo: false });
    const destination = ipv4Subnet(ipv4, length);
    const origin = { table: MAIN_TABLE, protocol: PROTOCOL_KERNEL, scope: 253, metric: 0 };
    this.#putRoute({ family: 4, destination, link, source: ipv4, ...origin });
  }

  /** Removes an address. The routes through its subnet go with it, and the kernel does not announce their removal. */
  removeIpv4(link: number, ipv4: Ipv4): void {
    const address = this.addresses.get(`${link} ${ipv4}`);
    if (address === undefined) return;
    this.addresses.delete(`${link} ${ipv4}`);
    for (const [key, route] of this.routes) {
      if (route.source === ipv4 || (route.gateway !== undefined && this.linkTowards(route.gateway as Ipv4) === 0)) {
        this.routes.delete(key);
      }
    }
    this.#emit({ type: 'address', removed: true, address, echo: false });
  }

  ipv4s(): Ipv4[] {
    return [...this.addresses.values()].filter(({ family }) => family === 4).map(({ address }) => address as Ipv4);
  }

  /** Adds an IPv6 address. Our requests have NLM_F_REPLACE, so adding an existing address is no error. */
  add(link: Link, { address, length, nodad = false }: Of<'address-add' | 'address-delete'>): Errno {
    const scope = address.startsWith('fe80:') ? 'link' : 'global';
    const added: Address = {
      family: 6,
      link: link.index,
      address,
      length,
      scope,
      tentative: false,
      nodad,
      protocol: 0,
    };
    this.addresses.set(`${link.index} ${address}`, added);
    const destination = ipv6Subnet(address as Ipv6, length);
    const origin = { table: MAIN_TABLE, protocol: PROTOCOL_KERNEL, scope: 0, metric: 256 };
    this.#putRoute({ family: 6, destination, link: link.index, ...origin });
    this.#emit({ type: 'address', removed: false, address: added, echo: false });
    return undefined;
  }

  /** Removes an IPv6 address, and its prefix route when no other address needs the route. */
  #removeIpv6(key: string, address: Address): void {
    this.addresses.delete(key);
    const destination = ipv6Subnet(address.address as Ipv6, address.length);
    const isNeeded = [...this.addresses.values()].some(
      (other) => other.link === address.link && other.family === 6 && ipv6InSubnet(other.address as Ipv6, destination),
    );
    const route = this.routes.get(`${address.link} ${destination}`);
    if (route !== undefined && !isNeeded) {
      this.routes.delete(`${address.link} ${destination}`);
      this.#emit({ type: 'route', removed: true, route, echo: false });
    }
    this.#emit({ type: 'address', removed: true, address, echo: false });
  }

  delete(link: Link, ip: Ipv4 | Ipv6): Errno {
    const key = `${link.index} ${ip}`;
    const address = this.addresses.get(key);
    if (address === undefined) return 'EADDRNOTAVAIL';
    this.#removeIpv6(key, address);
    return undefined;
  }

  replaceRoute({ destination, gateway, protocol }: Of<'route-replace' | 'route-delete'>): Errno {
    const link = gateway === undefined ? 0 : this.linkTowards(gateway as Ipv4);
    if (gateway === undefined || link === 0) return 'ENETUNREACH';
    this.#putRoute({ family: 4, destination, gateway, link, table: MAIN_TABLE, protocol, scope: 0, metric: 0 });
    return undefined;
  }

  deleteRoute({ destination }: Of<'route-replace' | 'route-delete'>): Errno {
    const route = this.routes.get(destination);
    if (route === undefined) return 'ESRCH';
    this.routes.delete(destination);
    this.#emit({ type: 'route', removed: true, route, echo: false });
    return undefined;
  }

  routeTo(destination: Ipv4): Route | undefined {
    let best: Route | undefined;
    for (const route of this.routes.values()) {
      if (route.family !== 4 || !ipv4InSubnet(destination, route.destination as Ipv4Cidr)) continue;
      if (best === undefined || lengthOf(route) > lengthOf(best)) best = route;
    }
    if (best === undefined || best.gateway === undefined) return best;
    const source = this.routeTo(best.gateway as Ipv4)?.source;
    return source === undefined ? undefined : { ...best, source };
  }

  /** Index of the link that has the address; 0 for none. */
  linkOf(ipv4: Ipv4): number {
    for (const { address, link } of this.addresses.values()) if (address === ipv4) return link;
    return 0;
  }

  /** Index of the link on whose segment the address is; 0 for none. */
  linkTowards(ipv4: Ipv4): number {
    for (const { family, address, length, link } of this.addresses.values()) {
      if (family === 4 && ipv4InSubnet(ipv4, ipv4Subnet(address as Ipv4, length))) return link;
    }
    return 0;
  }

  /** Removes the link's IPv6 addresses: the kernel keeps only IPv4 addresses on a link that is down. */
  linkDown(index: number): void {
    for (const [key, address] of this.addresses) {
      if (address.link === index && address.family === 6) this.#removeIpv6(key, address);
    }
  }

  linkGone(index: number): void {
    for (const [key, { link }] of this.addresses) if (link === index) this.addresses.delete(key);
    for (const [key, { link }] of this.routes) if (link === index) this.routes.delete(key);
  }

  #putRoute(route: Route): void {
    this.routes.set(route.family === 6 ? `${route.link} ${route.destination}` : route.destination, route);
    this.#emit({ type: 'route', removed: false, route, echo: false });
  }
}

function lengthOf({ destination }: Route): number {
  return Number(destination.split('/')[1]);
}
